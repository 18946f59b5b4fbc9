"""``chipmark compare --ab`` for real: two commits, two worktrees, real runs of the example plugin."""

from __future__ import annotations

import json
import math
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from results.ab_record import read_ab
from results.evidence import read_session
from results.store import open_run
from tests.harness.ab.repository import chipmark_repository, commit, environment, git, worktrees

SUITE = """
[suite]
name = "drift"
[measure]
min_seconds = 0.05
max_seconds = 0.5
warmup_max_seconds = 0.1
[[case]]
workload = "example-drift"
backend = "example-drift"
"""
# The example's step sleeps 2 ms instead of adding a few numbers, if this variable says so.
PLANTED = '\nimport os\nos.environ["EXAMPLE_DRIFT"] = "slow"\n'


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = chipmark_repository(tmp_path_factory.mktemp("ab") / "repository")
    module = root / "backends" / "base.py"
    module.write_text(module.read_text() + PLANTED)
    commit(root, "slow")
    git(root, "checkout", "--quiet", "old")  # the chipmark that compares; what it sets, both sides would inherit
    return root


@pytest.fixture
def command(repository: Path, plugin_folder: Path, tmp_path: Path) -> dict:
    """Arguments of subprocess that run ``compare --ab old slow`` in an empty folder."""
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "temporary").mkdir()
    arguments = ["--ab", "old", "slow", "--suite", "suite.toml", "--out", "ab", "--pairs", "7", "--format", "json"]
    variables = {"TMPDIR": str(tmp_path / "temporary"), "CHIPMARK_CACHE": str(tmp_path / "cache")}
    return {
        "args": [sys.executable, "-m", "harness", "compare", *arguments],
        "cwd": tmp_path,
        "env": environment(repository, str(plugin_folder), **variables),
        "text": True,
    }


def assert_nothing_left(repository: Path, tmp_path: Path) -> None:
    assert len(worktrees(repository)) == 1
    assert list((tmp_path / "temporary").glob("chipmark-ab-*")) == []
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in commands if str(tmp_path / "ab") in line]


@pytest.mark.slow
def test_a_planted_slow_down_is_found(repository: Path, command: dict, tmp_path: Path) -> None:
    done = subprocess.run(**command, capture_output=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert_nothing_left(repository, tmp_path)
    record = read_ab(tmp_path / "ab")
    assert [record.a.ref, record.b.ref] == ["old", "slow"]
    assert not record.same_code
    ratios = []
    for pair in record.pairs:
        assert (pair.a.exit_code, pair.b.exit_code) == (0, 0), done.stderr  # type: ignore[union-attr]
        runs = [open_run(tmp_path / "ab" / half.run) for half in (pair.a, pair.b)]  # type: ignore[union-attr,operator]
        assert runs[0].info.order_seed == runs[1].info.order_seed
        assert runs[0].info.plan == runs[1].info.plan
        assert [run.info.environment.git_commit for run in runs] == [record.a.commit[:12], record.b.commit[:12]]  # type: ignore[index]
        times = [read_session(run.path).cases[0].processes[0].mean_step_s for run in runs]
        ratios.append(times[1] / times[0])  # type: ignore[operator]
    assert len(ratios) == 7
    assert min(ratios) > 10
    # How sure one can be depends on the machine the tests run on; which way it goes does not.
    row = next(row for row in report["rows"] if row["gating"])
    assert row["verdict"] in ("slower", "inconclusive")
    assert done.returncode == report["exit_code"] == (3 if row["verdict"] == "slower" else 4)
    if row["judgement"] and row["judgement"]["num_processes_new"] == 7:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        assert row["judgement"]["ratio"] == pytest.approx(mean, rel=1e-9)
    again = subprocess.run(
        **command | {"args": [sys.executable, "-m", "harness", "compare", "ab", "--format", "json"]},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert json.loads(again.stdout) == report
    assert again.returncode == done.returncode


def test_ctrl_c_removes_the_worktrees_and_ends_what_runs(repository: Path, command: dict, tmp_path: Path) -> None:
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("[1/14]"))
        assert line
        assert len(worktrees(repository)) == 3
        time.sleep(0.5)  # into the second half
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(stdout)["outcome"] == "inconclusive"
    assert read_ab(tmp_path / "ab").interrupted_by == "SIGINT"
    assert_nothing_left(repository, tmp_path)


def test_bad_revisions_and_installations_are_one_line(repository: Path, command: dict, tmp_path: Path) -> None:
    for replaced, message in (("olb", "has no revision 'olb'; did you mean 'old'"), ("--pairs", "No such option")):
        arguments = [replaced if part == "old" else part for part in command["args"]]
        if replaced == "--pairs":
            arguments = [*command["args"], "--replicates", "2"]
        done = subprocess.run(**command | {"args": arguments}, capture_output=True, timeout=60, check=False)
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    assert not (tmp_path / "ab").exists()
    assert_nothing_left(repository, tmp_path)
