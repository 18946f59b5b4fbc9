from __future__ import annotations

import numpy as np
import pytest

from harness.numerics import LEAST_ERRORS, LIMITS, judge
from results.records import PRECISIONS
from tests.harness.fakes import make_case

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(1, 64, 100))


def test_every_precision_has_limits() -> None:
    assert set(LIMITS) == set(PRECISIONS)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_error_just_past_the_limit_fails_and_just_below_passes(precision: str) -> None:
    limit = LIMITS[precision].max_rel_l2
    for factor, verdict in ((0.99, "pass"), (1.01, "fail")):
        outputs = [{"logits": LOGITS[0] * (1 + factor * limit)}]
        assert judge(make_case(precision=precision), outputs, ("fp32", {"logits": LOGITS}), True).verdict == verdict


def test_relative_l2_is_the_norm_of_the_difference() -> None:
    want, got = np.array([[3.0, 4.0]]), np.array([3.0, 4.5])
    checks = judge(make_case(precision="int8"), [{"logits": got}], ("fp32", {"logits": want}), True).checks
    assert checks[0].name == "rel_l2"
    assert checks[0].value == pytest.approx(0.1)


def test_top1_counts_equal_positions() -> None:
    want = np.tile(np.eye(4), (25, 1))[None]
    got = want[0].copy()
    got[:25] = np.roll(got[:25], 1, axis=-1)
    checks = judge(make_case(precision="int8"), [{"logits": got}], ("fp32", {"logits": want}), True).checks
    assert checks[1].name == "top1_agreement"
    assert checks[1].value == 0.75
    assert not judge(make_case(), [{"logits": got}], ("r", {"logits": want}), False).checks[1:]


def test_a_close_call_counts_as_agreement_and_a_far_one_does_not() -> None:
    want = np.tile([2.0, 1.99, -2.0, -1.99], (100, 1))[None]
    for second, agreement in ((1, 1.0), (2, 0.0)):
        got = np.zeros((100, 4))
        got[:, second] = 1.0
        checks = judge(make_case(precision="bf16"), [{"logits": got}], ("fp32", {"logits": want}), True).checks
        assert checks[1].value == agreement


def test_top1_is_not_judged_on_fewer_than_four_positions() -> None:
    want = np.eye(4)[None, :3]
    got = np.roll(np.eye(4), 1, axis=-1)[:3]
    checks = judge(make_case(precision="int8"), [{"logits": got}], ("fp32", {"logits": want}), True).checks
    assert [check.name for check in checks] == ["rel_l2"]


@pytest.mark.parametrize(("num_wrong", "passed"), [(0, True), (1, True), (2, False)])
def test_of_a_handful_of_positions_one_may_disagree(num_wrong: int, passed: bool) -> None:
    want = np.eye(6)[None]
    got = np.eye(6)
    got[:num_wrong] = np.roll(got[:num_wrong], 1, axis=-1)
    checks = judge(make_case(precision="bf16"), [{"logits": got}], ("fp32", {"logits": want}), True).checks
    assert (checks[1].name, checks[1].passed) == ("top1_agreement", passed)


def test_a_reference_of_fewer_steps_is_compared_with_those() -> None:
    outputs = [{"logits": LOGITS[0]}, {"logits": LOGITS[0] * 2}]
    assert judge(make_case(), outputs, ("fp32", {"logits": LOGITS}), True).verdict == "pass"
    assert judge(make_case(), outputs[::-1], ("fp32", {"logits": LOGITS}), True).verdict == "fail"


def test_decoding_is_compared_as_long_as_both_sides_were_fed_the_same() -> None:
    """Sequence 0 chooses otherwise at step 1: what it says at step 2 is another question."""
    want = np.zeros((3, 2, 4))
    want[..., 0], want[..., 1] = 1.0, 0.999
    got = want.copy()
    got[1, 0] = [0.999, 1.0, 0.0, 0.0]
    got[2, 0] = 99.0
    case = make_case(phase="decode", precision="bf16")
    steps = [{"logits": step} for step in got]
    assert judge(case, steps, ("fp32", {"logits": want}), True).verdict == "pass"
    got[2, 1] = 99.0  # sequence 1 was fed the same throughout
    assert judge(case, steps, ("fp32", {"logits": want}), True).verdict == "fail"


def test_scrambled_outputs_of_the_right_size_fail() -> None:
    scrambled = [{"logits": np.roll(LOGITS[0], 1, axis=-1)}]
    assert judge(make_case(precision="int8"), scrambled, ("fp32", {"logits": LOGITS}), True).verdict == "fail"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_fails_even_without_a_reference(bad: float) -> None:
    for reference in (None, ("self", {}), ("fp32", {"loss": np.ones(1)})):
        verdict = judge(make_case(phase="train"), [{"loss": np.array(bad)}], reference, True)
        assert verdict.verdict == "fail"
        assert "not finite" in verdict.reason


def test_training_compares_the_last_loss() -> None:
    losses = [{"loss": np.array(v)} for v in (2.0, 1.5, 1.0, 0.9)]
    reference = ("fp32", {"loss": np.array([2.0, 1.5, 1.0, 0.91])})
    (check,) = judge(make_case(phase="train", precision="bf16"), losses, reference, True).checks
    assert check.name == "loss_rel_error"
    assert check.value == pytest.approx(0.01 / 0.91)


def test_a_shape_mismatch_is_an_error_not_a_broadcast() -> None:
    with pytest.raises(ValueError, match="shape"):
        judge(make_case(), [{"logits": np.ones((1, 3))}], ("fp32", {"logits": np.ones((1, 1, 1))}), True)


def test_the_reference_itself_is_named_so() -> None:
    assert judge(make_case(), [{"loss": np.ones(())}], ("self", {}), True).verdict == "reference"


@pytest.mark.parametrize("expected", [{}, {"logits": LOGITS[:0]}, {"logits": LOGITS[:, :0]}, {"loss": np.ones(0)}])
def test_a_reference_that_has_nothing_to_compare_fails(expected: dict[str, np.ndarray]) -> None:
    outputs = {"logits": LOGITS[0], "loss": np.ones(())}
    verdict = judge(make_case(), [outputs], ("fp32", expected), True)
    assert (verdict.verdict, verdict.checks) == ("fail", ())
    assert "nothing could be compared" in verdict.reason


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_error_too_small_for_the_precision_fails(precision: str) -> None:
    """A graph that was not quantized at all agrees with FP32 as FP32 does."""
    for error in (0.0, 1e-6, 1e-5):
        outputs = [{"logits": LOGITS[0] * (1 + error)}]
        verdict = judge(make_case(precision=precision), outputs, ("fp32", {"logits": LOGITS}), True)
        assert verdict.verdict == ("pass" if precision == "fp32" else "fail")
        assert ("is that of a wider type" in verdict.reason) is (precision != "fp32")
    if precision != "fp32":
        outputs = [{"logits": LOGITS[0] * (1 + 1.01 * LEAST_ERRORS[precision])}]
        assert judge(make_case(precision=precision), outputs, ("fp32", {"logits": LOGITS}), True).verdict == "pass"


@pytest.mark.parametrize(("bits", "precision"), [(11, "fp16"), (8, "bf16"), (4, "fp8")])
@pytest.mark.parametrize("products", [1, 4])
def test_rounded_operands_err_by_more_than_the_least(bits: int, precision: str, products: int) -> None:
    got, want = multiplied(bits, products)
    verdict = judge(make_case(precision=precision), [{"logits": got}], ("fp32", {"logits": want[None]}), False)
    assert verdict.verdict == "pass", verdict.reason


def test_zero_reference() -> None:
    zero = ("fp32", {"loss": np.zeros(1)})
    assert judge(make_case(phase="train"), [{"loss": np.zeros(())}], zero, True).verdict == "pass"
    assert judge(make_case(phase="train"), [{"loss": np.ones(())}], zero, True).verdict == "fail"


def multiplied(bits: int, products: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits after so many products with operands of so many significant bits, and the right ones."""
    rng = np.random.default_rng(3)
    x = want = rng.normal(size=(64, 128))
    for _ in range(products):
        weight = rng.normal(size=(128, 128)) / np.sqrt(128)
        fraction, exponent = np.frexp(np.stack((np.resize(x, weight.shape), weight)))
        x, narrow = np.ldexp(np.rint(fraction * 2.0**bits), exponent - bits)
        x, want = x[:64] @ narrow, want @ weight
    return x, want


@pytest.mark.parametrize(
    ("bits", "products", "said"),
    [
        (24, 1, ""),
        (24, 20, ""),
        (11, 1, "fp16 or tf32"),
        (11, 20, "fp16 or tf32"),
        (8, 1, "fp16, tf32 or bf16"),
        (8, 20, "fp16, tf32 or bf16"),
        (3, 4, "past"),
    ],
)
def test_fp32_that_was_computed_in_less_is_told_by_its_error(bits: int, products: int, said: str) -> None:
    """The operands are really rounded here, so that limits that were derived meet what happens."""
    got, want = multiplied(bits, products)
    verdict = judge(make_case(), [{"logits": got}], ("fp32", {"logits": want[None]}), False)
    assert verdict.verdict == ("fail" if said else "pass")
    assert said in verdict.reason
    assert ("fp32 was asked for" in verdict.reason) is (bits in (11, 8))
    narrow = judge(make_case(precision="bf16"), [{"logits": got}], ("fp32", {"logits": want[None]}), False)
    assert "fp32 was asked for" not in narrow.reason
