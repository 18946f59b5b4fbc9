"""Throughput of chipmark's measurement over a hand-written loop of the same model.

Both run in this process, in ABBA order, on the very same model and inputs, with one thread (two
that wait for each other add noise ten times the effect). Goal: the median ratio is at least 0.995.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import Any

from backends import REGISTRY as BACKENDS
from backends.base import NUM_ROTATING_BATCHES
from harness.clock import HostClock
from harness.timed_loop import throughput_window
from results.records import CaseSpec
from workloads import REGISTRY as WORKLOADS

NUM_PAIRS, SECONDS = 201, 0.04


def make_case(workload: str) -> CaseSpec:
    """FP32 inference at tiny size: short steps show overhead best."""
    spec = WORKLOADS.get(workload).spec
    preset = spec.presets["tiny"]
    return CaseSpec(
        workload=workload, workload_version=spec.version, phase="infer", preset="tiny", precision="fp32",
        batch_size=preset.batch_size, shape=preset.shape, backend="torch", device="cpu", options={"threads": 1},
    )  # fmt: skip


def ratio(workload_name: str) -> float:
    """Median over pairs of chipmark's throughput over the hand-written loop's."""
    workload, backend, case = WORKLOADS.get(workload_name), BACKENDS.get("torch"), make_case(workload_name)
    device = next(d for d in backend.devices() if d.id == "cpu")
    step: Any = backend.prepare(workload, case, device)
    # The step has put torch into inference mode for the whole process, for both loops alike.
    model, batches = step._setup.model, step._batches

    def by_hand(count: int) -> float:
        start = time.perf_counter_ns()
        for i in range(count):
            model(**batches[i % NUM_ROTATING_BATCHES])
        return time.perf_counter_ns() - start

    clock = HostClock()
    count = max(8, round(SECONDS * 1e9 / (by_hand(50) / 50)))
    throughput_window(step, clock, 0, count)
    ratios = []
    gc.disable()
    for pair in range(NUM_PAIRS):
        if pair % 2:
            hand, harness = by_hand(count), throughput_window(step, clock, 0, count)
        else:
            harness, hand = throughput_window(step, clock, 0, count), by_hand(count)
        ratios.append(hand / harness)
    gc.enable()
    return statistics.median(ratios)


def measure() -> str:
    """The ratio for two workloads."""
    parts = [f"{name} {ratio(name):.4f}" for name in ("text-encoder", "image-classifier")]
    return f"chipmark's throughput over a hand-written loop's: {', '.join(parts)} (goal: 0.995)"
