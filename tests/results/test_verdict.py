from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from results.sessions_needed import MAX_SESSIONS, sessions_needed, with_need
from results.verdict import (
    ACCELERATOR_PRIOR,
    CPU_PRIOR,
    RULE,
    Prior,
    classify,
    design_of,
    is_short,
    judge,
    precision,
    spread,
)

DELTA = math.log(1.03)
# Three sessions of five, one of five; sds of about 0.5 %.
BASE = [
    [0.001, -0.004, 0.003, 0.005, -0.002],
    [0.006, 0.002, -0.001, 0.008, 0.004],
    [-0.005, 0.001, -0.003, 0.002, -0.006],
]
NEW = [[0.052, 0.049, 0.056, 0.050, 0.047]]


def referee(base, new, tau0, df0=4):
    """The rule once more, in numpy and with another library's quantile; equal or unequal numbers."""
    sides = [[np.asarray(session, float) for session in side] for side in (base, new)]
    means = [np.array([s.mean() for s in side]) for side in sides]
    d = means[1].mean() - means[0].mean()
    dfw = sum(len(s) - 1 for side in sides for s in side)
    s2 = sum(((s - s.mean()) ** 2).sum() for side in sides for s in side) / dfw
    pooled, df_tau, a, b = df0 * tau0**2, df0, 0.0, 0.0
    for side, m in zip(sides, means, strict=True):
        inverse = np.mean([1 / len(s) for s in side])
        if len(side) > 1:
            pooled += (len(side) - 1) * max(0.0, m.var(ddof=1) - s2 * inverse)
            df_tau += len(side) - 1
        a += inverse / len(side)
        b += 1 / len(side)
    a, b, tau2 = a * s2, b * pooled / df_tau, pooled / df_tau
    df = (a + b) ** 2 / (a**2 / dfw + b**2 / df_tau)
    se = math.sqrt(a + b)
    half = stats.t.ppf(0.995, df) * se
    return {
        "log_difference": d, "half_width": half, "df": df, "tau": math.sqrt(tau2), "process_sd": math.sqrt(s2),
        "p_value": 2 * stats.t.sf(abs(d) / se, df),
    }  # fmt: skip


def test_golden():
    """Worked out step by step on paper with the numbers above."""
    found = judge(BASE, NEW, ACCELERATOR_PRIOR)
    # Session means .0006, .0038, -.0022 and .0508.
    assert found.log_difference == pytest.approx(0.0508 - 0.0022 / 3, abs=1e-12)
    within = 53.2e-6 + 48.8e-6 + 50.8e-6 + 46.8e-6
    assert found.process_sd == pytest.approx(math.sqrt(within / 16), rel=1e-9)
    between = ((0.0006 - 0.0022 / 3) ** 2 + (0.0038 - 0.0022 / 3) ** 2 + (-0.0022 - 0.0022 / 3) ** 2) / 2
    tau2 = (4 * 0.005**2 + 2 * (between - within / 16 / 5)) / 6
    assert found.tau == pytest.approx(math.sqrt(tau2), rel=1e-9)
    a, b = within / 16 * (1 / 15 + 1 / 5), tau2 * (1 / 3 + 1)
    assert found.df == pytest.approx((a + b) ** 2 / (a**2 / 16 + b**2 / 6), rel=1e-9)
    assert found.verdict == "slower"
    counts = found.num_sessions_base, found.num_sessions_new, found.num_processes_base, found.num_processes_new
    assert counts == (3, 1, 15, 5)
    assert found.reason == "+5.1 % in time, 99 % interval +3.2 % to +7.1 %"


finite = st.floats(-0.2, 0.2, allow_nan=False).map(lambda y: round(y, 6))
session = st.lists(finite, min_size=1, max_size=6)
side = st.lists(session, min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(side, side, st.sampled_from([0.005, 0.05, 0.0001]))
def test_agrees_with_an_independent_implementation(base, new, tau0):
    found = judge(base, new, Prior(tau0))
    if all(len(s) == 1 for s in [*base, *new]):
        assert (found.verdict, found.half_width, found.p_value) == ("inconclusive", None, None)
        assert "one process a session" in found.reason
        return
    expected = referee(base, new, tau0)
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6, abs=1e-12), name
    d, h = expected["log_difference"], expected["half_width"]
    assert found.ratio_low == pytest.approx(math.exp(d - h), rel=1e-6)
    assert found.ratio_high == pytest.approx(math.exp(d + h), rel=1e-6)


OPPOSITE = {"slower": "faster", "faster": "slower", "same": "same", "inconclusive": "inconclusive"}
long_side = st.lists(st.lists(finite, min_size=2, max_size=6), min_size=3, max_size=4)


@settings(max_examples=100, deadline=None)
@given(long_side, long_side)
def test_swapping_the_sides_inverts_the_ratio(base, new):
    one, other = judge(base, new, ACCELERATOR_PRIOR), judge(new, base, ACCELERATOR_PRIOR)
    assert other.verdict == OPPOSITE[one.verdict]
    assert one.ratio * other.ratio == pytest.approx(1)
    assert one.ratio_low * other.ratio_high == pytest.approx(1)
    assert one.p_value == pytest.approx(other.p_value)


@settings(max_examples=100, deadline=None)
@given(side, side, st.floats(-20, 20))
def test_the_unit_of_time_does_not_matter(base, new, shift):
    moved = [[[y + shift for y in session] for session in either] for either in (base, new)]
    one, other = judge(base, new, ACCELERATOR_PRIOR), judge(*moved, ACCELERATOR_PRIOR)
    assert other.log_difference == pytest.approx(one.log_difference, abs=1e-12)
    assert (one.half_width is None) == (other.half_width is None)
    if one.half_width is not None:
        assert other.half_width == pytest.approx(one.half_width, rel=1e-6, abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(long_side, long_side, st.randoms())
def test_the_order_does_not_matter(base, new, random):
    shuffled = [[random.sample(session, len(session)) for session in random.sample(base, len(base))], new]
    one, other = judge(base, new, CPU_PRIOR), judge(*shuffled, CPU_PRIOR)
    assert other.half_width == pytest.approx(one.half_width)
    assert other.log_difference == pytest.approx(one.log_difference, abs=1e-12)


@pytest.mark.parametrize(("d", "h", "verdict"), [
    (0.05, 0.04, "slower"), (-0.05, 0.04, "faster"),
    (0.05, 0.06, "inconclusive"),  # the interval holds 0, and is too wide besides
    (0.09, 0.0501, "inconclusive"),  # too wide to tell, though it excludes 0
    (0.09, 0.05, "slower"),
    (DELTA - 1e-9, 0.01, "inconclusive"),  # surely a change, perhaps one that matters
    (DELTA, 0.01, "slower"), (-DELTA, 0.01, "faster"),
    (DELTA, DELTA, "inconclusive"),  # the interval touches 0
    (0.0, 0.0295, "same"), (0.0, DELTA, "inconclusive"),
    (0.01, DELTA - 0.01 + 1e-9, "inconclusive"), (-0.01, DELTA - 0.01 - 1e-9, "same"),
])  # fmt: skip
def test_verdicts_at_their_borders(d, h, verdict):
    assert classify(d, h, short=False) == verdict
    assert classify(-d, h, short=False) == OPPOSITE[verdict]


@pytest.mark.parametrize(("d", "h", "verdict"), [
    (0.05, 0.04, "inconclusive"), (0.05, 0.05 - DELTA - 1e-9, "slower"), (0.05, 0.05 - DELTA + 1e-9, "inconclusive"),
    (0.0, 0.02, "same"), (0.0, 0.03, "inconclusive"),
])  # fmt: skip
def test_with_a_short_baseline_the_whole_interval_must_be_beyond(d, h, verdict):
    assert classify(d, h, short=True) == verdict
    assert classify(-d, h, short=True) == OPPOSITE[verdict]


@pytest.mark.parametrize(("base", "short"), [
    ([[0.0, 0.1]] * 2, True), ([[0.0, 0.1]] * 3, False), ([[0.0]] * 3, True), ([[0.0]] * 5, False), ([[0.0] * 9], True),
])  # fmt: skip
def test_what_a_short_baseline_is(base, short):
    assert is_short(design_of(spread(base), spread([[0.0, 0.1]]), ACCELERATOR_PRIOR)) is short


def test_sessions_close_together_do_not_make_a_full_baseline():
    new = [[y - 0.015 for y in NEW[0]]]
    full = judge(BASE, new, ACCELERATOR_PRIOR)
    close = judge(BASE, new, ACCELERATOR_PRIOR._replace(num_close=2))
    assert (full.verdict, close.verdict) == ("slower", "inconclusive")
    assert close.reason.startswith(
        "2 of 3 baseline sessions lie within an hour of another (3 an hour apart are needed): "
    )
    assert judge(BASE, NEW, ACCELERATOR_PRIOR._replace(num_close=1)).half_width == full.half_width
    # Sessions more, an hour apart, would settle it.
    found = with_need(close, BASE, new, ACCELERATOR_PRIOR._replace(num_close=2))
    assert (found.sessions_needed, found.sessions_needed_of) == (2, "base")


def test_one_run_against_one_run_says_what_it_would_take():
    found = judge(BASE[:1], NEW, ACCELERATOR_PRIOR)
    assert found.verdict == "inconclusive"
    assert found.reason.startswith("1 baseline session (of 3): the change must be beyond 3 % with its whole interval")
    far = judge(BASE[:1], [[y + 0.05 for y in NEW[0]]], ACCELERATOR_PRIOR)
    assert far.verdict == "slower"
    assert judge(BASE[:1], BASE[:1], Prior(0.001)).verdict == "same"


def test_a_difference_that_is_not_there_is_not_called_same_without_evidence():
    wide = [[-0.1, 0.1], [-0.1, 0.1], [-0.1, 0.1]]
    found = judge(wide, wide, ACCELERATOR_PRIOR)
    assert (found.verdict, found.log_difference) == ("inconclusive", 0.0)
    assert found.reason.endswith("is wider than +-5 %: too noisy to tell")


def test_on_a_shared_cpu_one_new_session_is_never_enough():
    assert judge([[0.0] * 5] * 3, [[0.04] * 5], CPU_PRIOR).verdict == "inconclusive"


def test_a_simulator_has_no_variance_at_all():
    found = judge([[0.0] * 5] * 3, [[0.04] * 5], ACCELERATOR_PRIOR)
    assert (found.process_sd, found.verdict) == (0.0, "slower")
    assert found.df == pytest.approx(6)  # only the drift between sessions is uncertain
    assert judge([[0.0] * 5] * 3, [[0.0] * 5], ACCELERATOR_PRIOR).p_value == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_not_finite_is_refused(bad, place):
    sides = [[[0.0, 0.1], [0.0, 0.2]], [[0.0, 0.1], [0.0, 0.3]]]
    sides[place][1][1] = bad
    with pytest.raises(ValueError, match="finite"):
        judge(*sides, ACCELERATOR_PRIOR)


@pytest.mark.parametrize("empty", [[], [[]], [[0.0], []]])
def test_an_empty_side_is_refused(empty):
    with pytest.raises(ValueError, match="at least one"):
        judge(empty, [[0.0, 0.1]], ACCELERATOR_PRIOR)
    with pytest.raises(ValueError, match="at least one"):
        judge([[0.0, 0.1]], empty, ACCELERATOR_PRIOR)


def test_opposite_infinities_do_not_cancel():
    with pytest.raises(ValueError, match="finite"):
        judge([[math.inf, -math.inf]], [[0.0, 0.1]], ACCELERATOR_PRIOR)


# ---- how many more sessions


def brute_force(d, base, new, prior, growth):
    """Simply try: sessions that repeat what is known keep s2 and add only degrees of freedom and weight."""
    design = design_of(spread(base), spread(new), prior)
    for k in range(1, MAX_SESSIONS + 1):
        more_base, more_new = growth[0] * k, growth[1] * k
        n_base, n_new = len(base[0]), len(new[0])
        grown = design._replace(
            sessions_base=design.sessions_base + more_base, sessions_new=design.sessions_new + more_new,
            processes_base=design.processes_base + more_base * n_base,
            dfw=design.dfw + more_base * (n_base - 1) + more_new * (n_new - 1),
            df_tau=design.df_tau + more_base + more_new,
        )  # fmt: skip
        if classify(d, precision(grown).half_width, is_short(grown)) != "inconclusive":
            return k
    return None


@pytest.mark.parametrize("d", [0.0, 0.01, 0.02, 0.035, 0.05, 0.2])
@pytest.mark.parametrize("num_base", [1, 2, 3])
@pytest.mark.parametrize("prior", [ACCELERATOR_PRIOR, CPU_PRIOR])
def test_sessions_needed_are_the_fewest(d, num_base, prior):
    base, new = [list(session) for session in BASE[:num_base]], [[y - 0.0508 + d for y in NEW[0]]]
    found = judge(base, new, prior)
    exact = found.log_difference
    need = sessions_needed(exact, design_of(spread(base), spread(new), prior))
    if found.verdict != "inconclusive":
        return
    for which, growth in (("new", (0, 1)), ("base", (1, 0)), ("both", (1, 1))):
        expected = brute_force(exact, base, new, prior, growth)
        if expected is not None:
            assert need == (expected, which)
            return
    assert need is None


def test_a_short_baseline_is_told_to_grow_itself():
    base, new = BASE[:1], [[y - 0.01 for y in NEW[0]]]
    found = with_need(judge(base, new, ACCELERATOR_PRIOR), base, new, ACCELERATOR_PRIOR)
    assert (found.verdict, found.sessions_needed, found.sessions_needed_of) == ("inconclusive", 2, "base")


def test_a_baseline_of_too_few_processes_grows_by_processes():
    base, new = [[0.0], [0.001], [-0.001]], [[y - 0.0508 + 0.031 for y in NEW[0]]]  # 3 processes of 5
    found = with_need(judge(base, new, ACCELERATOR_PRIOR), base, new, ACCELERATOR_PRIOR)
    assert found.reason.startswith("3 baseline processes (of 5)")
    assert (found.sessions_needed, found.sessions_needed_of) == (2, "base")


def test_what_no_number_of_sessions_would_settle():
    base, new = BASE, [[y - 0.0508 + DELTA - 0.0001 for y in NEW[0]]]
    found = with_need(judge(base, new, ACCELERATOR_PRIOR), base, new, ACCELERATOR_PRIOR)
    assert (found.verdict, found.sessions_needed, found.sessions_needed_of) == ("inconclusive", None, None)
    single = with_need(judge([[0.0]], [[0.1]], CPU_PRIOR), [[0.0]], [[0.1]], CPU_PRIOR)
    assert (single.verdict, single.sessions_needed) == ("inconclusive", None)


def test_many_metrics_need_more():
    base, new = BASE[:1], [[y + 0.01 for y in NEW[0]]]
    design = design_of(spread(base), spread(new), ACCELERATOR_PRIOR)
    few, many = (sessions_needed(0.06, design, RULE, p) for p in (1.0, 0.00001))
    assert few is not None
    assert many is not None
    assert many.sessions > few.sessions
