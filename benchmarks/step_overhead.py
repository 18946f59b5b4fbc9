"""What the throughput window and the latency loop add to a step that does nothing.

Goal: at most 1 us per step of the throughput window over the bare call.
"""

from __future__ import annotations

import statistics
import time
from array import array

from harness.clock import HostClock
from harness.timed_loop import latency_chunk, quiet_gc, throughput_window

NUM_STEPS, NUM_ROUNDS = 200_000, 15


class NoStep:
    """Does nothing."""

    facts: dict[str, object] = {}

    def run(self, i: int) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Nothing to wait for."""


def bare_calls_ns(step: NoStep) -> int:
    """The same calls in the shortest loop Python has."""
    run = step.run
    start = time.perf_counter_ns()
    for i in range(NUM_STEPS):
        run(i)
    return time.perf_counter_ns() - start


def measure() -> str:
    """Nanoseconds a step, as medians over interleaved rounds."""
    step, clock = NoStep(), HostClock()
    window, latency, bare = [], [], []
    samples = array("q", bytes(8 * NUM_STEPS))
    with quiet_gc():
        for _ in range(NUM_ROUNDS):
            bare.append(bare_calls_ns(step) / NUM_STEPS)
            window.append(throughput_window(step, clock, 0, NUM_STEPS) / NUM_STEPS)  # type: ignore[arg-type]
            start = time.perf_counter_ns()
            latency_chunk(step, clock, 0, samples)  # type: ignore[arg-type]
            latency.append((time.perf_counter_ns() - start) / NUM_STEPS)
    call, extra = statistics.median(bare), statistics.median(w - b for w, b in zip(window, bare, strict=True))
    inside = statistics.median(samples)
    return (
        f"throughput window adds {extra:.1f} ns a step to a bare call of {call:.1f} ns (goal: 1000 ns); "
        f"a latency sample of no step at all reads {inside:.0f} ns, its loop takes {statistics.median(latency):.0f} ns"
    )
