"""The timed loops. Inside them: the step, the clock reads, one store; nothing else.

Throughput is work over the elapsed time of a window with a sync at both ends. Latency is one
synced step at a time. Neither is derived from the other. Both run whole cycles of
``work.steps`` steps, because steps within a cycle differ (decoding gets dearer per token).

A pass goes on until both minima are reached and the 95 % interval is as narrow as wanted
(``results.precision``), or until a cap. It stops on precision, never on what a comparison would say.
The interval is computed between windows, outside everything timed.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from backends.base import Step
from harness.clock import Clock
from results.precision import median_half_width, window_half_width
from results.records import MeasureSpec, Window

# The minimum of a pass is cut into about this many windows or chunks, so that progress can be
# reported and an interval computed, while each stays long against the cost of its syncs.
NUM_CHUNKS = 10
# Latency chunks grow with what was measured, so that intervals are computed a few times only, ...
GROWTH = 1 / 8
# ... but the parent hears of each chunk, and takes long silence for a hang.
MAX_GROWN_NS = 5_000_000_000
CLOCK_STEPPED = "the clock stepped back"


class Budget(NamedTuple):
    """When a pass has enough (both minima and the interval) or must stop (either cap).

    ``half_width`` is the relative half-width to reach; from 1 on, none is asked for.
    """

    min_ns: int
    min_iterations: int
    max_ns: int
    max_iterations: int
    half_width: float = 1.0

    @classmethod
    def of(cls, spec: MeasureSpec) -> Budget:
        """The budget of one pass of ``spec``."""
        return cls(
            round(spec.min_seconds * 1e9),
            spec.min_iterations,
            round(spec.max_seconds * 1e9),
            spec.max_iterations,
            spec.half_width,
        )

    def stop_reason(self, elapsed_ns: int, iterations: int, centre: str, reach: Reach) -> str | None:
        """Why to stop now, or None to go on.

        Args:
            elapsed_ns: measured so far.
            iterations: measured so far.
            centre: what the interval is of: ``median`` or ``mean``.
            reach: gives the half-width reached; asked only once both minima are.
        """
        cap = None
        if elapsed_ns >= self.max_ns:
            cap = "time cap"
        elif iterations >= self.max_iterations:
            cap = "iteration cap"
        if elapsed_ns < self.min_ns or iterations < self.min_iterations:
            return cap and f"{cap}: {iterations} of {self.min_iterations} iterations in {elapsed_ns / 1e9:.3g} s"
        reached = reach()
        said = "too few for an interval" if reached is None else f"{centre} +-{100 * reached:.2g} %"
        if self.half_width >= 1 or (reached is not None and reached <= self.half_width):
            return f"enough: {said}"
        return cap and f"{cap}: {said} (wanted {100 * self.half_width:g} %)"

    def chunk_iterations(self, step_ns: float, cycle: int, done_ns: int, done: int, growth: float = 0.0) -> int:
        """Steps of the next chunk: whole cycles, about 1/NUM_CHUNKS of the pass, within the caps.

        With ``growth``, at least that share of what is done, as far as ``MAX_GROWN_NS``.
        """
        wanted_ns = max(self.min_ns, self.min_iterations * step_ns) / NUM_CHUNKS
        wanted_ns = max(wanted_ns, min(growth * done_ns, MAX_GROWN_NS))
        left_ns = max(self.max_ns - done_ns, 0)
        steps = min(wanted_ns, left_ns) / max(step_ns, 1.0)
        steps = min(steps, self.max_iterations - done)
        return max(1, round(steps / cycle)) * cycle


Reach = Callable[[], float | None]


class Position:
    """Where the step counter stands; ``take`` hands out gapless step numbers."""

    def __init__(self, cycle: int) -> None:
        self.next, self.cycle = 0, cycle

    def take(self, count: int) -> int:
        """The first number of ``count`` steps that the caller will run."""
        first = self.next
        self.next += count
        return first

    @property
    def to_cycle_end(self) -> int:
        """Steps missing until a cycle is complete."""
        return -self.next % self.cycle


@contextmanager
def quiet_gc() -> Iterator[None]:
    """No automatic garbage collection inside.

    What exists is collected and then frozen for good, so that the explicit collections between windows
    look at new objects only and are cheap.
    """
    gc.collect()
    gc.freeze()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def throughput_window(step: Step, clock: Clock, first: int, count: int) -> int:
    """Nanoseconds of ``count`` steps from step ``first``, with a sync at both ends."""
    run, sync, now = step.run, step.sync, clock.now_ns
    numbers = range(first, first + count)
    sync()
    start = now()
    for i in numbers:
        run(i)
    sync()
    return now() - start


def latency_chunk(step: Step, clock: Clock, first: int, samples: array[int]) -> None:
    """Fill ``samples`` (int64) with nanoseconds of single synced steps from step ``first``."""
    run, sync, now = step.run, step.sync, clock.now_ns
    sync()
    for k in range(len(samples)):
        start = now()
        run(first + k)
        sync()
        samples[k] = now() - start


def measure_throughput(
    step: Step,
    clock: Clock,
    position: Position,
    budget: Budget,
    step_ns: float,
    report: Callable[[Window], None],
) -> str:
    """Run windows until ``budget`` says stop; each goes to ``report``. Returns why it stopped."""
    elapsed = iterations = 0
    windows: list[tuple[int, int]] = []
    while True:
        count = budget.chunk_iterations(step_ns, position.cycle, elapsed, iterations)
        first = position.take(count)
        gc.collect()
        window_ns = throughput_window(step, clock, first, count)
        elapsed, iterations = elapsed + window_ns, iterations + count
        step_ns = elapsed / iterations
        report(Window(iterations=count, elapsed_ns=window_ns))
        if window_ns < 0:
            return CLOCK_STEPPED
        windows.append((count, window_ns))
        reason = budget.stop_reason(elapsed, iterations, "mean", partial(window_half_width, windows))
        if reason:
            return reason


def measure_latency(
    step: Step,
    clock: Clock,
    position: Position,
    budget: Budget,
    step_ns: float,
    report: Callable[[bytes], None],
) -> str:
    """Take single-step samples until ``budget`` says stop; raw int64 chunks go to ``report``."""
    elapsed = iterations = 0
    taken = array("q")
    while True:
        count = budget.chunk_iterations(step_ns, position.cycle, elapsed, iterations, GROWTH)
        first = position.take(count)
        samples = array("q", bytes(8 * count))
        gc.collect()
        latency_chunk(step, clock, first, samples)
        elapsed, iterations = elapsed + sum(samples), iterations + count
        step_ns = elapsed / iterations
        report(samples.tobytes())
        if min(samples) < 0:
            return CLOCK_STEPPED
        taken.extend(samples)
        reason = budget.stop_reason(elapsed, iterations, "median", partial(_reached, taken, position.cycle))
        if reason:
            return reason


def _reached(taken: array[int], cycle: int) -> float | None:
    import numpy as np

    return median_half_width(np.frombuffer(taken, np.int64), cycle)


def measure_device_time(
    step: Step, position: Position, budget: Budget, step_ns: float, report: Callable[[bytes], None]
) -> str | None:
    """Device-side step times by events, one sync at the end; None where there are no events.

    A pass of its own: recording events costs host time that must not enter the other two.
    """
    timer = step.timer()
    if timer is None:
        return None
    count = min(
        budget.chunk_iterations(step_ns, position.cycle, 0, 0),
        max(position.cycle, budget.min_iterations // position.cycle * position.cycle),
    )
    first = position.take(count)
    step.sync()
    timer.mark()
    for i in range(first, first + count):
        step.run(i)
        timer.mark()
    step.sync()
    report(array("q", timer.elapsed_ns()).tobytes())
    return timer.name
