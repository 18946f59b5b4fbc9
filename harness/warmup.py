"""Warm up until step times are flat, and say why warm-up stopped.

Steps are timed one by one and grouped into batches of at least ``BATCH_NS``. Warm-up ends when
the medians of the last ``NUM_BATCHES`` batches lie within the tolerance of each other, or at the
time cap. Medians, because single steps are disturbed by the scheduler.
"""

from __future__ import annotations

import statistics
from array import array
from typing import NamedTuple

from backends.base import Step
from harness.clock import Clock
from harness.timed_loop import CLOCK_STEPPED, Position
from results.records import MeasureSpec, Warmup

NUM_BATCHES = 4
BATCH_NS = 25_000_000
MIN_BATCH_STEPS = 3


class WarmupResult(NamedTuple):
    """The record, every step's time, and the step time to plan the measurement with."""

    record: Warmup
    samples: array[int]
    step_ns: float


def warm_up(step: Step, clock: Clock, position: Position, spec: MeasureSpec) -> WarmupResult:
    """Run steps of ``step`` until steady or until ``spec.warmup_max_seconds``."""
    samples: array[int] = array("q")
    medians: list[float] = []
    start = clock.now_ns()
    cap_ns = spec.warmup_max_seconds * 1e9
    while True:
        batch = _batch(step, clock, position, start + cap_ns)
        samples.extend(batch)
        medians.append(statistics.median(batch))
        spread = _spread(medians[-NUM_BATCHES:])
        if len(medians) >= NUM_BATCHES and spread <= spec.warmup_tolerance:
            steady, reason = (
                True,
                (
                    f"steady: the last {NUM_BATCHES} batch medians lie within {spread:.1%} "
                    f"(limit {spec.warmup_tolerance:.0%})"
                ),
            )
            break
        if min(batch) < 0:  # waiting for the cap could take as long as the clock went back
            steady, reason = False, CLOCK_STEPPED
            break
        if clock.now_ns() - start >= cap_ns:
            steady, reason = (
                False,
                (
                    f"time cap of {spec.warmup_max_seconds:g} s: the last "
                    f"{min(len(medians), NUM_BATCHES)} batch medians spread by {spread:.1%} "
                    f"(limit {spec.warmup_tolerance:.0%})"
                ),
            )
            break
    elapsed_s = (clock.now_ns() - start) / 1e9
    record = Warmup(iterations=len(samples), elapsed_s=elapsed_s, steady=steady, stop_reason=reason)
    recent = samples[-max(position.cycle, 2 * MIN_BATCH_STEPS) :]
    return WarmupResult(record, samples, statistics.median(recent))


def _batch(step: Step, clock: Clock, position: Position, deadline_ns: float) -> array[int]:
    """Whole cycles, until BATCH_NS and MIN_BATCH_STEPS are reached or the deadline is past."""
    batch: array[int] = array("q")
    total = 0
    while True:
        # The gate may have left the counter inside a cycle: complete that one first.
        count = position.to_cycle_end or position.cycle
        first = position.take(count)
        step.sync()
        for i in range(first, first + count):
            start = clock.now_ns()
            step.run(i)
            step.sync()
            batch.append(clock.now_ns() - start)
            total += batch[-1]
        if total >= BATCH_NS and len(batch) >= MIN_BATCH_STEPS:
            return batch
        if clock.now_ns() >= deadline_ns or min(batch) < 0:
            return batch


def _spread(medians: list[float]) -> float:
    middle = statistics.median(medians)
    return (max(medians) - min(medians)) / middle if middle > 0 else 0.0
