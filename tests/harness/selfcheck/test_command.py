"""``chipmark selfcheck`` as its user types it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from results.render_selfcheck import selfcheck_text
from results.selfcheck_record import Detectable, SelfCheck
from tests.plugins import Runner
from tests.results.test_schema import SCHEMA, problems
from tests.test_layers import NOT_FOR_HELP, modules_after

CHECK = SelfCheck(
    measured_at="2026-11-22T10:11:12+00:00",
    host_id="0123456789ab",
    chipmark_version="0.1.0",
    elapsed_s=41.25,
    clock="perf_counter_ns",
    clock_resolution_s=30e-9,
    clock_cost_s=52.5e-9,
    step_overhead_s=-0.4e-9,
    latency_overhead_s=80e-9,
    isolation_cost_s=0.0285,
    jitter_p99_ratio=1.056,
    sampler_ratio=1.0012,
    sampler_half_width=0.0043,
    sampler_source="nvidia of cuda:0 (NVIDIA H100 80GB HBM3)",
    process_sd=0.0109,
    num_pairs=18,
    pair_sd=0.0104,
    aa_verdict="same",
    aa_ratio=1.0003,
    aa_half_width=0.0071,
    pair_s=8.0,
    detectable=(
        Detectable(minutes=1, ratio=None, reason="6 pairs of 8 s fit, a verdict needs 7"),
        Detectable(minutes=3, ratio=0.0321, reason="22 pairs of 8 s"),
    ),
    notes=("something was odd",),
)


def test_quick_prints_json_and_keeps_nothing(chipmark: Runner, tmp_path: Path) -> None:
    done = chipmark("selfcheck", "--quick", "--json", env=os.environ | {"CHIPMARK_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert problems(found, SCHEMA["documents"]["selfcheck --json"]) == []
    check = msgspec.json.decode(done.stdout, type=SelfCheck)
    assert check.isolation_cost_s is not None
    assert check.isolation_cost_s > 0
    assert check.jitter_p99_ratio is not None
    assert check.jitter_p99_ratio >= 1
    assert check.sampler_ratio is not None
    assert check.sampler_ratio > 0
    assert check.sampler_half_width is not None
    assert check.sampler_source
    assert check.aa_ratio is None
    assert any("--quick" in note for note in check.notes)
    assert not (tmp_path / "cache").exists()


def test_for_people(golden: Callable[[str, str], None]) -> None:
    golden("selfcheck.txt", selfcheck_text(CHECK))


def test_what_was_not_measured_is_not_zero() -> None:
    bare = SelfCheck(measured_at="x", host_id="h", chipmark_version="0", elapsed_s=0.1, clock="c")
    lines = selfcheck_text(bare).splitlines()[2:]
    assert lines
    assert all(line.endswith("n/a") for line in lines)


@pytest.mark.parametrize(
    ("ratio", "half_width", "text"),
    [(1.004, 0.005, "+0.40 % +- 0.50 %: within 1 %;"), (0.996, 0.005, "-0.40 % +- 0.50 %: within 1 %;"),
     (1.004, 0.007, "too noisy here to say"), (0.996, 0.007, "too noisy here to say"),
     (1.02, 0.011, "too noisy here to say"), (1.02, 0.009, "NOT within 1 %"), (0.98, 0.009, "NOT within 1 %")],
)  # fmt: skip
def test_whether_the_sampler_costs_nothing_is_said_or_that_it_cannot_be_told(
    ratio: float, half_width: float, text: str
) -> None:
    check = msgspec.structs.replace(CHECK, sampler_ratio=ratio, sampler_half_width=half_width)
    line = next(line for line in selfcheck_text(check).splitlines() if "power sampler" in line)
    assert text in line
    assert line.endswith("; polled nvidia of cuda:0 (NVIDIA H100 80GB HBM3)")


def test_help(chipmark: Runner, golden: Callable[[str, str], None]) -> None:
    done = chipmark("selfcheck", "--help", env=os.environ | {"COLUMNS": "100"})
    assert done.returncode == 0
    golden("help-selfcheck.txt", done.stdout)
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    assert not modules_after("selfcheck", "--help") & NOT_FOR_HELP


def test_bad_options_are_one_line(chipmark: Runner) -> None:
    for arguments in (("--minutes", "0"), ("--minutes", "nan"), ("--minutes", "x"), ("--fast",)):
        done = chipmark("selfcheck", *arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("chipmark: error: ")
        assert "Traceback" not in done.stderr


def test_needs_no_framework(chipmark: Runner, tmp_path: Path) -> None:
    for name in ("torch", "onnxruntime", "onnx"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('{name} was imported')")
    done = chipmark("selfcheck", "--quick", "--json", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["isolation_cost_s"] is not None
