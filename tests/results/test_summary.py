from __future__ import annotations

import re
import statistics
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.case_summary import CaseSummary, SummaryStatus
from results.metrics import METRICS
from results.records import Memory
from results.store import StoredRun
from results.summary import SEVERITY, count_statuses, run_summary, summarize
from tests.results.example_run import (
    DECODE,
    IMAGES,
    SEQUENCES,
    case,
    example_run,
    measurement,
    ramp_ns,
    run_info,
    store,
    timing,
)

SPEC = case("bert-encoder", "infer", "fp32")


def by_label(cases):
    return {
        (c.case.workload, c.case.phase, c.case.precision, c.case.batch_size, bool(c.case.options)): c for c in cases
    }


@pytest.fixture
def cases(tmp_path):
    return by_label(summarize(example_run(tmp_path / "run")))


def only_case(tmp_path, *replicates, planned=1, samples=()):
    samples = samples or [{}] * len(replicates)
    return summarize(store(tmp_path / "run", run_info([(SPEC, planned)]), zip(replicates, samples, strict=True)))[0]


def test_order_is_that_of_the_plan_and_nothing_is_lost(tmp_path):
    run = example_run(tmp_path / "run")
    assert [c.case for c in summarize(run)] == [planned.case for planned in run.info.plan]


def test_rates_computed_by_hand(cases):
    train = cases["bert-encoder", "train", "fp32", 8, False]
    assert (train.throughput_per_s, train.tokens_per_s, train.steps_per_s) == (400.0, 25_600.0, 50.0)
    assert train.flops_per_s == 50 * 6e9
    assert (train.item_unit, train.token_kind, train.latency_kind) == ("sequence", "training", "step time")


def test_rates_of_a_cycle_of_several_steps(cases):
    decode = cases["llm-decoder", "decode", "fp32", 2, False]
    # 200 steps are 50 cycles of 8 tokens and 80 MFLOP in half a second.
    assert (decode.throughput_per_s, decode.tokens_per_s, decode.steps_per_s) == (800.0, 800.0, 400.0)
    assert decode.flops_per_s == 50 * 80e6 / 0.5
    assert decode.latency_kind == "time per output token"


def test_percentiles_and_their_reasons(cases):
    train = cases["bert-encoder", "train", "fp32", 8, False]
    # 400 samples 1.000, 1.001, ... ms: index 200, 360, 396.
    assert (train.latency_p50_s, train.latency_p90_s, train.latency_p99_s) == (1.2e-3, 1.36e-3, 1.396e-3)
    fp8 = cases["bert-encoder", "infer", "fp8", 8, False]
    assert (fp8.latency_p99_s, fp8.latency_p99_s_reason) == (None, "n_eff=112, needs 368")
    assert fp8.latency_p90_s == 1.1e-3


@pytest.mark.parametrize(("key", "status", "stage"), [
    (("bert-encoder", "train", "bf16", 8, False), "failed", "prepare"),
    (("bert-encoder", "infer", "fp32", 8, True), "timeout", "warmup"),
    (("llm-decoder", "decode", "int8", 2, False), "invalid", "finish"),
    (("llm-decoder", "prefill", "fp16", 2, False), "unsupported", "support"),
    (("llm-decoder", "prefill", "fp32", 2, False), "missing", None),
    (("resnet", "train", "fp32", 4096, False), "out_of_memory", "prepare"),
    (("resnet", "infer", "fp32", 16, False), "killed", "measure"),
])  # fmt: skip
def test_status_and_stage(cases, key, status, stage):
    assert (cases[key].status, cases[key].stage) == (status, stage)
    assert cases[key].reason


def test_an_invalid_case_keeps_its_numbers_and_says_so(cases):
    invalid = cases["llm-decoder", "decode", "int8", 2, False]
    assert (invalid.numbers_from, invalid.num_ok, invalid.throughput_per_s) == ("invalid", 0, 1600.0)
    assert (invalid.numerics_verdict, invalid.numerics_error) == ("fail", 0.61)


def test_numbers_are_over_ok_replicates_only(cases):
    images = cases["resnet", "infer", "fp32", 16, False]
    assert (images.num_replicates, images.num_measured, images.num_ok) == (2, 2, 1)
    assert (images.status, images.throughput_per_s, images.numbers_from) == ("killed", 480.0, "ok")
    assert (images.tokens_per_s, images.tokens_per_s_reason) == (None, "the workload has no tokens")


def test_every_missing_number_has_a_reason_and_every_number_none(tmp_path):
    for summary in summarize(example_run(tmp_path / "run")):
        for metric in METRICS:
            value, reason = getattr(summary, metric.name), getattr(summary, f"{metric.name}_reason")
            assert (value is None) == bool(reason), f"{metric.name} of {summary.case.label}: {value}, {reason!r}"


def test_metrics_are_the_float_fields_of_a_summary():
    optional_numbers = {
        field.name
        for field in msgspec.structs.fields(CaseSummary)
        if f"{field.name}_reason" in CaseSummary.__struct_fields__
    }
    assert optional_numbers - {"support", "bound"} == {metric.name for metric in METRICS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_every_status_has_a_severity():
    assert {*SEVERITY, "missing"} == {name for part in get_args(SummaryStatus) for name in (get_args(part) or (part,))}


def test_counts(tmp_path):
    summary = run_summary(example_run(tmp_path / "run"))
    assert summary.counts == {"ok": 3, "unsupported": 1, "invalid": 2, "timeout": 1, "out_of_memory": 1, "killed": 1,
                              "failed": 1, "missing": 1}  # fmt: skip
    assert sum(summary.counts.values()) == len(summary.cases)
    assert sum(count_statuses([]).values()) == 0


def test_replicates_are_pooled_as_ratio_of_sums(tmp_path):
    slow = measurement(SPEC, work=SEQUENCES, timing=timing([(10, 900_000_000)], 200))
    fast = measurement(SPEC, replicate=1, work=SEQUENCES, timing=timing([(10, 100_000_000)], 200, prepare_s=1.25))
    samples = [{"latency_ns": ramp_ns(200)}, {"latency_ns": ramp_ns(200, 2_000_000)}]
    pooled = only_case(tmp_path, slow, fast, planned=2, samples=samples)
    # 20 steps of 8 in 1 s; the mean of the two ratios would be 444.
    assert pooled.throughput_per_s == 160.0
    assert (pooled.num_latency_samples, pooled.latency_p50_s) == (400, 2.0e-3)
    assert pooled.prepare_s == 1.0


def test_peak_memory_is_the_largest_and_never_zero_when_unknown(tmp_path):
    one = measurement(SPEC, work=SEQUENCES, timing=timing([], 0), memory=Memory(peak_bytes=5))
    two = measurement(SPEC, replicate=1, work=SEQUENCES, timing=timing([], 0), memory=Memory(peak_bytes=9))
    assert only_case(tmp_path / "a", one, two, planned=2).peak_memory_bytes == 9
    unknown = measurement(SPEC, work=SEQUENCES, timing=timing([], 0), memory=Memory(reason="not told"))
    summary = only_case(tmp_path / "b", unknown)
    assert (summary.peak_memory_bytes, summary.peak_memory_bytes_reason) == (None, "not told")


def test_a_scenario_that_was_not_planned_is_the_reason(tmp_path):
    spec = case("bert-encoder", "infer", "fp32", scenarios=("latency",))
    record = measurement(spec, work=SEQUENCES, timing=timing([], 10))
    run = store(tmp_path / "run", run_info([(spec, 1)]), [(record, {"latency_ns": ramp_ns(10)})])
    summary = summarize(run)[0]
    assert summary.throughput_per_s_reason == "scenario throughput was not planned"
    assert summary.latency_p50_s == 1.005e-3


def test_device_times_are_told_apart(tmp_path):
    record = measurement(SPEC, work=SEQUENCES, timing=timing([], 0, num_device=10))
    summary = only_case(tmp_path, record, samples=[{"device_ns": ramp_ns(10, 500_000)}])
    assert (summary.num_device_samples, summary.device_step_p50_s, summary.num_latency_samples) == (10, 505e-6, 0)


@pytest.mark.parametrize(("record", "samples", "message"), [
    (measurement(SPEC, work=DECODE, timing=timing([(6, 1000)], 0)), {}, "6 steps is not a multiple of the cycle of 4"),
    (measurement(SPEC, work=DECODE, timing=timing([(4, 0)], 0)), {}, "window of 4 steps in 0 ns"),
    (measurement(SPEC, work=DECODE, timing=timing([], 9)), {"latency_ns": ramp_ns(8)}, "9 latency_ns .* 8 are stored"),
    (measurement(SPEC, work=DECODE, timing=timing([], 0, 3)), {}, "3 device_ns samples were taken, but 0 are stored"),
    (measurement(SPEC, work=DECODE), {}, "ended ok without timing and work"),
    (measurement(SPEC, work=DECODE, timing=timing([], 0), case=case("other", "infer", "fp32")), {}, "is stored as case"),
])  # fmt: skip
def test_a_record_that_contradicts_itself_gives_no_number_and_hides_no_other(tmp_path, record, samples, message):
    other = case("bert-encoder", "infer", "fp32", batch_size=99)
    good = measurement(other, work=SEQUENCES, timing=timing([(10, 10**9)], 10))
    stored = [(record, samples), (good, {"latency_ns": ramp_ns(10)})]
    run = store(tmp_path / "run", run_info([(SPEC, 1), (other, 1)]), stored)
    bad, fine = summarize(run)
    assert bad.status == "missing" or bad.latency_p50_s is None
    assert bad.throughput_per_s is None
    (warning,) = run.warnings
    assert re.search(message, warning)
    assert fine.throughput_per_s == SEQUENCES.items * 10
    assert fine.latency_p50_s == 1.005e-3


def test_replicates_that_disagree_about_the_work_are_refused(tmp_path):
    one = measurement(SPEC, work=SEQUENCES, timing=timing([], 0))
    two = measurement(SPEC, replicate=1, work=IMAGES, timing=timing([], 0))
    summary = only_case(tmp_path, one, two, planned=2)
    assert summary.throughput_per_s is None
    assert "disagree about the work" in summary.throughput_per_s_reason


def test_a_measurement_outside_the_plan_is_left_out_and_said(tmp_path):
    stray = measurement(case("other", "infer", "fp32"), "failed")
    run = store(tmp_path / "run", run_info([(SPEC, 1)]), [(stray, {})])
    assert [summary.status for summary in summarize(run)] == ["missing"]
    assert "is not in the run's plan" in run.warnings[0]


def test_damaged_samples_cost_the_percentiles_of_their_case_only(tmp_path):
    record = measurement(SPEC, work=SEQUENCES, timing=timing([(10, 10**9)], 10))
    run = store(tmp_path / "run", run_info([(SPEC, 1)]), [(record, {"latency_ns": ramp_ns(10)})])
    (file,) = (tmp_path / "run" / "samples").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    (summary,) = summarize(run)
    assert (summary.status, summary.latency_p50_s) == ("ok", None)
    assert "do not match their checksum" in summary.latency_p50_s_reason
    assert summary.throughput_per_s == SEQUENCES.items * 10
    assert len(run.warnings) == 1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**12)), min_size=1, max_size=4), min_size=1,
             max_size=3),
    st.integers(1, 8),
)  # fmt: skip
def test_identity_items_are_throughput_times_elapsed(replicates, cycle):
    work = msgspec.structs.replace(DECODE, steps=cycle)
    records = [
        measurement(SPEC, replicate=k, work=work, timing=timing([(n * cycle, ns) for n, ns in windows], 0))
        for k, windows in enumerate(replicates)
    ]
    run = StoredRun(None, run_info([(SPEC, len(records))]), records, [])
    summary = summarize(run)[0]
    windows = [w for m in records for w in m.timing.windows]
    items = sum(w.iterations for w in windows) // cycle * work.items
    elapsed_s = sum(w.elapsed_ns for w in windows) / 1e9
    assert summary.throughput_per_s * elapsed_s == pytest.approx(items, rel=1e-12)
    assert summary.steps_per_s * elapsed_s == pytest.approx(sum(w.iterations for w in windows), rel=1e-12)
    rates = [w.iterations / w.elapsed_ns for w in windows]
    assert min(rates) * 1e9 * (1 - 1e-9) <= summary.steps_per_s <= max(rates) * 1e9 * (1 + 1e-9)


@settings(deadline=None)
@given(st.permutations(range(3)))
def test_the_order_of_storing_changes_nothing(order):
    records = [
        measurement(SPEC, replicate=k, work=SEQUENCES, timing=timing([(10, 10**9 + k)], 0, prepare_s=float(k)))
        for k in range(3)
    ]
    info = run_info([(SPEC, 3)])
    expected = summarize(StoredRun(None, info, records, []))
    assert summarize(StoredRun(None, info, [records[i] for i in order], [])) == expected
    assert expected[0].prepare_s == statistics.median(range(3))
