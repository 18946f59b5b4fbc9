"""A run on an H100 built by hand, whose shares of every ceiling can be checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from results.records import Device, Guard, Measurement, Work
from results.store import StoredRun
from tests.results.example_run import EMULATED, FAILED, PASSED, REFERENCE, case, measurement, run_info, store, timing

H100 = Device(
    id="cuda:0",
    backend="torch",
    kind="cuda",
    name="NVIDIA H100 80GB HBM3",
    memory_bytes=79 * 2**30,
    details={"last_level_cache_bytes": 50 * 2**20},
)
MIB = 2**20
GEMM = Work(items=1, item_unit="matmul", flops=2 * 8192**3, min_values=3 * 8192**2)
COPY = Work(items=2**30, item_unit="byte", flops=0, bytes=2**30)
# 1.25 G numbers a step, 2.5 GFLOP a number's pair: a decoder of 1.24 G parameters at batch 1.
DECODE = Work(steps=2, items=2, item_unit="token", tokens=2, flops=2 * 2_500_000_000, min_values=2 * 1_250_000_000)
PREFILL = Work(items=2048, item_unit="token", tokens=2048, flops=5_000_000_000_000, min_values=1_250_000_000)
SMALL = Work(items=8, item_unit="sequence", flops=10_000_000_000, min_values=1_000_000)
SECOND_NS = 1_000_000_000


def cell(
    workload: str, preset: str, phase: str, precision: str, work: Work, steps_per_s: int, **changes: Any
) -> Measurement:
    """A case that makes ``steps_per_s`` steps in its one window of a second."""
    options = changes.pop("options", {})
    device = changes.pop("device", "cuda:0")
    fields: dict[str, Any] = {
        "work": work,
        "numerics": PASSED if precision != "fp32" else REFERENCE,
        "timing": timing([(steps_per_s, SECOND_NS)], 0),
        "facts": {"precision_executed": precision, "precision_honoured": True},
    }
    spec = case(workload, phase, precision, preset=preset, batch_size=1, device=device, options=options)
    return measurement(spec, changes.pop("status", "ok"), **{**fields, **changes})


def gemm(precision: str, steps_per_s: int, preset: str = "standard", **changes: Any) -> Measurement:
    return cell("gemm", preset, "infer", precision, GEMM, steps_per_s, **changes)


def copy(steps_per_s: int, preset: str = "standard-copy", **changes: Any) -> Measurement:
    work = changes.pop("work", COPY)
    return cell("memory-bandwidth", preset, "infer", "fp32", work, steps_per_s, **changes)


def run_of(folder: Path, cells: list[Measurement], devices: tuple[Device, ...] = (H100,)) -> StoredRun:
    return store(folder, run_info([(m.case, 1) for m in cells], devices), [(m, {}) for m in cells])


def ceiling_cells() -> list[Measurement]:
    """Compute-bound, bandwidth-bound, far from either, emulated, invalid, and what must be a bug."""
    spread = Guard(name="step_spread", value=0.04, threshold=0.02, verdict="WARN", reason="standard deviation 4.0%")
    passed = Guard(name="steal", value=0.0, threshold=0.005, verdict="PASS")
    return [
        gemm("bf16", 640),  # 704 TFLOP/s
        gemm("bf16", 500, preset="standard-wide"),  # 550 TFLOP/s
        gemm("fp32", 40),  # 44 TFLOP/s
        copy(2800),  # 3.0 TB/s
        cell("llm-decoder", "standard", "prefill", "bf16", PREFILL, 100, guards=(passed, spread)),  # 500 TFLOP/s
        cell("llm-decoder", "standard", "decode", "bf16", DECODE, 900),  # 2.25 TB/s at least
        cell("llm-decoder", "standard", "decode", "fp8", DECODE, 1100),  # no gemm at fp8
        cell("text-encoder", "standard", "infer", "bf16", SMALL, 2000),  # 20 TFLOP/s
        cell("text-encoder", "standard", "infer", "int8", SMALL, 2000, support=EMULATED),
        cell("text-encoder", "standard", "infer", "fp32", SMALL, 5000, facts={"precision_executed": "tf32"},
             options={"tf32": True}),
        cell("image-classifier", "standard", "infer", "fp32", SMALL, 6600),  # 66 TFLOP/s: above the gemm
        cell("image-classifier", "standard", "infer", "fp16", SMALL, 6600, status="invalid", numerics=FAILED,
             reason="numerics"),
    ]  # fmt: skip


def ceiling_run(folder: Path) -> StoredRun:
    return run_of(folder, ceiling_cells())


def with_cache(device: Device, cache_bytes: int | None) -> Device:
    return msgspec.structs.replace(device, details={"last_level_cache_bytes": cache_bytes})
