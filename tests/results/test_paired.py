"""The paired verdict against an independent computation of the same interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from results.paired import MIN_PAIRS, judge_pairs, pairs_needed

EXACT = (-0.01, -0.005, 0.0, 0.0, 0.0, 0.0, 0.005, 0.01)  # mean 0


def pairs(ratios, seed=0):
    """Pairs whose log ratios are these, on a machine that drifts by far more from pair to pair."""
    drift = np.random.default_rng(seed).normal(-7.0, 0.5, len(ratios))
    return [(float(base), float(base + ratio)) for base, ratio in zip(drift, ratios, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=40), st.integers(0, 10))
def test_interval_and_p_value_are_those_of_a_paired_t_test(ratios, seed):
    measured = pairs(ratios, seed)
    found = judge_pairs(measured)
    differences = np.array([new - base for base, new in measured])
    assert found.log_difference == pytest.approx(differences.mean(), abs=1e-12)
    assert (found.num_sessions_base, found.num_processes_new, found.df) == (len(ratios), len(ratios), len(ratios) - 1)
    if np.ptp(differences) < 1e-9:
        return  # scipy warns that it cannot compute with equal numbers
    referee = stats.ttest_1samp(differences, 0.0)
    interval = referee.confidence_interval(0.99)
    assert found.p_value == pytest.approx(referee.pvalue, rel=1e-6, abs=1e-12)
    assert math.log(found.ratio_low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert math.log(found.ratio_high) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)
    assert found.process_sd == pytest.approx(differences.std(ddof=1) / math.sqrt(2), rel=1e-9)
    assert found.tau is None


@pytest.mark.parametrize(
    ("shift", "scale", "verdict"),
    [
        (0.0, 1, "same"),
        (math.log(1.10), 1, "slower"),
        (-math.log(1.10), 1, "faster"),
        (math.log(1.029), 1, "inconclusive"),  # surely a change, but perhaps one that does not matter
        (math.log(1.031), 1, "slower"),
        (0.0, 4, "inconclusive"),  # absence of evidence is not "same"
        (math.log(1.10), 8, "inconclusive"),  # wider than 5 %
    ],
)
def test_verdicts_follow_the_rule_of_every_comparison(shift, scale, verdict):
    found = judge_pairs(pairs([scale * ratio + shift for ratio in EXACT]))
    assert found.verdict == verdict, found
    assert found.reason


def test_fewer_than_seven_pairs_never_give_a_verdict():
    assert MIN_PAIRS == 7
    ratios = [0.2 + 0.001 * i for i in range(7)]
    assert judge_pairs(pairs(ratios)).verdict == "slower"
    for number in range(7):
        found = judge_pairs(pairs(ratios[:number]))
        assert found.verdict == "inconclusive"
        assert f"{number} complete pair" in found.reason
        assert "needs 7" in found.reason
    assert judge_pairs([]).ratio is None
    one = judge_pairs(pairs(ratios[:1]))
    assert one.ratio == pytest.approx(math.exp(0.2))
    assert one.ratio_low is None
    assert one.half_width is None


def test_one_wild_pair_makes_it_inconclusive_and_not_wrong():
    ratios = [ratio + math.log(1.10) for ratio in EXACT]
    assert judge_pairs(pairs(ratios)).verdict == "slower"
    assert judge_pairs(pairs([*ratios[:-1], -1.0])).verdict == "inconclusive"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="not a finite number"):
        judge_pairs([*pairs(EXACT), (-7.0, bad)])


def test_two_pairs_with_an_interval_that_no_number_can_hold():
    found = judge_pairs([(-20.0, 20.0), (-20.0, -20.0)])
    assert (found.ratio_high, found.verdict) == (None, "inconclusive")


def test_equal_pairs_have_no_width():
    same = judge_pairs([(-7.0, -7.0)] * 8)
    assert (same.verdict, same.half_width, same.p_value) == ("same", 0.0, 1.0)
    slower = judge_pairs([(-7.0, -6.0)] * 8)
    assert (slower.verdict, slower.p_value) == ("slower", 0.0)


def test_pairs_needed_is_the_least_number_that_settles_it():
    sd, d, n = 0.10, math.log(1.10), 8
    more = pairs_needed(d, sd, n)
    assert more is not None

    def half_width(number):
        return stats.t.ppf(0.995, number - 1) * sd / math.sqrt(number)

    settled = [number for number in range(9, 200) if half_width(number) <= 0.05 and half_width(number) < d]
    assert n + more == settled[0]
    assert pairs_needed(math.log(1.03) + 1e-9, 2.0, n) is None
    wide = judge_pairs(pairs([10 * ratio for ratio in EXACT]))
    assert wide.sessions_needed_of == "both"
    assert wide.sessions_needed == pairs_needed(wide.log_difference, wide.process_sd * math.sqrt(2), n)
    assert judge_pairs(pairs(EXACT)).sessions_needed is None


@pytest.mark.parametrize("number", [1, 8])
@pytest.mark.parametrize("change", [1000.0, -1000.0])
def test_a_ratio_that_no_number_can_hold(number, change):
    found = judge_pairs([(0.0, change)] * number)
    assert (found.ratio, found.log_difference) == (None if change > 0 else 0.0, change)
    assert found.verdict == ("inconclusive" if number == 1 else "slower" if change > 0 else "faster")
