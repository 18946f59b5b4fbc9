"""``chipmark show --explain``: one case in words."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli import show
from results.errors import UsageError
from results.explain import explain, find_case
from results.process_stats import ProcessStats
from results.records import Work
from results.summary import run_summary
from tests.results.ceiling_run import DECODE, ceiling_run, cell, copy, gemm, run_of
from tests.results.example_run import example_run, measurement, run_info, store, timing


@pytest.fixture
def run(tmp_path):
    return ceiling_run(tmp_path / "run")


@pytest.fixture
def example(tmp_path):
    return example_run(tmp_path / "example")


GOLDEN = {"compute": "prefill", "memory": "decode bf16", "copy": "memory-bandwidth"}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(run, golden, name):
    golden(f"explain-{name}.txt", explain(run, GOLDEN[name]))


@pytest.mark.parametrize(("name", "label"), [("trained", "bert-encoder/tiny train fp32"), ("invalid", "int8 b2")])
def test_golden_of_timing_and_faults(example, golden, name, label):
    golden(f"explain-{name}.txt", explain(example, label))


def test_every_case_of_every_kind_can_be_explained(run, example):
    for stored in (run, example):
        for case in run_summary(stored).cases:
            text = explain(stored, case.case_id)
            assert text.startswith(f"{case.case.label} (case {case.case_id})\n")
            assert max(map(len, text.splitlines())) <= 100
            assert "None" not in text
            assert text.endswith("\n")
            assert not text.endswith("\n\n")


def test_the_reason_of_a_case_without_numbers_is_given(example):
    text = explain(example, "llm-decoder/tiny prefill fp16")
    assert "Status: unsupported" in text
    assert "at support: this CPU has no FP16 products" in text
    assert "never measured: the run ended before this case" in explain(example, "llm-decoder/tiny prefill fp32")


def test_far_from_its_limit_is_said(run):
    far = explain(run, "text-encoder/standard infer bf16")
    assert "Compute-bound by arithmetic intensity" in far
    assert "so the limit is far: at 2.84 % of it, something else holds the case back" in far
    assert "so the limit is far" not in explain(run, "prefill")


def test_without_ceilings_it_says_what_to_run(tmp_path):
    run = run_of(tmp_path / "run", [cell("llm-decoder", "standard", "decode", "fp32", DECODE, 10, device="cpu")], ())
    text = explain(run, "decode")
    assert "Compute-bound or bandwidth-bound? That cannot be told: no ridge point is known" in text
    flat = " ".join(text.split())
    assert "to learn more: measure gemm at fp32 and memory-bandwidth in the same run" in flat


def test_what_a_process_says_of_its_samples_is_told(tmp_path):
    stats = ProcessStats(
        num_samples=400, cut_index=40, steady=True, num_kept=360, num_effective=180.4, median_s=1.2e-3, max_s=9e-3,
        half_width=0.004, drift_reason="a trend to 3% slower steps",
    )  # fmt: skip
    only = cell("x", "tiny", "infer", "fp32", Work(items=1, item_unit="thing", flops=10), 5, stats=stats)
    flat = " ".join(explain(run_of(tmp_path / "run", [only]), "x/tiny").split())
    assert (
        "process 0: 360 of 400 samples kept from number 40 on, worth 180 independent ones, median 1.20 ms within "
        "0.400 %, longest 9.00 ms, a trend to 3% slower steps" in flat
    )


def test_two_processes_are_summed(tmp_path):
    spec = gemm("fp32", 40).case
    work = Work(items=3, item_unit="matmul", flops=10)
    stored = [
        (measurement(spec, replicate=k, work=work, timing=timing([(10, 10**9), (20, 10**9)], 0)), {}) for k in (0, 1)
    ]
    text = explain(store(tmp_path / "run", run_info([(spec, 2)]), stored), "gemm")
    assert "Throughput: 45.0 matmul/s" in text
    assert "180 matmuls in 60 steps and 4.00 s, in 4 windows with a sync at both ends" in text
    assert "2 of 2 planned processes ended ok" in text
    assert text.count("warm-up") == 1  # the same in both


@pytest.mark.parametrize("text", ["IMAGE-classifier/standard infer fp32", " image-classifier/standard  infer fp32 "])
def test_labels_are_found_in_any_case_and_spacing(run, text):
    assert find_case(run_summary(run).cases, text).case.workload == "image-classifier"


def test_a_case_is_found_by_the_start_of_its_id(run):
    for case in run_summary(run).cases:
        assert find_case(run_summary(run).cases, case.case_id[:8]) is not None


def test_a_whole_label_wins_over_those_that_hold_it(tmp_path):
    run = run_of(tmp_path / "run", [copy(1), copy(1, options={"threads": 1})])
    cases = run_summary(run).cases
    assert find_case(cases, cases[0].case.label).case.options == {}


def test_ambiguous_and_unknown_names_are_refused_with_what_is_near(run):
    cases = run_summary(run).cases
    with pytest.raises(UsageError, match=r"--explain 'decode' fits 2 cases: .*decode bf16.* \([0-9a-f]{12}\), .*fp8"):
        find_case(cases, "decode")
    with pytest.raises(UsageError, match=r"fits 12 cases: .* and 6 more; give more of the label, or the id"):
        find_case(cases, "b1")
    with pytest.raises(UsageError, match=r"fits no case of this run; did you mean memory-bandwidth/standard-copy"):
        find_case(cases, "memory-bandwith/standart-copy")
    with pytest.raises(UsageError, match=r"fits no case of this run; it has: gemm/standard .* and 6 more"):
        find_case(cases, "zzz")
    with pytest.raises(UsageError, match="fits no case"):
        find_case(cases, "  ")
    with pytest.raises(UsageError, match="fits no case of this run; it has none"):
        find_case([], "gemm")


def test_the_command(run):
    done = CliRunner().invoke(show.command, [str(run.path), "--explain", "prefill"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output == explain(run, "prefill")
    with pytest.raises(UsageError, match="--explain is text only: leave --format out"):
        CliRunner().invoke(
            show.command, [str(run.path), "--explain", "prefill", "--format", "json"], catch_exceptions=False
        )
