"""Latency by chipmark's loop over that by MLPerf's LoadGen (SingleStream), of one ONNX Runtime session in one process.

Blocks of queries alternate (ours, LoadGen's, LoadGen's, ours, ...), so that what the machine does meanwhile meets both
alike. LoadGen's queries run the same bindings directly; its figure is the median that it computes and logs itself.
Goal: within 2 %. ``onnxruntime_perf_test`` is not in any wheel, so LoadGen is the referee.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any

NUM_PAIRS, NUM_QUERIES, NUM_WARM = 12, 40, 20
# Two-sided 95 % of Student's t with 11 degrees of freedom.
T_95 = 2.201
MODEL = ("image-classifier", "edge")
GOAL = 0.02


def measure() -> str:
    """The ratio of medians, ours over LoadGen's, with its 95 % interval."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.onnx_latency"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return f"not measured: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    pairs = json.loads(done.stdout.splitlines()[-1])
    logs = [math.log(own / theirs) for own, theirs in pairs]
    middle, half = statistics.mean(logs), T_95 * statistics.stdev(logs) / math.sqrt(len(logs))
    low, high = math.exp(middle - half), math.exp(middle + half)
    within, outside = low >= 1 - GOAL and high <= 1 + GOAL, low > 1 + GOAL or high < 1 - GOAL
    verdict = "PASS" if within else "FAIL" if outside else "not decided, the machine is too restless"
    query_ms = statistics.median(theirs for _, theirs in pairs) / 1e6
    return (
        f"{math.exp(middle):.4f} of LoadGen's, 95 % interval {low:.4f} to {high:.4f}; {'/'.join(MODEL)}, "
        f"{query_ms:.2f} ms a query, {NUM_PAIRS} pairs of {NUM_QUERIES} (goal: within {GOAL:.0%}): {verdict}"
    )


def main() -> None:
    """The child: LoadGen keeps global state and is known to crash when it is unloaded."""
    import mlperf_loadgen as loadgen

    from harness.clock import HostClock
    from harness.timed_loop import latency_chunk

    step, clock, pairs = make_step(), HostClock(), []
    latency_chunk(step, clock, 0, array("q", bytes(8 * NUM_WARM)))
    for number in range(NUM_PAIRS):
        found: dict[str, float] = {}
        for who in ("own", "theirs") if number % 2 else ("theirs", "own"):
            if who == "own":
                samples = array("q", bytes(8 * NUM_QUERIES))
                latency_chunk(step, clock, 0, samples)
                found[who] = statistics.median(samples)
            else:
                found[who] = loadgen_median(loadgen, step)
        pairs.append((found["own"], found["theirs"]))
    print(json.dumps(pairs), flush=True)
    os._exit(0)


def make_step() -> Any:
    """The step that ``chipmark run`` would time, two threads."""
    from backends import REGISTRY as BACKENDS
    from results.records import CaseSpec
    from workloads import REGISTRY as WORKLOADS

    name, preset_name = MODEL
    workload, backend = WORKLOADS.get(name), BACKENDS.get("onnxruntime")
    preset = workload.spec.presets[preset_name]
    case = CaseSpec(
        workload=name, workload_version=workload.spec.version, phase="infer", preset=preset_name, precision="fp32",
        batch_size=1, shape=dict(preset.shape), backend="onnxruntime", device="cpu", options={"threads": 2},
    )  # fmt: skip
    (cpu,) = [device for device in backend.devices() if device.id == "cpu"]
    return backend.prepare(workload, case, cpu)


def loadgen_median(loadgen: Any, step: Any) -> float:
    """The median latency in nanoseconds that LoadGen finds."""
    session, bindings = step._session, step._bindings

    def issue(queries: Any) -> None:
        for query in queries:
            session.run_with_iobinding(bindings[query.index % len(bindings)])
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = loadgen.TestScenario.SingleStream, loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = 0
    settings.min_query_count = settings.max_query_count = NUM_QUERIES
    with tempfile.TemporaryDirectory() as folder:
        output = loadgen.LogOutputSettings()
        output.outdir, output.copy_summary_to_stdout = folder, False
        logs = loadgen.LogSettings()
        logs.log_output = output
        system = loadgen.ConstructSUT(issue, lambda: None)
        samples = loadgen.ConstructQSL(1024, 1024, lambda indices: None, lambda indices: None)
        loadgen.StartTestWithLogSettings(system, samples, settings, logs)
        loadgen.DestroyQSL(samples)
        loadgen.DestroySUT(system)
        return median_in((Path(folder) / "mlperf_log_summary.txt").read_text())


def median_in(summary: str) -> float:
    """LoadGen's median in nanoseconds.

    Raises:
        ValueError: the summary has none.
    """
    for line in summary.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "50.00 percentile latency (ns)":
            return float(value)
    raise ValueError(f"LoadGen's summary has no median: {summary[:200]}")


if __name__ == "__main__":
    main()
