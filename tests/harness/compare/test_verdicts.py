"""``chipmark compare`` from stored runs to the exit code, and its seam to measuring in turns."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import msgspec
import pytest

from harness.ab.command import AbOutcome
from results.errors import ExitCode
from tests.harness.compare.calls import refused
from tests.results.example_comparison import report as example_report
from tests.results.example_run import H100, case
from tests.results.sessions import GPU_CASE, session, sessions


@pytest.mark.parametrize(("scale", "verdict", "code"), [(1.0, "same", 0), (1.1, "slower", 3), (0.9, "faster", 0)])
def test_verdicts_against_the_stored_baseline(call, base, tmp_path, scale, verdict, code):
    for i in range(2):
        session(tmp_path / "new" / f"n{i}", hour=100 + 2 * i, scale=scale)
    done = call("compare", tmp_path / "new", "--format", "json")
    found = json.loads(done[1])
    assert (found["outcome"], found["exit_code"], done[0]) == (verdict, code, code)
    (row,) = (row for row in found["rows"] if row["gating"])
    assert row["judgement"]["ratio"] == pytest.approx(scale, rel=0.003)
    assert (row["judgement"]["num_sessions_base"], row["judgement"]["num_processes_new"]) == (3, 10)


def test_inconclusive_and_allow_inconclusive(call, base, tmp_path):
    session(tmp_path / "new", hour=100, scale=1.025)
    code, out, _ = call("compare", "new", "--format", "table")
    assert code == ExitCode.INCONCLUSIVE
    assert "(exit code 4)" in " ".join(out.split())
    code, out, _ = call("compare", "new", "--allow-inconclusive")
    assert code == 0
    assert "inconclusive" in out
    assert "(exit code 0)" in " ".join(out.split())


def test_a_baseline_made_on_another_device_is_refused_by_key_and_values(call, base, tmp_path):
    a100 = msgspec.structs.replace(H100, name="NVIDIA A100-SXM4-80GB")
    session(tmp_path / "new", hour=100, devices=(a100,))
    code, out, _ = call("compare", "new")
    assert code == ExitCode.NOT_COMPARABLE
    words = " ".join(out.split())
    assert "device_name is NVIDIA H100 80GB HBM3 in the baseline and NVIDIA A100-SXM4-80GB here" in words


def test_strict_refuses_another_driver(call, base, tmp_path):
    session(tmp_path / "new", hour=100, environment={"packages": {"torch": "2.99"}})
    assert call("compare", "new")[0] in (ExitCode.DONE, ExitCode.INCONCLUSIVE)
    code, out, _ = call("compare", "new", "--strict")
    assert code == ExitCode.NOT_COMPARABLE
    assert "package torch is 2.13.0+cpu in the baseline and 2.99 here" in " ".join(out.split())


def test_a_case_that_no_longer_works(call, base, tmp_path):
    session(tmp_path / "new", hour=100, record={"status": "failed", "stage": "prepare", "reason": "no kernel"})
    code, out, _ = call("compare", "new")
    assert code == ExitCode.CASE_FAILED
    assert "no kernel" in out


@pytest.mark.parametrize("output_format", ["table", "markdown", "json", "junit", "github"])
def test_every_format(call, base, tmp_path, output_format):
    session(tmp_path / "new", hour=100, scale=1.2)
    code, out, err = call("compare", "new", "--format", output_format)
    assert (code, err) == (ExitCode.SLOWER, "")
    if output_format == "junit":
        assert ElementTree.fromstring(out).get("failures") == "1"
    assert out.endswith("\n")


def test_runs_with_runs(call, tmp_path):
    sessions(tmp_path / "old", 3)
    new = [session(tmp_path / f"n,{i}", hour=100 + i, scale=1.2).path for i in range(2)]
    assert call("compare", new[0], "old")[0] == ExitCode.SLOWER  # a folder's name may hold a comma
    for i, path in enumerate(new):
        path.rename(tmp_path / f"m{i}")
    code, out, _ = call("compare", "m0,m1", "old/run0, old/run1,old/run2", "--format", "json")
    assert code == ExitCode.SLOWER
    assert [len(json.loads(out)[side]["session_ids"]) for side in ("candidate", "base")] == [2, 3]


def test_one_run_with_one_run(call, tmp_path):
    session(tmp_path / "old", hour=1)
    session(tmp_path / "new", hour=2, scale=1.5)
    code, out, _ = call("compare", "new", "old", "--format", "json")
    assert (code, json.loads(out)["outcome"]) == (ExitCode.SLOWER, "slower")


def test_latest_and_a_store_as_baseline(call, base, tmp_path):
    session(tmp_path / "chipmark-runs" / "a", hour=90, scale=1.2)
    session(tmp_path / "chipmark-runs" / "b", hour=91)
    (tmp_path / "chipmark-baselines").rename(tmp_path / "mine")
    for arguments in (("latest", "mine"), ("latest", "--store", "mine")):
        code, out, _ = call("compare", *arguments, "--format", "json")
        assert (code, json.loads(out)["base"]["num_cases"]) == (0, 1), out


def test_filters(call, tmp_path):
    other = case("resnet", "infer", "fp16", device="cuda:0")
    session(tmp_path / "old", cases=(GPU_CASE, other))
    session(tmp_path / "new", hour=2, cases=(GPU_CASE, other))
    for option, value, left in (
        ("--workload", "res*", "resnet"),
        ("--phase", "prefill,train", "llm-decoder"),
        ("--precision", "fp16", "resnet"),
    ):
        found = json.loads(call("compare", "new", "old", option, value, "--format", "json")[1])
        assert {row["case"]["workload"] for row in found["rows"]} == {left}
        assert found["only_in_base"] == []
    refused(
        call("compare", "new", "old", "--workload", "nothing"),
        "there are: llm-decoder/tiny prefill bf16 b2 torch@cuda:0, resnet",
    )
    refused(call("compare", "new", "old", "--phase", "prefil"), "did you mean 'prefill'")
    refused(call("compare", "new", "old", "--precision", "fp17"), "--precision: unknown precision 'fp17'")
    refused(call("compare", "new", "old", "--backend", "onnxruntime"), "no case passes")


def test_a_case_that_vanished_from_the_candidate_is_told(call, tmp_path):
    gone, large = (case("resnet", "infer", "fp16", device="cuda:0", preset=preset) for preset in ("tiny", "large"))
    runs = sessions(tmp_path / "old", 3, cases=(GPU_CASE, gone, large))
    assert call("baseline", "create", *(run.path for run in runs))[0] == 0
    session(tmp_path / "new", hour=100)
    code, out, _ = call("compare", "new", "--format", "json")
    found = json.loads(out)
    # Of another preset is another suite's.
    assert (code, found["only_in_base"]) == (0, [gone.label])
    assert found["reason"].endswith("; 1 of the store not in the candidate")
    assert (
        f"::warning title=chipmark::not in the candidate: {gone.label}"
        in call("compare", "new", "--format", "github")[1]
    )
    filtered = json.loads(call("compare", "new", "--workload", "llm*", "--format", "json")[1])
    assert filtered["only_in_base"] == []
    fresh = case("gemm", "infer", "fp16", device="cuda:0", preset="tiny")
    session(tmp_path / "more", hour=101, cases=(GPU_CASE, gone, large, fresh))
    assert f"::notice title=chipmark::no baseline: {fresh.label}" in call("compare", "more", "--format", "github")[1]


def test_ab_is_asked_as_said(call, tmp_path, monkeypatch):
    asked = []

    def run_ab(request, options, say):
        asked.append((request, options))
        say("measuring")
        return AbOutcome(example_report(), ExitCode.INTERRUPTED, tmp_path)

    monkeypatch.setattr("harness.ab.command.run_ab", run_ab)
    code, out, err = call(
        "compare", "--ab", "main", ".", "--python-b", "py", "--suite", "edge", "--pairs", "12", "--out", "there",
        "--workload", "llm-*", "--phase", "train", "--strict",
    )  # fmt: skip
    assert (code, err) == (ExitCode.INTERRUPTED, "measuring\n")
    assert "slower" in out
    ((request, options),) = asked
    assert (request.ref_a, request.ref_b, request.python_a, request.python_b) == ("main", ".", None, "py")
    assert (request.suite, request.pairs, str(request.out)) == ("edge", 12, "there")
    assert (request.filters.workloads, request.filters.phases) == (("llm-*",), ("train",))
    assert options.strict
    assert call("compare", "--python-a", "a", "--python-b", "b")[0] == ExitCode.INTERRUPTED
    assert (asked[1][0].ref_a, asked[1][0].python_a) == (None, "a")


def test_an_ab_folder_is_judged_again(call, tmp_path, monkeypatch):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "ab.json").write_text("{")
    refused(call("compare", "pairs"), "ab.json")
    refused(call("compare", "pairs", "other"), "BASELINE has no meaning here")
    refused(call("compare", "pairs", "--phase", "train"), "judged as a whole")
