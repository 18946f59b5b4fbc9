"""Which limit one case runs into, by its arithmetic intensity, and how near it comes."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary
from results.measured_ceilings import COMPUTE_WORKLOAD, MEMORY_WORKLOAD
from results.records import Measurement
from results.roofline import BYTES_OF, traffic

INDENT = "  "
# Below this share of the limit that it runs into first, something else holds a case back.
NEAR_FRACTION = 0.5
HEADLINES = {"compute": "Compute-bound", "memory": "Bandwidth-bound"}


def limits_section(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """The roofline of the case: work, bytes, intensity, ridge point, and what was reached."""
    lines = [_headline(case), *_work(case, replicates[0]), *_intensity(case), *_reached(case)]
    return [lines[0], *(INDENT + line for line in [*lines[1:], *_reading(case)])]


def _headline(case: CaseSummary) -> str:
    if case.bound is None:
        return f"Compute-bound or bandwidth-bound? That cannot be told: {case.bound_reason}"
    return f"{HEADLINES[case.bound]} by arithmetic intensity: {case.bound_reason}"


def _work(case: CaseSummary, measurement: Measurement) -> list[str]:
    work = measurement.work
    assert work is not None
    moved = traffic(case.case, work)
    flops = f"work of a step: {units.count(work.flops / work.steps)} FLOP in matrix products and convolutions"
    if moved.num_bytes is None:
        return [flops, f"bytes of a step: n/a: {moved.reason}"]
    step_bytes = units.memory(moved.per_step(work))
    if moved.basis == "defined":
        return [flops, f"bytes of a step: {step_bytes} read and written, by the workload's definition"]
    what = "weights and optimizer state once each way" if case.case.phase == "train" else "weights, inputs, outputs"
    size = 4 if case.case.phase == "train" else BYTES_OF[case.case.precision]
    return [
        flops,
        f"bytes of a step: at least {step_bytes} ({what}{', cache' if _has_cache(case) else ''}; "
        f"{size} byte{'s' if size > 1 else ''} a number; what passes between layers is not counted)",
    ]


def _has_cache(case: CaseSummary) -> bool:
    return case.case.phase in ("prefill", "decode")


def _intensity(case: CaseSummary) -> list[str]:
    if case.arithmetic_intensity is None:
        return [f"arithmetic intensity: n/a: {case.arithmetic_intensity_reason}"]
    at_most = "at most " if case.bytes_basis == "lower bound" else ""
    lines = [f"arithmetic intensity: {at_most}{units.number(case.arithmetic_intensity)} FLOP per byte"]
    if case.ridge_intensity is None:
        return [*lines, f"ridge point: n/a: {case.ridge_intensity_reason}"]
    return [*lines, f"ridge point: {units.number(case.ridge_intensity)} FLOP per byte ({case.ridge_source})"]


def _reached(case: CaseSummary) -> list[str]:
    if case.flops_per_s is None:
        lines = [f"reached: {units.bandwidth(case.bytes_per_s)}"]
    else:
        lines = [f"reached: {units.flops(case.flops_per_s)}"]
    gemm = f"of the {units.flops(case.ceiling_flops_per_s)} of {case.ceiling_source}"
    copy = f"of the {units.bandwidth(case.ceiling_bytes_per_s)} of {case.ceiling_bytes_source}"
    peak = f"of the sourced dense peak of {units.flops(case.peak_flops_per_s)} ({case.peak_source})"
    for name, label, whole in (
        ("ceiling_fraction", f"against {COMPUTE_WORKLOAD}", gemm),
        ("bandwidth_fraction", f"against {MEMORY_WORKLOAD}", copy),
        ("mfu", "MFU", peak),
    ):
        value, reason = getattr(case, name), getattr(case, f"{name}_reason")
        least = "at least " if name == "bandwidth_fraction" and case.bytes_basis == "lower bound" else ""
        lines.append(f"{label}: n/a: {reason}" if value is None else f"{label}: {least}{units.percent(value)} {whole}")
    return lines


def _reading(case: CaseSummary) -> list[str]:
    """What follows, or what to do to learn more."""
    if case.bound is None:
        if case.ridge_intensity is None and case.arithmetic_intensity is not None:
            return [
                f"to learn more: measure {COMPUTE_WORKLOAD} at {case.case.precision} and {MEMORY_WORKLOAD} in the "
                "same run, on the same device with the same threads"
            ]
        return []
    reached = case.ceiling_fraction if case.bound == "compute" else case.bandwidth_fraction
    if reached is None or reached >= NEAR_FRACTION:
        return []
    return [
        f"so the limit is far: at {units.percent(reached)} of it, something else holds the case back (small "
        "operators, the time to launch them, elementwise work, or kernels worse than the best)"
    ]
