"""Cost of the clock and of the timed loops, by running the loops that measure every case.

All figures are medians over interleaved rounds. None needs numpy or a framework.
"""

from __future__ import annotations

import gc
import statistics
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

from backends.base import Step
from harness.clock import Clock
from harness.timed_loop import latency_chunk, throughput_window


class NoStep:
    """A step that does nothing."""

    facts: dict[str, object] = {}

    def run(self, i: int) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Nothing to wait for."""

    def outputs(self) -> dict[str, object]:
        """None."""
        return {}

    def timer(self) -> None:
        """No events."""


class ClockFigures(NamedTuple):
    """Seconds; ``resolution_s`` is None for a clock that did not move."""

    resolution_s: float | None
    cost_s: float


class LoopFigures(NamedTuple):
    """Seconds a step. A difference of medians may come out slightly below zero."""

    step_overhead_s: float
    latency_overhead_s: float


def clock_figures(clock: Clock, num_readings: int = 20_000, num_rounds: int = 5) -> ClockFigures:
    """Smallest step above zero between two readings in a row, and the median cost of a reading.

    The first is an upper bound of the resolution: ticks shorter than a reading takes stay hidden.
    """
    now, costs, smallest = clock.now_ns, [], None
    with _no_gc():
        for _ in range(num_rounds):
            readings = array("q", bytes(8 * num_readings))
            start = now()
            for k in range(num_readings):
                readings[k] = now()
            # The loop around the reading is part of it: an upper bound of the cost.
            costs.append((now() - start) / num_readings)
            steps = [b - a for a, b in pairwise(readings) if b > a]
            smallest = min([*steps, *([smallest] if smallest else [])], default=None)
    return ClockFigures(None if smallest is None else smallest / 1e9, statistics.median(costs) / 1e9)


def loop_figures(clock: Clock, num_steps: int = 20_000, num_rounds: int = 7) -> LoopFigures:
    """What the throughput loop adds to a bare call, and what the latency loop reads for nothing."""
    step: Step = NoStep()  # type: ignore[assignment]
    added, nothing = [], []
    samples = array("q", bytes(8 * num_steps))
    with _no_gc():
        for _ in range(num_rounds):
            bare_ns = _bare_calls_ns(step.run, clock, num_steps)
            added.append((throughput_window(step, clock, 0, num_steps) - bare_ns) / num_steps)
            latency_chunk(step, clock, 0, samples)
            nothing.append(statistics.median(samples))
    return LoopFigures(statistics.median(added) / 1e9, statistics.median(nothing) / 1e9)


def _bare_calls_ns(run: Callable[[int], None], clock: Clock, num_steps: int) -> int:
    """The same calls in the shortest loop Python has."""
    numbers = range(num_steps)
    start = clock.now_ns()
    for i in numbers:
        run(i)
    return clock.now_ns() - start


@contextmanager
def _no_gc() -> Iterator[None]:
    """No garbage collection inside; unlike the worker's, this leaves no trace in the process."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
