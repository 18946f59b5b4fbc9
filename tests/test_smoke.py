"""The shipped smoke suite, run once for real through the command line, and what must hold of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.expected_counts import expectation
from harness.guards.table import GUARDS
from harness.plan import Filters
from results.count_check import check_counts
from results.frame import load, load_samples
from results.records import Measurement
from results.render_counts import check_text
from results.store import StoredRun, open_run

LABEL = "{0.workload} {0.phase} {0.precision} {0.backend}"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "harness", "run", "smoke", "--device", "cpu", "--out", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    done.folder = folder / "run"  # type: ignore[attr-defined]
    return done


@pytest.fixture(scope="module")
def run(smoke: subprocess.CompletedProcess[str]) -> StoredRun:
    return open_run(smoke.folder)  # type: ignore[attr-defined]


def measured(run: StoredRun) -> list[Measurement]:
    return [m for m in run.measurements if m.status == "ok"]


def test_it_ends_well_and_every_case_has_a_status(smoke: subprocess.CompletedProcess[str], run: StoredRun) -> None:
    bad = [f"{m.case.label}: {m.status}: {m.reason}" for m in run.measurements if m.status not in ("ok", "unsupported")]
    assert not bad
    assert smoke.returncode == 0, smoke.stderr
    assert len(run.measurements) == len(run.info.plan) >= 20
    assert {m.case.backend for m in measured(run)} == {"torch", "onnxruntime"}
    assert {m.case.phase for m in measured(run)} == {"train", "infer", "prefill", "decode"}
    assert all(m.reason for m in run.measurements if m.status == "unsupported")


def test_the_table_fits_100_columns_and_has_every_case(smoke: subprocess.CompletedProcess[str], run: StoredRun) -> None:
    lines = smoke.stdout.splitlines()
    assert all(len(line) <= 100 for line in lines)
    # Rows begin in the first column; the lines of wrapped notes do not.
    rows = [line for line in lines if line.split(" ")[0] in ("train", "infer", "prefill", "decode")]
    assert len(rows) == len(run.info.plan)


def test_the_shipped_counts_hold(run: StoredRun) -> None:
    """What ``--check`` does, with the factor for peak memory: see docs/ci.md for how to take counts anew."""
    report = check_counts(run, expectation("smoke", Filters()).counts, "configs/checks/smoke.json")
    assert report.passed, check_text(report)


def test_items_are_throughput_times_elapsed(run: StoredRun) -> None:
    frame = load(run.path).set_index("case_id")
    for m in measured(run):
        assert m.work is not None
        assert m.timing is not None
        iterations = sum(w.iterations for w in m.timing.windows)
        elapsed_s = sum(w.elapsed_ns for w in m.timing.windows) / 1e9
        assert iterations % m.work.steps == 0
        items = m.work.items * iterations // m.work.steps
        assert frame.loc[m.case_id, "throughput_per_s"] * elapsed_s == pytest.approx(items, rel=1e-12)


def test_token_counts_add_up(run: StoredRun) -> None:
    for m in measured(run):
        assert m.work is not None
        case = m.case
        if case.workload != "llm-decoder":
            continue
        length = {"train": "sequence_length", "prefill": "prompt_tokens", "decode": "new_tokens"}[case.phase]
        assert m.work.tokens == m.work.items == case.batch_size * case.shape[length]
        assert m.work.steps == (case.shape["new_tokens"] if case.phase == "decode" else 1)


def test_minimum_time_and_iterations_or_a_cap_that_is_named(run: StoredRun) -> None:
    for m in measured(run):
        assert m.timing is not None
        spec = run.info.measure
        elapsed_s = sum(w.elapsed_ns for w in m.timing.windows) / 1e9
        iterations = sum(w.iterations for w in m.timing.windows)
        for part in m.timing.stop_reason.split("; "):
            assert re.search(r": (enough: |time cap: |iteration cap: )", part)
        if "iterations in" not in m.timing.stop_reason:  # no cap came before the minima
            assert elapsed_s >= spec.min_seconds
            assert iterations >= spec.min_iterations
            assert m.timing.num_latency_samples >= spec.min_iterations


def test_raw_samples_are_kept_and_agree_with_the_record(run: StoredRun) -> None:
    for m in measured(run):
        assert m.timing is not None
        samples = run.samples(m)
        assert len(samples["latency_ns"]) == m.timing.num_latency_samples
        assert len(samples["warmup_ns"]) == m.timing.warmup.iterations
        assert samples["latency_ns"].dtype == np.int64
        assert (samples["latency_ns"] > 0).all()
    frame = load_samples(run.path)
    assert len(frame) > 1000


def test_reduced_precision_carries_its_error_and_ran_as_asked(run: StoredRun) -> None:
    for m in measured(run):
        assert m.numerics is not None
        if (m.case.backend, m.case.precision) == ("torch", "fp32"):
            assert m.numerics.verdict == "reference"
            continue
        assert m.numerics.verdict == "pass", LABEL.format(m.case)
        assert all(check.value is not None for check in m.numerics.checks)
        if m.case.precision != "fp32":
            assert max(check.value for check in m.numerics.checks if check.better == "lower") > 0
        assert m.facts["precision_honoured"] is True


def test_emulation_and_the_absence_of_energy_are_said(run: StoredRun) -> None:
    for m in measured(run):
        assert m.support is not None
        assert m.support.level in ("native", "emulated")
        assert m.support.reason or m.support.level == "native"
        assert [e.scenario for e in m.energy] == ["throughput", "latency"]
        assert all(e.energy_j is None and e.average_power_w is None and e.reason for e in m.energy)


def test_every_guard_of_the_device_has_a_verdict(run: StoredRun) -> None:
    names = {spec.name for spec in GUARDS if spec.applies in ("every device", "CPU")}
    for m in measured(run):
        found = {guard.name: guard for guard in m.guards}
        assert len(found) == len(m.guards)
        assert set(found) == (names if m.work and m.work.flops else names - {"flops"})
        assert all(guard.reason for guard in m.guards)
        assert all((guard.value is None) == (guard.verdict == "UNKNOWN") for guard in m.guards)
        assert {"cpu_time_share", "load_before_1min", "other_cpu_share", "num_threads"} <= set(m.machine)
        if m.case.backend == "torch" and m.case.precision in ("fp32", "fp16", "bf16") and m.work and m.work.flops:
            assert (found["flops"].verdict, found["flops"].value) == ("PASS", 1.0), LABEL.format(m.case)


def test_it_is_shown_again_without_a_framework(smoke: subprocess.CompletedProcess[str], run: StoredRun) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnxruntime'] = None; "
        "sys.argv = ['chipmark', *sys.argv[1:]]; from harness.cli.main import main; main()"
    )
    for arguments in (
        ["show", str(run.path), "--format", "json"],
        ["cost", str(run.path), "--instance", "aws:c7i.4xlarge", "--format", "json"],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)
    table = subprocess.run(
        [sys.executable, "-c", code, "show", str(run.path)], capture_output=True, text=True, check=True
    )
    assert table.stdout == smoke.stdout


def test_the_run_folder_names_no_host(run: StoredRun) -> None:
    import socket

    content = (Path(run.path) / "run.json").read_text() + (Path(run.path) / "measurements.jsonl").read_text()
    assert socket.gethostname() not in content or len(socket.gethostname()) < 4
