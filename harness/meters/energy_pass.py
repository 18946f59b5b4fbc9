"""Energy of one timed pass: the load runs before and after it, and the window ends on whole steps.

Around a pass, when a meter reads the device::

    meters on | run in | span: windows or chunks of the pass ... | run out | meters off

Run-in and run-out are steps that nobody times. Sensors that look at part of each of their periods
need spans of different phase: between chunks the load stops for part of a period and is run in again,
so that a load that resonates with the sensor shows as spans that disagree.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from backends.base import Step
from harness.clock import Clock
from harness.meters.base import EnergyWindow
from harness.meters.metered import DeviceMeters, Metered
from harness.timed_loop import Budget, Position
from results.records import MeasureSpec, Scenario

# Run-in where sensors show what is now; a sensor of averages gets its averaging time beside.
RUN_IN_S = 0.3
# After the window only the last tick of a counter is awaited.
RUN_OUT_S = 0.25
# Neither takes more than this share of the pass: short passes are for showing that things work.
MAX_RUN_SHARE = 0.2
# Steps are run in and out in batches of about this long, with a sync after each.
BATCH_NS = 50_000_000
# Spans of different phase in a pass on part-time sensors, two of the ten chunks each; a t interval of the mean
# of 5 is 1.2 standard deviations of one wide.
NUM_PHASES = 5
# Pauses put the phases at random within each fifth of the longest known period, in random order. Simulated with
# sensors of 100 and 20 ms, loads of 1/5 to 3 times their period: coverage of 97 to 100 %, 92 % at worst (periods
# that differ by 1 %, and 20 ms at the same period with a tenth of each step busy); with pauses of any
# length below 0.1 s the errors are twice as large.
PERIOD_S = 0.1
# Shorter spans hold too few of a sensor's periods.
MIN_PHASE_S = 1.0
# The least window is longer than asked for by a random part of this, so that it is no multiple of a period.
JITTER = 0.05
# A pass may take this much longer than the least window before its cap ends it.
CAP_FACTOR = 1.25
MAX_ITERATIONS = 10**12
# A pause before a pass longer than this is made good by running the load as long, up to a limit.
LONG_PAUSE_S, MAX_RERUN_S = 0.5, 3.0


class Load(NamedTuple):
    """What runs: the step, its clock and position, how long a step takes about, and whom to tell of progress."""

    step: Step
    clock: Clock
    position: Position
    step_ns: float
    beat: Callable[[], None] = lambda: None

    def run(self, seconds: float) -> float:
        """Run whole cycles that nobody times for about ``seconds``; returns the seconds it took, a sync included."""
        cycle = self.position.cycle
        steps = max(1, round(BATCH_NS / max(self.step_ns, 1.0) / cycle)) * cycle
        start_ns = now_ns = self.clock.now_ns()
        while (now_ns - start_ns) / 1e9 < seconds:
            first = self.position.take(steps)
            for i in range(first, first + steps):
                self.step.run(i)
            self.step.sync()
            self.beat()
            before_ns, now_ns = now_ns, self.clock.now_ns()
            if now_ns <= before_ns:  # a clock that stands still or steps back must not keep us here
                break
        return (now_ns - start_ns) / 1e9


class Span(NamedTuple):
    """A part of a pass without a pause: its ends, the time within windows or chunks, and the steps."""

    start_ns: int
    end_ns: int
    busy_ns: int
    steps: int


class EnergyPass:
    """Energy of one pass; does nothing at all where no meter reads the device.

    Args:
        meters: of the device.
        scenario: the pass.
        load: what runs.
        least_s: the pass takes this long at least; part-time sensors get phases of a part of it.
        paused_s: the device had nothing to do for so long just before, because a meter was waited for.
    """

    def __init__(
        self, meters: DeviceMeters, scenario: Scenario, load: Load, least_s: float, paused_s: float = 0.0
    ) -> None:
        self._meters, self._scenario, self._load = meters, scenario, load
        self._phase_s = max(0.95 * least_s / NUM_PHASES, MIN_PHASE_S) if meters.part_time else float("inf")
        self._measured_s = 0.0
        self._pauses = pauses()
        self._run_in_s = min(RUN_IN_S + (meters.averaging_s or 0.0), MAX_RUN_SHARE * least_s)
        # What cooled down in a long pause is warmed up again.
        self._first_run_in_s = max(self._run_in_s, min(paused_s, MAX_RERUN_S) if paused_s > LONG_PAUSE_S else 0.0)
        self._run_out_s = min(RUN_OUT_S, MAX_RUN_SHARE * least_s)
        self._spans: list[Span] = []
        self._opened_ns = self._busy_ns = self._steps = 0
        self._loaded_s = 0.0

    def begin(self) -> None:
        """Just before the pass."""
        if self._meters.names:
            self._meters.start(self._load.beat)
            self._open(self._first_run_in_s)

    def chunk(self, busy_ns: int, steps: int) -> None:
        """After each window or chunk of the pass, which took ``busy_ns`` and ``steps``."""
        if not self._meters.names:
            return
        self._busy_ns, self._steps = self._busy_ns + busy_ns, self._steps + steps
        # A pass that goes on for long gets longer spans, not ever more of them.
        if self._busy_ns / 1e9 >= max(self._phase_s, self._measured_s / NUM_PHASES):
            self._close()
            time.sleep(next(self._pauses))
            self._open(self._run_in_s)

    def end(self) -> Metered:
        """Just after the pass; runs the load a little longer."""
        if not self._meters.names:
            return self._meters.stop(EnergyWindow(()), self._scenario, None)
        self._close()
        self._load.run(self._run_out_s)
        steps = sum(span.steps for span in self._spans)
        return self._meters.stop(self._window(), self._scenario, steps, self._load.beat)

    def abandon(self) -> None:
        """After a pass that failed: the meters are let go, and nothing is run any more."""
        if self._meters.names:
            self._meters.stop(EnergyWindow(()), self._scenario, None)

    def _open(self, run_in_s: float) -> None:
        self._loaded_s = self._load.run(run_in_s)
        self._busy_ns = self._steps = 0
        self._opened_ns = self._load.clock.now_ns()

    def _close(self) -> None:
        span = Span(self._opened_ns, self._load.clock.now_ns(), self._busy_ns, self._steps)
        # What is left after the last phase may be too short to measure; its steps do not count then.
        if span.steps and (not self._spans or self._busy_ns / 1e9 >= self._phase_s / 2):
            self._spans.append(span)
            self._measured_s += self._busy_ns / 1e9

    def _window(self) -> EnergyWindow:
        total_ns = sum(span.end_ns - span.start_ns for span in self._spans)
        busy_ns, steps = sum(span.busy_ns for span in self._spans), sum(span.steps for span in self._spans)
        if not steps or total_ns <= 0:
            return EnergyWindow(())
        # Steps of one cycle differ, so the load repeats with the cycle.
        cycle_s = busy_ns / steps * self._load.position.cycle / 1e9
        return EnergyWindow(
            spans=tuple((span.start_ns, span.end_ns) for span in self._spans),
            step_s=cycle_s,
            loaded_before_s=self._loaded_s,
            gap_share=max(0.0, 1 - busy_ns / total_ns),
        )


def pauses() -> Iterator[float]:
    """Pauses in seconds, for ever, that put what comes after them at the phases wanted."""
    phase_s = random.random() * PERIOD_S
    while True:
        for stratum in random.sample(range(NUM_PHASES), NUM_PHASES):
            next_s = (stratum + random.random()) / NUM_PHASES * PERIOD_S
            yield (next_s - phase_s) % PERIOD_S
            phase_s = next_s


def energy_budget(budget: Budget, spec: MeasureSpec, meters: DeviceMeters, *, is_main: bool) -> Budget:
    """``budget`` of a pass, long enough for its energy where a meter covers the device."""
    if meters.reason or not (meters.names and is_main and spec.energy_min_seconds > 0):
        return budget
    least_ns = round(spec.energy_min_seconds * (1 + JITTER * random.random()) * 1e9)
    # The time cap is enough: a million tiny steps may be over before the window is long enough.
    return budget._replace(
        min_ns=max(budget.min_ns, least_ns),
        max_ns=max(budget.max_ns, round(CAP_FACTOR * least_ns)),
        max_iterations=max(budget.max_iterations, MAX_ITERATIONS),
    )
