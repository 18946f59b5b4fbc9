"""The child process: LoadGen asks a step of ours, and our own timed loop times the same queries.

Started as ``python -m tests.referee.sut JOB``, never imported by a test: LoadGen keeps global state,
aborts the process when a callback fails, and waits for ever for a reply that does not come. Its
module is ``mlperf_loadgen``; importing ``mlcommons_loadgen`` would put an empty one in its place.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg

from harness.clock import HostClock
from harness.timed_loop import latency_chunk
from tests.referee import steps


def main(job_file: str) -> None:
    """Run the job and write ``own.json``: sample index and our nanoseconds of each query, in order."""
    job = json.loads(Path(job_file).read_text())
    step, clock = make_step(job), HostClock()
    own: list[tuple[int, int]] = []

    def issue(queries: Any) -> None:
        for query in queries:
            samples = array("q", [0])
            latency_chunk(step, clock, query.index, samples)
            own.append((query.index, samples[0]))
            lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, 0, 0)])

    sut = lg.ConstructSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(1024, 1024, lambda indices: None, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, test_settings(job), log_settings(job["folder"]))
    (Path(job["folder"]) / "own.json").write_text(json.dumps(own))
    sys.stdout.flush()
    os._exit(0)  # its destructors are known to crash


def make_step(job: dict[str, Any]) -> Any:
    if job["step"] == "onnx":
        step = steps.onnx_step(job["workload"])
        return steps.RepeatedStep(step, job["min_s"]) if job["min_s"] else step
    kinds = {"none": steps.NoStep, "busy": steps.BusyStep, "hanging": steps.HangingStep, "raising": steps.RaisingStep}
    return kinds[job["step"]](**job["arguments"])


def test_settings(job: dict[str, Any]) -> Any:
    settings = lg.TestSettings()
    settings.scenario = getattr(lg.TestScenario, job["scenario"])
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = 0
    settings.min_query_count = settings.max_query_count = job["num_queries"]
    for name, value in job["settings"].items():
        setattr(settings, name, value)
    return settings


def log_settings(folder: str) -> Any:
    output = lg.LogOutputSettings()
    output.outdir = folder
    output.copy_summary_to_stdout = False
    settings = lg.LogSettings()
    settings.log_output = output
    settings.enable_trace = True
    return settings


if __name__ == "__main__":
    main(sys.argv[1])
