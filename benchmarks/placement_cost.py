"""What recording where nodes run costs in the timed loop: the same graph with the record on over it off.

ONNX Runtime writes the record when it partitions the graph, so nothing should be left of it in a run. Goal: below 1 %.
"""

from __future__ import annotations

import math
import statistics
from array import array
from typing import Any

from benchmarks.onnx_latency import T_95

NUM_PAIRS, NUM_STEPS = 12, 400


def measure() -> str:
    """The ratio of median latencies with its 95 % interval, in blocks that alternate."""
    from harness.clock import HostClock
    from harness.timed_loop import latency_chunk

    steps, clock, logs = {on: make_step(on) for on in (True, False)}, HostClock(), []
    for step in steps.values():
        latency_chunk(step, clock, 0, array("q", bytes(8 * NUM_STEPS)))
    for number in range(NUM_PAIRS):
        found = {}
        for on in (True, False) if number % 2 else (False, True):
            samples = array("q", bytes(8 * NUM_STEPS))
            latency_chunk(steps[on], clock, 0, samples)
            found[on] = statistics.median(samples)
        logs.append(math.log(found[True] / found[False]))
    middle, half = statistics.mean(logs), T_95 * statistics.stdev(logs) / math.sqrt(len(logs))
    low, high = math.exp(middle - half), math.exp(middle + half)
    return f"{math.exp(middle):.4f}, 95 % interval {low:.4f} to {high:.4f} (goal: below 1.01)"


def make_step(recording: bool) -> Any:
    """The tiny image classifier, one thread, with or without the record."""
    from unittest import mock

    from backends import REGISTRY as BACKENDS
    from backends import onnxruntime_session
    from results.records import CaseSpec
    from workloads import REGISTRY as WORKLOADS

    workload, backend = WORKLOADS.get("image-classifier"), BACKENDS.get("onnxruntime")
    preset = workload.spec.presets["tiny"]
    case = CaseSpec(
        workload="image-classifier", workload_version=workload.spec.version, phase="infer", preset="tiny",
        precision="fp32", batch_size=preset.batch_size, shape=dict(preset.shape), backend="onnxruntime", device="cpu",
        options={"threads": 1},
    )  # fmt: skip
    (cpu,) = [device for device in backend.devices() if device.id == "cpu"]
    if recording:
        return backend.prepare(workload, case, cpu)
    # An entry that ONNX Runtime does not know in the place of the one that turns the record on.
    with (
        mock.patch.object(onnxruntime_session, "RECORD_ASSIGNMENT", "session.chipmark_no_record"),
        mock.patch.object(onnxruntime_session, "assignment", return_value="not recorded"),
    ):
        return backend.prepare(workload, case, cpu)
