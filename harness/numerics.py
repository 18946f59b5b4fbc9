"""The numerics gate: every case against FP32 on the same inputs.

Thresholds are per precision, in one table. Reasoning, per row (unit roundoff u = 2^-(p) for p
significand bits counting the hidden one):

* fp32: another order of summation only. Sums of a few thousand terms at u = 6e-8 stay below
  1e-5 relative; 1e-4 leaves room for depth (fifty layers) and for fused kernels.
  The same limit shows an FP32 case that was computed in less, which is all that can show it where a
  provider compiles whole graphs and does not tell types: rounding the operands of a single product to
  the 11 bits of FP16 or TF32 errs by 2.9e-4 (each value by the root mean square of a rounding error
  that is uniform in half a unit, 0.58 u, over a uniform fraction, 0.72; two operands, so times 1.41:
  0.59 u), to the 8 bits of BF16 by 2.3e-3; more products add to that. Errors above those of BF16 over
  a whole network are something else.
* fp16: u = 4.9e-4. Rounding at every layer adds up like a random walk: about
  u * sqrt(layers * roundings) = 5e-4 * sqrt(200), near 0.7 %. Limit 2 %.
* bf16: u = 3.9e-3, eight times that of fp16: near 5.5 %. Limit 8 %.
* fp8 (e4m3): u = 6.3e-2 on both operands of every product, averaging out within a dot product.
  A single matrix product shows 3.8 % (measured with torch._scaled_mm and normal data); over a
  deep network up to several times that. Limit 25 %.
* int8: dynamic or calibrated scales, 1/254 of the range per operand; normal data with a range
  of four standard deviations gives 1 to 2 % per product. Limit 25 % over a network.

One product (``gemm``) in its own type stays far below these: 0.03 % in fp16, 0.3 % in bf16, 1 % in int8,
4 % in fp8, measured on normal data. There the limits catch what is scrambled; that a product ran in a narrower
type than asked shows in the executed dtypes (``precision_honoured``), in every workload.

Errors far too small tell as much: what was computed in FP32 agrees with FP32 to 1e-6 or so (1e-5 at most), while
rounding operands to the precision errs, in one product, by the figures above, and averaging outputs takes off
little (least seen, over all workloads and backends: 2e-4 in fp16, weights alone rounded; 2.3e-3 in bf16, 2.5e-3 in
int8, 3.8e-2 in fp8). A tenth of these is the least error that a case of the precision can have.

Top-1 agreement is the share of positions whose highest class is the reference's, or one that the
reference ranks within ``TIE_WIDTH`` times the precision's error of it: random weights make close
calls common, and those say nothing. It catches outputs that are scrambled but of the right size.
Of a handful of positions, one may disagree whatever the limit on the share.

Decoding feeds each step's choice to the next, so after a first different choice (a close call, say)
the two sides answer different questions: a sequence is compared up to and including that step.

The loss of a training case is compared after ``GATE_STEPS`` optimizer steps from identical
weights and batches. That is two passes over the same batches, so that weights that were never
updated show: measured on the tiny presets, they change the loss by 4.5 % or more, reduced
precision by 0.9 % or less (six seeds; the most in the image classifier).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from results.records import CaseSpec, Check, Numerics


class Limits(NamedTuple):
    """The thresholds of one precision."""

    max_rel_l2: float
    min_top1: float
    max_loss_error: float


LIMITS: dict[str, Limits] = {
    "fp32": Limits(1e-4, 0.99, 1e-3),
    "fp16": Limits(2e-2, 0.95, 2e-2),
    "bf16": Limits(8e-2, 0.95, 2e-2),
    "fp8": Limits(2.5e-1, 0.90, 2.5e-2),
    "int8": Limits(2.5e-1, 0.90, 2.5e-2),
}
# Relative L2 errors below these are those of a wider type; see above.
LEAST_ERRORS: dict[str, float] = {"fp16": 2e-5, "bf16": 2e-4, "fp8": 3e-3, "int8": 2e-4}
TIE_WIDTH = 3.0
# Error of one product whose operands have been rounded to BF16: 0.59 u.
_ONE_PRODUCT_BF16 = 0.59 * 2.0**-8

# With fewer positions than this, scrambled outputs could not be told from a single disagreement.
MIN_TOP1_POSITIONS = 4

Outputs = Mapping[str, np.ndarray]


def judge(
    case: CaseSpec, outputs: Sequence[Outputs], reference: tuple[str, Outputs] | None, has_top1: bool
) -> Numerics:
    """Compare the outputs of the first steps with the reference's.

    Args:
        case: what was run; its precision chooses the limits.
        outputs: per step, ``loss`` (shape []) or ``logits`` ([..., classes]); at least one.
        reference: what it was computed with, and the outputs stacked on axis 0; ``("self", {})``
            if this case is the reference; None if there is none.
        has_top1: whether the last axis of ``logits`` ranks classes.
    """
    stacked = {name: np.stack([np.asarray(o[name], np.float64) for o in outputs]) for name in outputs[0]}
    bad = [name for name, values in stacked.items() if not np.isfinite(values).all()]
    if bad:
        text = reference[0] if reference else "none"
        return Numerics(reference=text, verdict="fail", reason=f"{', '.join(bad)} not finite (NaN or infinity)")
    if reference is None:
        return Numerics(reference="none", verdict="not_checked", reason="the backend has no FP32 reference")
    text, expected = reference
    if text == "self":
        return Numerics(reference="this case is the FP32 reference", verdict="reference")
    checks = _checks(LIMITS[case.precision], *_compared(case, stacked, expected), has_top1)
    if not checks:
        return Numerics(
            reference=text, verdict="fail", reason="nothing could be compared: the reference has no outputs"
        )
    failed = [f"{c.name} {c.value:.3g} past its limit {c.threshold:g}" for c in checks if not c.passed]
    failed += [*_computed_in_less(case, checks), *_computed_in_more(case, checks)]
    return Numerics(
        reference=text, verdict="fail" if failed else "pass", checks=tuple(checks), reason="; ".join(failed)
    )


def _computed_in_less(case: CaseSpec, checks: Sequence[Check]) -> list[str]:
    """What the error of an FP32 case says of the type that it was computed in."""
    found = next((c.value for c in checks if c.name == "rel_l2" and not c.passed), None)
    if case.precision != "fp32" or found is None or found > LIMITS["bf16"].max_rel_l2:
        return []
    types = "fp16 or tf32" if found < _ONE_PRODUCT_BF16 else "fp16, tf32 or bf16"
    return [f"fp32 was asked for, but this is the error of {types}"]


def _computed_in_more(case: CaseSpec, checks: Sequence[Check]) -> list[str]:
    """What an error says that is too small for the type that was asked for."""
    found = next((c.value for c in checks if c.name == "rel_l2"), None)
    least = LEAST_ERRORS.get(case.precision, 0.0)
    if found is None or found >= least:
        return []
    return [f"{case.precision} was asked for, but its error {found:.2g} (rel_l2) is that of a wider type"]


def _compared(case: CaseSpec, actual: Outputs, expected: Outputs) -> tuple[Outputs, Outputs]:
    """The steps that both sides have; of a decoding, only what was computed from equal inputs.

    ``logits`` of a decoding are [K, B, V]; what is compared of them is [positions, V].
    """
    got = {name: values[: len(expected[name])] for name, values in actual.items() if name in expected}
    want = {name: np.asarray(values, np.float64) for name, values in expected.items()}
    if case.phase != "decode" or got["logits"].shape != want["logits"].shape or got["logits"].ndim != 3:
        return got, want
    same_KB = got["logits"].argmax(-1) == want["logits"].argmax(-1)
    fed_alike_KB = np.ones_like(same_KB)
    fed_alike_KB[1:] = np.logical_and.accumulate(same_KB, axis=0)[:-1]
    return {"logits": got["logits"][fed_alike_KB]}, {"logits": want["logits"][fed_alike_KB]}


def _checks(limits: Limits, actual: Outputs, expected: Outputs, has_top1: bool) -> list[Check]:
    checks = []
    for name, want in expected.items():
        got = actual[name]
        if want.size == 0:
            continue  # without any check, the gate fails
        if want.shape != got.shape:
            raise ValueError(f"{name} has shape {got.shape}, the reference {want.shape}")
        if name == "loss":
            checks.append(_check("loss_rel_error", _relative(got[-1], want[-1]), limits.max_loss_error, "lower"))
            continue
        checks.append(_check("rel_l2", _relative(got, want), limits.max_rel_l2, "lower"))
        num_positions = want[..., 0].size
        if has_top1 and num_positions >= MIN_TOP1_POSITIONS:
            agreement = _agreement(got, want, TIE_WIDTH * limits.max_rel_l2)
            least = min(limits.min_top1, (num_positions - 1) / num_positions)
            checks.append(_check("top1_agreement", agreement, least, "higher"))
    return checks


def _agreement(got: np.ndarray, want: np.ndarray, tie_width: float) -> float:
    """Share of positions whose top class is, by the reference, at most ``tie_width`` times the root
    mean square of its logits below the reference's own top class.
    """
    chosen = np.take_along_axis(want, got.argmax(-1, keepdims=True), axis=-1)[..., 0]
    allowance = tie_width * np.sqrt(np.mean(want**2, axis=-1))
    return float((chosen >= want.max(-1) - allowance).mean())


def _check(name: str, value: float, threshold: float, better: str) -> Check:
    passed = value <= threshold if better == "lower" else value >= threshold
    return Check(name=name, value=value, threshold=threshold, better=better, passed=passed)  # type: ignore[arg-type]


def _relative(got: np.ndarray, want: np.ndarray) -> float:
    """||got - want|| / ||want||, in float64; infinity if the reference is all zero and got is not."""
    difference, size = float(np.linalg.norm(got - want)), float(np.linalg.norm(want))
    if size == 0.0:
        return 0.0 if difference == 0.0 else float("inf")
    return difference / size
