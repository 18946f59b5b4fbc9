"""A fixed piece of work, timed by the real latency loop in an interpreter of its own.

``python -m harness.selfcheck.fixed_work REPEATS SAMPLES`` prints one JSON line. Elementwise numpy on
one core: no library that starts threads, nothing that waits for memory, no framework needed.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from array import array

import numpy as np

from harness.clock import HostClock
from harness.timed_loop import latency_chunk
from results.stats import order_statistic_index

NUM_NUMBERS = 16_384  # two arrays of 128 KiB: inside a second-level cache
STEP_NS = 2_000_000
WARMUP_S = 0.15
NUM_CALIBRATIONS = 15
P99_SAMPLES = 700


class FixedWork:
    """``repeats`` sweeps over two small arrays a step."""

    facts: dict[str, object] = {}

    def __init__(self, repeats: int) -> None:
        self._numbers = np.random.default_rng(0).uniform(1.0, 2.0, NUM_NUMBERS)
        self._result = np.empty_like(self._numbers)
        self.repeats = repeats

    def run(self, i: int) -> None:
        """One step."""
        numbers, result = self._numbers, self._result
        for _ in range(self.repeats):
            np.sqrt(numbers, out=result)
            np.multiply(result, numbers, out=result)
            np.add(result, numbers, out=result)

    def sync(self) -> None:
        """Numpy is done when it returns."""


def calibrated_repeats() -> int:
    """Sweeps that take about ``STEP_NS`` here; found once, then the same for every process."""
    work, now = FixedWork(1), HostClock.now_ns
    times = []
    for k in range(NUM_CALIBRATIONS):
        start = now()
        work.run(k)
        times.append(now() - start)
    return max(1, round(STEP_NS / max(1, sorted(times)[NUM_CALIBRATIONS // 2])))


def sample_ns(repeats: int, num_samples: int) -> array[int]:
    """Times of single steps after a warm-up, unsorted."""
    work, samples = FixedWork(repeats), array("q", bytes(8 * num_samples))
    until = time.perf_counter() + WARMUP_S
    while time.perf_counter() < until:
        work.run(0)
    gc.collect()
    latency_chunk(work, HostClock(), 0, samples)  # type: ignore[arg-type]
    return samples


def jitter_ratio(repeats: int, num_samples: int = P99_SAMPLES) -> float:
    """p99 over the median of single steps."""
    times = sorted(sample_ns(repeats, num_samples))
    return times[order_statistic_index(num_samples, 99)] / times[order_statistic_index(num_samples, 50)]


def main() -> None:
    """Entry point of one process of the A/A comparison."""
    repeats, num_samples = int(sys.argv[1]), int(sys.argv[2])
    times = sorted(sample_ns(repeats, num_samples))
    print(json.dumps({"median_ns": times[order_statistic_index(num_samples, 50)]}))


if __name__ == "__main__":
    main()
