"""Turns, failures and interrupts, with a real process as PYTHON that hands out stored runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.ab.command import run_ab
from harness.ab.request import AbRequest
from harness.suite import load_suite
from results.ab_record import AB_FILE, read_ab
from results.compare import CompareOptions
from results.errors import ExitCode, UsageError
from tests.results.ab_folders import store_half

# Answers the question which chipmark it runs as the real one does; as `chipmark run` it copies a stored run.
INTERPRETER = """#!{python}
import json, os, shutil, signal, sys, time
if sys.argv[1] == "-c":
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
arguments = sys.argv[1:]
out = arguments[arguments.index("--out") + 1]
name = os.path.basename(out)
line = {{"name": name, "arguments": arguments, "seed": os.environ["CHIPMARK_ORDER_SEED"], "energy": os.environ["CHIPMARK_ENERGY"],
        "path": os.environ["PYTHONPATH"], "python": sys.argv[0]}}
with open({log!r}, "a") as log:
    log.write(json.dumps(line) + "\\n")
def store():
    shutil.copytree(os.path.join({templates!r}, name), out)
exec({faults!r}.get(name, "store()"))
"""


@pytest.fixture
def compare(tmp_path: Path) -> Callable:
    """``compare(pairs, faults)`` runs an A/B comparison; ``faults`` maps "03-b" to what happens instead."""
    templates, log = tmp_path / "templates", tmp_path / "log"

    def run(pairs: int = 7, faults: dict[str, str] | None = None, change: float = 1.10, **fields: object):
        for pair in range(pairs):
            for side, scale in (("a", 1.0), ("b", change * (1 + 0.001 * (pair % 3)))):
                store_half(templates, pair, side, scale)
        pythons = {}
        for side in "ab":
            path = tmp_path / f"python-{side}"
            text = INTERPRETER.format(
                python=sys.executable, log=str(log), templates=str(templates), faults=faults or {}
            )
            path.write_text(text)
            path.chmod(0o755)
            pythons[f"python_{side}"] = str(path)
        suite = tmp_path / "suite.toml"
        suite.write_text('[suite]\nname = "s"\n[[case]]\nworkload = "text-encoder"\nphase = "infer"\n')
        said: list[str] = []
        request = AbRequest(**pythons, suite=str(suite), pairs=pairs, out=tmp_path / "ab", **fields)
        outcome = run_ab(request, CompareOptions(), said.append)
        outcome_log = [json.loads(line) for line in log.read_text().splitlines()]
        return outcome, said, outcome_log

    return run


def test_both_sides_measure_the_same_in_turns(compare: Callable, tmp_path: Path) -> None:
    outcome, said, log = compare()
    assert [line["name"] for line in log] == [
        "01-a", "01-b", "02-b", "02-a", "03-a", "03-b", "04-b", "04-a", "05-a", "05-b", "06-b", "06-a", "07-a", "07-b",
    ]  # fmt: skip
    assert all(line["python"].endswith(f"python-{line['name'][-1]}") for line in log)
    # Same cases in the same order within a pair, another order in the next.
    seeds = {number: {line["seed"] for line in log if line["name"].startswith(number)} for number in ("01", "02")}
    assert len(seeds["01"]) == len(seeds["02"]) == 1
    assert seeds["01"] != seeds["02"]
    assert {line["energy"] for line in log} == {"off"}
    rests = {tuple(part for part in line["arguments"] if line["name"] not in part) for line in log}
    assert len(rests) == 1
    arguments = log[0]["arguments"]
    assert arguments[:3] == ["-m", "harness", "run"]
    assert arguments[arguments.index("--replicates") + 1] == "1"
    assert len(load_suite(arguments[3]).case) == 1
    assert (outcome.report.outcome, outcome.exit_code) == ("slower", ExitCode.SLOWER)
    assert "warning" not in " ".join(outcome.report.warnings)
    steps = [text for text in said if text.startswith("[")]
    assert len(steps) == 14
    assert steps[0].startswith("[1/14] pair 1, A (")
    assert steps[2].startswith("[3/14] pair 2, B (")
    assert all(" left" in text for text in steps[:-1])
    record = read_ab(tmp_path / "ab")
    assert [pair.first for pair in record.pairs] == list("abababa")
    assert record.interrupted_by == ""


def test_a_half_that_fails_costs_its_pair_only(compare: Callable, tmp_path: Path) -> None:
    faults = {
        "02-a": "sys.exit('it broke')",
        "03-b": "sys.exit(2)",  # what it refuses later, it had taken before
        "05-b": "os.kill(os.getpid(), signal.SIGKILL)",
    }
    outcome, said, log = compare(10, faults)
    assert len(log) == 20
    assert (outcome.report.outcome, outcome.report.rows[0].judgement.num_processes_new) == ("slower", 7)
    warnings = " ".join(outcome.report.warnings)
    assert "pair 2, A: exit code 1: it broke" in warnings
    assert "pair 5, B: killed by SIGKILL" in warnings
    assert "it broke" in next(text for text in said if "pair 2, A" in text)
    record = read_ab(tmp_path / "ab")
    assert record.pairs[1].a.run is None  # type: ignore[union-attr]
    assert record.pairs[4].b.exit_code == -9  # type: ignore[union-attr]


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_side_that_refuses_the_suite_ends_it_at_once(compare: Callable, tmp_path: Path, side: str) -> None:
    fault = "sys.stderr.write('chipmark: error: no such workload\\n'); sys.exit(2)"
    with pytest.raises(
        UsageError, match=rf"side {side.upper()} \(.*\) cannot measure this: exit code 2: no such workload"
    ):
        compare(7, {f"01-{side}": fault})
    assert len((tmp_path / "log").read_text().splitlines()) == (1 if side == "a" else 2)
    if side == "a":
        assert not (tmp_path / "ab").exists(), "a comparison that never began leaves nothing behind"


@pytest.mark.parametrize("when", ["05-b", "08-b"])
def test_ctrl_c_keeps_what_was_measured(compare: Callable, tmp_path: Path, when: str) -> None:
    fault = "os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    outcome, said, log = compare(9, {when: fault})
    assert outcome.exit_code == outcome.report.exit_code == ExitCode.INTERRUPTED
    # Pair 8 begins with B; pair 5 ends with it.
    complete = {"05-b": 4, "08-b": 7}[when]
    row = outcome.report.rows[0]
    assert row.judgement.num_processes_new == complete
    assert row.verdict == ("slower" if complete == 7 else "inconclusive")
    assert log[-1]["name"] == when
    assert read_ab(tmp_path / "ab").interrupted_by == "SIGINT"
    assert f"interrupted by SIGINT after {complete} of 9 pairs" in said[-1]


def test_what_an_interrupted_half_had_stored_counts(compare: Callable) -> None:
    stores_and_waits = (
        "signal.signal(signal.SIGINT, lambda *_: (store(), os._exit(130)))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)"
    )
    outcome, _, _ = compare(9, {"07-b": stores_and_waits})
    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert outcome.report.rows[0].judgement.num_processes_new == 7


def test_ctrl_c_before_anything_was_measured_leaves_nothing(compare: Callable, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare(7, {"01-a": "os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"})
    assert not (tmp_path / "ab").exists()


def test_a_folder_that_holds_a_comparison_is_not_overwritten(compare: Callable, tmp_path: Path) -> None:
    compare()
    before = (tmp_path / "ab" / AB_FILE).read_bytes()
    with pytest.raises(UsageError, match="already holds an A/B comparison"):
        run_ab(AbRequest(ref_a="a", ref_b="b", out=tmp_path / "ab"), CompareOptions(), print)
    assert (tmp_path / "ab" / AB_FILE).read_bytes() == before


def test_a_half_that_never_ends_is_stopped(compare: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.ab.command.START_LIMIT_S", 2.0)
    monkeypatch.setattr("harness.ab.command.CASE_OVERHEAD_S", -120.0)  # the case's own limit is 120 s
    monkeypatch.setattr("harness.ab.half.STOP_GRACE_S", 0.2)
    deaf = "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)"
    outcome, _, _ = compare(8, {"04-a": deaf})
    assert outcome.report.outcome == "slower"
    assert any("pair 4, A: not done within 2 s, stopped" in text for text in outcome.report.warnings)
