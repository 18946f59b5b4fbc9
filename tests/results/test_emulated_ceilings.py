"""FP16 that was widened to FP32 is no FP16 number of the chip."""

from __future__ import annotations

from results.records import Support
from results.summary import summarize
from tests.results.ceiling_run import PREFILL, cell, gemm, run_of

WIDENED = Support(level="emulated", reason="FP16 values are computed in FP32: inserted casts")
FACTS = {"precision_executed": "fp32", "precision_honoured": True}


def test_emulated_fp16_is_not_held_against_a_peak(tmp_path):
    """Neither FP16's, nor FP32's, which is the type it was computed in."""
    widened = cell("llm-decoder", "standard", "prefill", "fp16", PREFILL, 12, support=WIDENED, facts=FACTS)
    native = cell("llm-decoder", "standard", "prefill", "bf16", PREFILL, 12)
    found = {summary.case.precision: summary for summary in summarize(run_of(tmp_path / "run", [widened, native]))}
    assert found["bf16"].mfu is not None
    assert (found["fp16"].mfu, found["fp16"].peak_flops_per_s) == (None, None)
    assert found["fp16"].mfu_reason == "fp16 is emulated: the device has no peak at it"


def test_emulated_fp16_is_no_ceiling_of_fp16(tmp_path):
    cells = [
        gemm("fp16", 640, support=WIDENED, facts=FACTS),
        cell("llm-decoder", "standard", "prefill", "fp16", PREFILL, 12),
    ]
    found = summarize(run_of(tmp_path / "run", cells))[-1]
    assert found.ceiling_fraction is None
    assert "no gemm case at fp16" in found.ceiling_fraction_reason
