"""Shares of peaks and measured ceilings, from runs whose numbers are known."""

from __future__ import annotations

import msgspec
import pytest

from results.case_summary import CaseSummary
from results.errors import DeviceTableError
from results.records import Device, Guard, Work
from results.summary import run_summary, summarize
from tests.results.ceiling_run import (
    DECODE,
    H100,
    MIB,
    PREFILL,
    SMALL,
    ceiling_run,
    cell,
    copy,
    gemm,
    run_of,
    with_cache,
)

GEMM_FLOPS = 2 * 8192**3


def summaries(tmp_path, *cells, devices=(H100,)) -> list[CaseSummary]:
    return summarize(run_of(tmp_path / "run", list(cells), devices))


@pytest.fixture
def summary(tmp_path):
    return run_summary(ceiling_run(tmp_path / "run"))


def find(summary, *words: str) -> CaseSummary:
    (found,) = [case for case in summary.cases if all(word in case.case.label for word in words)]
    return found


def test_the_best_product_is_the_ceiling_of_its_precision(summary):
    prefill = find(summary, "prefill")
    assert prefill.flops_per_s == 500e12
    assert prefill.ceiling_flops_per_s == 640 * GEMM_FLOPS
    assert prefill.ceiling_source == "gemm/standard infer bf16 b1 torch@cuda:0"
    assert prefill.ceiling_fraction == pytest.approx(500e12 / (640 * GEMM_FLOPS))
    assert find(summary, "gemm/standard ", "bf16").ceiling_fraction == 1
    assert find(summary, "gemm/standard-wide").ceiling_fraction == pytest.approx(500 / 640)


def test_mfu_is_against_the_sourced_dense_peak(summary):
    prefill, single = find(summary, "prefill"), find(summary, "image-classifier", "fp32")
    assert (prefill.mfu, prefill.peak_flops_per_s) == (pytest.approx(500 / 989), 989e12)
    assert prefill.peak_source.startswith("H100 bf16, confidence high: stas00/ml-engineering@")
    assert single.mfu == pytest.approx(66 / 67)  # FP32 outside the tensor cores, for TF32 was off


def test_products_rounded_to_tf32_are_held_against_tf32(summary):
    rounded = find(summary, "tf32")
    assert rounded.mfu == pytest.approx(50 / 494.5)
    assert rounded.ceiling_fraction is None
    assert rounded.ceiling_fraction_reason == "no gemm case at tf32 in this run on cuda:0"


def test_bytes_that_had_to_move_against_the_copy(summary):
    decode, array = find(summary, "decode bf16"), find(summary, "memory-bandwidth")
    assert array.bytes_per_s == array.throughput_per_s == 2800 * 2**30
    assert (array.bandwidth_fraction, array.bytes_basis) == (1, "defined")
    assert decode.bytes_per_s is None
    assert decode.bytes_per_s_reason == "the workload does not define the bytes it moves"
    # 1.25 G numbers of 2 bytes a step, 900 steps a second.
    assert decode.bandwidth_fraction == pytest.approx(1.25e9 * 2 * 900 / (2800 * 2**30))
    assert decode.bytes_basis == "lower bound"


def test_intensity_against_the_ridge_point_tells_the_limit(summary):
    decode, prefill, array = find(summary, "decode bf16"), find(summary, "prefill"), find(summary, "memory-bandwidth")
    assert decode.arithmetic_intensity == 2.5e9 / (1.25e9 * 2)
    assert decode.ridge_intensity == pytest.approx(640 * GEMM_FLOPS / (2800 * 2**30))
    assert decode.ridge_source.startswith("measured: gemm/standard infer bf16")
    assert (decode.bound, prefill.bound, array.bound) == ("memory", "compute", "memory")
    assert (array.flops_per_s, array.arithmetic_intensity) == (None, 0)
    assert array.flops_per_s_reason == array.mfu_reason == "the workload has no matrix products"


def test_without_a_product_at_the_precision_there_is_no_share_but_the_table_gives_a_ridge(summary):
    fp8 = find(summary, "decode fp8")
    assert (fp8.ceiling_fraction, fp8.ceiling_flops_per_s) == (None, None)
    assert fp8.ceiling_fraction_reason == "no gemm case at fp8 in this run on cuda:0"
    assert fp8.ridge_intensity == pytest.approx(1979e12 / 3.35e12)
    assert fp8.ridge_source.startswith("sourced: H100 fp8")
    assert fp8.bound == "memory"


def test_what_may_stay_in_the_cache_has_no_share_of_the_memory(summary):
    small = find(summary, "text-encoder", "bf16")
    assert small.bandwidth_fraction is None
    assert small.bandwidth_fraction_reason == (
        "a step has to move less than 4 times the last-level cache of 50.0 MiB, so that part of it may stay there"
    )
    assert small.bound == "compute"  # 10 GFLOP over 2 MB: far above the ridge


def test_emulated_precisions_have_no_peak(summary):
    emulated = find(summary, "int8")
    assert (emulated.mfu, emulated.peak_flops_per_s) == (None, None)
    assert emulated.mfu_reason == "int8 is emulated: the device has no peak at it"


def test_an_invalid_result_is_held_against_nothing(summary):
    invalid = find(summary, "image-classifier", "fp16")
    assert invalid.numbers_from == "invalid"
    for name in ("mfu", "ceiling_fraction", "bandwidth_fraction"):
        assert getattr(invalid, name) is None
        assert getattr(invalid, f"{name}_reason") == "the result is invalid"


def test_a_share_above_the_ceiling_is_a_warning_and_no_feat(summary):
    above = find(summary, "image-classifier", "fp32")
    assert above.ceiling_fraction == pytest.approx(66e12 / (40 * GEMM_FLOPS))
    (warning,) = summary.warnings
    assert warning == (
        "WARN image-classifier/standard infer fp32 b1 torch@cuda:0: above the ceiling: 1.50 times the FLOP/s of "
        "gemm/standard infer fp32 b1 torch@cuda:0: one of the two is wrong"
    )


def test_the_warning_names_the_guards_that_failed_while_the_ceiling_was_measured(tmp_path):
    busy = Guard(name="run_queue_wait", value=0.8, threshold=0.1, verdict="FAIL", reason="waited 80%")
    spread = Guard(name="step_spread", value=0.03, threshold=0.05, verdict="WARN", reason="3%")
    run = run_of(
        tmp_path / "run",
        [gemm("fp32", 4, guards=(busy, spread)), cell("resnet", "tiny", "infer", "fp32", SMALL, 6000)],
    )
    (warning,) = run_summary(run).warnings
    assert warning.endswith("one of the two is wrong; the ceiling was measured while guards said FAIL: run_queue_wait")


@pytest.mark.parametrize(("steps", "num_warnings"), [(42, 0), (43, 1)])
def test_five_percent_above_are_spread(tmp_path, steps, num_warnings):
    """The case does ``steps`` products a second of the ceiling's size where the ceiling did 40."""
    like_gemm = Work(items=1, item_unit="image", flops=GEMM_FLOPS)
    run = run_of(tmp_path / "run", [gemm("fp32", 40), cell("resnet", "tiny", "infer", "fp32", like_gemm, steps)])
    assert len(run_summary(run).warnings) == num_warnings
    summarize(run)
    assert len(run.warnings) == num_warnings  # said once, however often it is computed


def test_above_the_sourced_peak_and_above_the_memory_are_warnings_too(tmp_path):
    run = run_of(tmp_path / "run", [copy(1000), cell("llm-decoder", "standard", "decode", "bf16", DECODE, 1000)])
    fast = cell("resnet", "standard", "infer", "bf16", SMALL, 110_000)  # 1,100 TFLOP/s of 989
    run_summary(run)
    assert ["2.33 times the bytes/s of memory-bandwidth/standard-copy" in w for w in run.warnings] == [True]
    other = run_of(tmp_path / "other", [fast])
    run_summary(other)
    assert "1.11 times the FLOP/s of the sourced peak (H100 bf16, confidence high" in other.warnings[0]


def test_threads_and_devices_have_ceilings_of_their_own(tmp_path):
    cpu = Device(id="cpu", backend="torch", kind="cpu", name="A CPU", details={"last_level_cache_bytes": 32 * MIB})
    one, two, other, bare = summaries(
        tmp_path,
        gemm("fp32", 1, device="cpu", options={"threads": 1}),
        cell("resnet", "tiny", "infer", "fp32", SMALL, 10, device="cpu", options={"threads": 2}),
        cell("resnet", "tiny", "infer", "fp32", SMALL, 10, device="cuda:0", options={"threads": 1}),
        cell("resnet", "tiny", "infer", "fp32", SMALL, 10, device="cpu", options={"threads": 1}),
        devices=(cpu, H100),
    )
    assert (one.ceiling_fraction, two.ceiling_fraction, other.ceiling_fraction) == (1, None, None)
    assert two.ceiling_fraction_reason == "no gemm case at fp32 in this run on cpu with threads=2"
    assert bare.ceiling_fraction == pytest.approx(1e11 / GEMM_FLOPS)
    assert bare.mfu_reason == "peak not sourced: the device table holds no CPUs"


def test_a_ceiling_counts_whichever_backend_reached_it(tmp_path):
    ort = msgspec.structs.replace(H100, backend="onnxruntime", details={})
    spec = msgspec.structs.replace(gemm("fp32", 50).case, backend="onnxruntime")
    faster = msgspec.structs.replace(gemm("fp32", 50), case=spec, case_id=spec.id)
    through_torch, through_ort = summaries(tmp_path, gemm("fp32", 40), faster, devices=(H100, ort))
    assert through_torch.ceiling_fraction == pytest.approx(0.8)
    assert through_ort.ceiling_source == "gemm/standard infer fp32 b1 onnxruntime@cuda:0"


@pytest.mark.parametrize(
    ("cache_bytes", "reason"),
    [
        (257 * MIB, "; give it a shape of array_mib = 514 or more"),
        (None, "the size of the last-level cache is not known"),
    ],
)
def test_an_array_that_may_lie_in_the_cache_is_no_ceiling(tmp_path, cache_bytes, reason):
    """2 x 512 MiB against 4 times 257 MiB."""
    array, decode = summaries(
        tmp_path,
        copy(2800),
        cell("llm-decoder", "standard", "decode", "bf16", DECODE, 900),
        devices=(with_cache(H100, cache_bytes),),
    )
    assert array.bytes_per_s == 2800 * 2**30
    for case in (array, decode):
        assert (case.bandwidth_fraction, case.ceiling_bytes_per_s) == (None, None)
        assert reason in case.bandwidth_fraction_reason


def test_four_times_the_cache_is_enough(tmp_path):
    (array,) = summaries(tmp_path, copy(2800), devices=(with_cache(H100, 256 * MIB),))
    assert array.bandwidth_fraction == 1


def test_an_invalid_or_failed_product_is_no_ceiling(tmp_path):
    good, *_ = summaries(
        tmp_path,
        gemm("fp32", 10),
        gemm("fp32", 90, preset="standard-wide", status="invalid"),
        gemm("fp32", 80, preset="standard-tall", status="failed", timing=None),
    )
    assert good.ceiling_fraction == 1


def test_training_counts_fp32_numbers_in_every_precision(tmp_path):
    work = Work(items=1, item_unit="image", flops=SMALL.flops, min_values=2_000_000_000)
    training, inference = summaries(
        tmp_path,
        cell("resnet", "standard", "train", "bf16", work, 1),
        cell("resnet", "standard", "infer", "int8", work, 1),
    )
    assert training.arithmetic_intensity == SMALL.flops / 8e9
    assert inference.arithmetic_intensity == SMALL.flops / 2e9


def test_a_workload_that_does_not_tell_what_it_moves(tmp_path):
    (only,) = summaries(tmp_path, cell("mine", "tiny", "infer", "fp32", Work(items=1, item_unit="x", flops=10**9), 5))
    assert (only.arithmetic_intensity, only.bound) == (None, None)
    assert (
        only.arithmetic_intensity_reason == only.bandwidth_fraction_reason == "the workload does not tell what it moves"
    )


def test_a_broken_device_table_costs_the_peaks_only(tmp_path, monkeypatch):
    def broken():
        raise DeviceTableError("devices.csv: row 3: column tdp_w: 'x' is not a number")

    monkeypatch.setattr("results.ceilings.shipped_devices", broken)
    summary = run_summary(ceiling_run(tmp_path / "run"))
    prefill = find(summary, "prefill")
    assert prefill.ceiling_fraction == pytest.approx(500e12 / (640 * GEMM_FLOPS))
    assert prefill.mfu_reason == "peak not sourced: devices.csv: row 3: column tdp_w: 'x' is not a number"
    assert any("row 3" in warning for warning in summary.warnings)


def test_every_number_or_its_reason(summary):
    from results.metrics import METRICS

    for case in summary.cases:
        for metric in METRICS:
            assert (getattr(case, metric.name) is None) == bool(getattr(case, f"{metric.name}_reason")), metric.name


@pytest.mark.parametrize(
    ("executed", "peak_tflop_s", "source", "reason"),
    [
        ("bf16", 989.4, "bf16", ""),
        ("fp32", 66.9, "fp32", ""),
        ("mixed", None, "", "executed in mixed precisions"),
        (None, None, "", "is not known"),
    ],
)
def test_yardsticks_are_those_of_the_precision_executed(tmp_path, executed, peak_tflop_s, source, reason):
    facts = {"precision_executed": executed, "precision_honoured": executed == "bf16"}
    cells = [
        gemm("bf16", 640),
        gemm("fp32", 40),
        cell("llm-decoder", "standard", "prefill", "bf16", PREFILL, 12, facts=facts),
    ]
    found = summarize(run_of(tmp_path / "run", cells))[-1]
    assert reason in found.mfu_reason
    assert reason in found.ceiling_fraction_reason
    if peak_tflop_s is None:
        assert (found.mfu, found.ceiling_fraction) == (None, None)
        assert found.mfu_reason
        return
    assert found.peak_flops_per_s == pytest.approx(peak_tflop_s * 1e12, rel=1e-2)
    assert f" {source}" in found.peak_source
    assert found.mfu == pytest.approx(60e12 / found.peak_flops_per_s, rel=1e-6)
    assert found.ceiling_source.startswith(f"gemm/standard infer {source} ")
    assert found.ceiling_flops_per_s == GEMM_FLOPS * {"bf16": 640, "fp32": 40}[executed]


def test_a_product_in_mixed_precisions_is_no_ceiling(tmp_path):
    mixed = gemm("bf16", 640, facts={"precision_executed": "mixed"})
    run = run_of(tmp_path / "run", [mixed, cell("llm-decoder", "standard", "prefill", "bf16", PREFILL, 12)])
    found = {summary.case.workload: summary for summary in summarize(run)}
    assert found["llm-decoder"].ceiling_fraction is None
    assert "no gemm case at bf16" in found["llm-decoder"].ceiling_fraction_reason
