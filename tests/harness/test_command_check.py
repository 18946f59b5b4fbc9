"""``chipmark run --check``: what a suite counts up to must stay; its speed need not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.expected_counts import expectation
from harness.plan import Filters, combine
from harness.suite import load_suite
from results.configs import config_path
from results.errors import UsageError
from results.records import CaseSpec
from tests.harness.test_command_run import assert_usage_error
from tests.plugins import QUICK, Runner
from workloads import REGISTRY as WORKLOADS

SUITE = QUICK.replace('"plugin"', '"drift"') + '\n[[case]]\nworkload = "example-drift"\nbackend = "example-drift"\n'
Check = Callable[..., object]


@pytest.fixture
def check(chipmark: Runner, plugin_environment: dict[str, str], tmp_path: Path) -> Check:
    """Take the counts of a suite, then run it with ``--check`` while something drifts."""
    (tmp_path / "drift.toml").write_text(SUITE)
    assert chipmark("run", "drift.toml", "--out", "before").returncode == 0
    taken = chipmark("show", "before", "--format", "counts")
    assert taken.returncode == 0, taken.stderr
    (tmp_path / "drift.counts.json").write_text(taken.stdout)

    def run(drift: str, *arguments: str) -> object:
        environment = plugin_environment | {"EXAMPLE_DRIFT": drift}
        return chipmark("run", "drift.toml", "--out", f"after-{drift}", "--check", *arguments, env=environment)

    return run


def undevised(case: CaseSpec) -> str:
    return msgspec.structs.replace(case, device="").id


def test_only_a_change_in_count_fails(check: Check) -> None:
    """One fixture for all changes: every run takes a second."""
    for drift in ("", "slow"):
        done = check(drift)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "check against drift.counts.json: passed, 1 cases" in done.stdout
    for drift, line in {
        "flops": "work.flops: expected 2000, found 2001",
        "parameters": "num_parameters: expected 1000, found 999",
        "memory": "peak_memory_bytes: expected ",
        "numerics": "status: expected ok, found invalid: numerics: ",
        "unsupported": "status: expected ok, found unsupported: the example chip has lost its FP32 unit",
    }.items():
        done = check(drift)
        assert done.returncode == 1, (drift, done.stdout)
        assert "FAILED, 1 difference (1 cases, 1 expected)" in done.stdout
        assert "    " + line in done.stdout, done.stdout
        assert "example-drift/tiny infer fp32 b2 example-drift@example:0 numbers=1000" in done.stdout
        assert "Traceback" not in done.stderr


def test_json_has_the_check_beside_the_summary(check: Check, tmp_path: Path, chipmark: Runner) -> None:
    done = check("flops", "--json")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert content["check"]["passed"] is False
    (difference,) = content["check"]["differences"]
    assert (difference["what"], difference["expected"], difference["found"]) == ("work.flops", 2000, 2001)
    del content["check"]
    assert content == json.loads(chipmark("show", "after-flops", "--format", "json").stdout)


def test_what_cannot_be_checked_is_said_before_measuring(chipmark: Runner, tmp_path: Path) -> None:
    assert_usage_error(chipmark("run", "--check"), "--check needs the suite")
    assert_usage_error(chipmark("run", "smoke", "--check", "--precision", "fp32"), "leave out --precision")
    assert_usage_error(chipmark("run", "edge", "--check"), "no expected counts ship for suite 'edge'")
    (tmp_path / "drift.toml").write_text(SUITE)
    place = "drift.counts.json"
    assert_usage_error(chipmark("run", "drift.toml", "--check"), place, "No such file", "--format counts")
    for content, part in {
        "": "are no expected counts",
        "[1]": "schema_version is None",
        '{"schema_version": 7}': "schema_version is 7, this chipmark reads 1",
        '{"schema_version": 1, "suite": "drift"}': "missing required field",
    }.items():
        (tmp_path / place).write_text(content)
        assert_usage_error(chipmark("run", "drift.toml", "--check"), place, part)
    (tmp_path / place).write_text(config_path("checks/smoke.json").read_text())
    assert_usage_error(chipmark("run", "drift.toml", "--check"), "holds the counts of suite 'smoke', not of 'drift'")
    assert_usage_error(chipmark("run", "--resume", "missing", "--check"), "no such run folder")
    assert not (tmp_path / "chipmark-runs").exists()


def test_counts_of_a_bad_run_are_refused(chipmark: Runner, plugin_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "drift.toml").write_text(SUITE)
    environment = plugin_environment | {"EXAMPLE_DRIFT": "numerics"}
    assert chipmark("run", "drift.toml", "--out", "bad", env=environment).returncode == 1
    assert_usage_error(chipmark("show", "bad", "--format", "counts"), "1 of 1 measurements", "--resume bad")


@pytest.mark.parametrize("path", sorted(config_path("checks").glob("*.json")), ids=lambda path: path.stem)
def test_the_shipped_counts_fit_the_shipped_suite(path: Path) -> None:
    """A suite or workload that changes needs its counts taken anew: docs/ci.md says how."""
    counts = expectation(path.stem, Filters()).counts
    planned = combine(load_suite(path.stem), Filters())
    assert sorted(map(undevised, (count.case for count in counts.cases))) == sorted(map(undevised, planned))
    for count in counts.cases:
        case = count.case
        work = WORKLOADS.get(case.workload).work(case.preset, case.phase, case.batch_size, case.shape)
        assert count.work == work, case.label
        assert count.numerics in ("pass", "reference") or count.status == "unsupported", case.label
        assert count.num_parameters is not None or count.num_parameters_reason
        assert count.peak_memory_bytes or count.peak_memory_reason
    assert any(c.must_be_ok for c in counts.cases)
    assert all(c.must_be_ok for c in counts.cases if c.case.precision == "fp32")


def test_the_smoke_suite_has_counts() -> None:
    assert expectation("smoke", Filters()).counts.suite == "smoke"
    with pytest.raises(UsageError, match="--phase"):
        expectation("smoke", Filters(phases=("train",)))
    assert os.path.getsize(config_path("checks/smoke.json")) < 200_000
