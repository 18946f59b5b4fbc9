"""Running LoadGen in a child process, and reading what it wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
# The trace as a whole is not valid JSON, its lines about samples are.
SAMPLE = re.compile(r'"query_seq":(\d+),"sample_idx":(\d+),"issue_start_ns":\d+,"complete_ns":(\d+)')
PERCENTILE = re.compile(r"^(\d+\.\d+) percentile latency \(ns\) *: (\d+)$", re.MULTILINE)
DISCARDED = re.compile(r"Would discard (\d+) highest latency queries")
ESTIMATE = re.compile(r"Early stopping (\d+)(?:\.\d+)?th percentile estimate: (\d+)")


class LoadGenFailed(Exception):
    """The child did not end well."""


class Judgement(NamedTuple):
    """What LoadGen says of a test, and the same queries by our clock.

    All latencies are nanoseconds, in the order issued; percentiles are by LoadGen's own text.
    """

    summary: str
    detail: dict[str, Any]
    theirs_ns: np.ndarray
    sample_indices: list[int]
    ours_ns: np.ndarray
    our_indices: list[int]

    @property
    def percentiles_ns(self) -> dict[str, int]:
        """``{"50.00": ns, ...}`` as printed."""
        return {percent: int(value) for percent, value in PERCENTILE.findall(self.summary)}

    @property
    def num_discarded(self) -> int | None:
        """How many of the slowest queries early stopping would discard, as printed."""
        found = DISCARDED.search(self.summary)
        return int(found.group(1)) if found else None

    @property
    def estimates_ns(self) -> dict[int, int]:
        """Early-stopping estimates by percent, as printed."""
        return {int(percent): int(value) for percent, value in ESTIMATE.findall(self.summary)}

    @property
    def valid(self) -> bool:
        """LoadGen's verdict."""
        return "Result is : VALID" in self.summary


def unavailable() -> str:
    """Why LoadGen cannot be used here; empty if it can. Asked in a child: a bad wheel may crash."""
    code = "import mlperf_loadgen; mlperf_loadgen.StartTestWithLogSettings"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0:
        return ""
    why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"LoadGen cannot be imported ({why}); it has no wheel for aarch64 or Python 3.14"


def run_loadgen(folder: Path, timeout_s: float = 120.0, cache: Path | None = None, **job: Any) -> Judgement:
    """One test by LoadGen.

    Args:
        folder: an empty folder for its logs.
        timeout_s: after which the child is killed.
        cache: of exported models.
        **job: ``step`` (none, busy, onnx, hanging, raising) and what is not usual.

    Raises:
        LoadGenFailed: the child crashed, or LoadGen counted errors.
        subprocess.TimeoutExpired: it did not end in time.
    """
    usual = {
        "scenario": "SingleStream",
        "num_queries": 1000,
        "workload": "",
        "min_s": 0,
        "arguments": {},
        "settings": {},
    }
    (folder / "job.json").write_text(json.dumps({**usual, **job, "folder": str(folder)}))
    environment = os.environ | ({"CHIPMARK_CACHE": str(cache)} if cache else {})
    command = [sys.executable, "-m", "tests.referee.sut", str(folder / "job.json")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode != 0:
        raise LoadGenFailed(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return read_judgement(folder)


def read_judgement(folder: Path) -> Judgement:
    """LoadGen's logs and our times of the same queries."""
    summary = (folder / "mlperf_log_summary.txt").read_text()
    if "No errors encountered" not in summary:
        raise LoadGenFailed(summary)
    detail = {}
    for line in (folder / "mlperf_log_detail.txt").read_text().splitlines():
        if line.startswith(":::MLLOG "):
            entry = json.loads(line.removeprefix(":::MLLOG "))
            detail[entry["key"]] = entry["value"]
    samples = sorted(tuple(map(int, found)) for found in SAMPLE.findall((folder / "mlperf_log_trace.json").read_text()))
    own = json.loads((folder / "own.json").read_text())
    return Judgement(
        summary=summary,
        detail=detail,
        theirs_ns=np.array([ns for _, _, ns in samples], np.int64),
        sample_indices=[index for _, index, _ in samples],
        ours_ns=np.array([ns for _, ns in own], np.int64),
        our_indices=[index for index, _ in own],
    )
