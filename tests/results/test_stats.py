from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from results import stats
from results.process_stats import Quantile


@pytest.mark.parametrize(("percent", "needed"), [(50, 6), (90, 36), (95, 72), (99, 368), (1, 368)])
def test_minimum_number_of_samples(percent, needed):
    assert stats.min_samples(percent) == needed


@settings(deadline=None)
@given(st.integers(1, 99))
def test_minimum_is_the_first_number_for_which_the_interval_exists(percent):
    rarest = Fraction(max(percent, 100 - percent), 100)
    needed = stats.min_samples(percent)
    assert rarest**needed <= Fraction(25, 1000) < rarest ** (needed - 1)


@pytest.mark.parametrize("percent", [0, 100, -1])
def test_percent_out_of_range(percent):
    with pytest.raises(ValueError, match="between 1 and 99"):
        stats.min_samples(percent)


@settings(deadline=None)
@given(st.integers(368, 5000), st.integers(0, 2**32), st.sampled_from([50, 90, 99]))
def test_percentile_is_the_sample_loadgen_would_take(count, seed, percent):
    samples = np.random.default_rng(seed).integers(1, 10**12, count)
    value, reason = stats.percentile(samples, percent)
    assert reason == ""
    assert value == sorted(samples.tolist())[int(count * (percent / 100))] / 1e9


@settings(deadline=None)
@given(st.integers(1, 10**7))
def test_index_in_integers_is_loadgens_index(count):
    for percent in stats.PERCENTS:
        assert stats.order_statistic_index(count, percent) == int(count * (percent / 100)) < count


@pytest.mark.parametrize(("count", "percent", "reason"), [
    (0, 50, "n_eff=0, needs 6"), (5, 50, "n_eff=5, needs 6"), (35, 90, "n_eff=35, needs 36"), (112, 99, "n_eff=112, needs 368"),
    (367, 99, "n_eff=367, needs 368"),
])  # fmt: skip
def test_too_few_samples_give_no_number(count, percent, reason):
    assert stats.percentile(np.arange(count, dtype=np.int64), percent) == (None, reason)


def test_samples_are_left_as_they_were():
    samples = np.array([5, 1, 4, 2, 3, 0], np.int64)
    assert stats.percentile(samples, 50).seconds == 3e-9
    assert samples.tolist() == [5, 1, 4, 2, 3, 0]


def test_correlated_samples_count_as_fewer():
    samples = np.arange(1, 401, dtype=np.int64)
    assert stats.percentile(samples, 99, 368.0).seconds == 397e-9
    assert stats.percentile(samples, 99, 367.99) == (None, "n_eff=367, needs 368")
    assert stats.percentile(samples, 99, 212.4) == (None, "n_eff=212, needs 368")
    assert stats.percentile(samples[:300], 99, 1000.0) == (None, "n_eff=300, needs 368"), "never more than were taken"


@pytest.mark.parametrize("percent", range(50, 100))
def test_the_interval_exists_exactly_from_the_minimum_on(percent):
    needed = stats.min_samples(percent)
    assert stats.interval_indices(10_000, needed, percent) is not None
    assert stats.interval_indices(10_000, needed - 0.5, percent) is None
    assert stats.highest_percent(needed) >= percent
    assert (stats.highest_percent(needed - 1) or 0) < percent


def test_the_highest_percentile_of_a_handful():
    assert [stats.highest_percent(n) for n in (5.9, 6, 36, 367.9, 368, 10**9)] == [None, 54, 90, 98, 99, 99]


@settings(deadline=None)
@given(st.integers(6, 4000), st.sampled_from([50, 90, 99]))
def test_the_interval_of_independent_samples_is_the_exact_one(count, percent):
    indices = stats.interval_indices(count, count, percent)
    if indices is None:
        assert count < stats.min_samples(percent)
        return
    low, high = indices
    below = binom(count, percent / 100)  # how many samples lie below the true quantile
    # The quantile is below sorted[low] when at most `low` samples lie below it, above sorted[high] when
    # more than `high` do. Both are at most 2.5 %, and one step further inwards they are not.
    assert below.cdf(low) <= 0.025 < below.cdf(low + 1)
    assert below.sf(high) <= 0.025 < below.sf(high - 1)


@settings(deadline=None)
@given(st.integers(400, 3000), st.floats(36, 3000), st.sampled_from([50, 90]))
def test_fewer_effective_samples_widen_the_interval_within_the_data(count, num_effective, percent):
    wide = stats.interval_indices(count, num_effective, percent)
    exact = stats.interval_indices(count, count, percent)
    assert wide is not None
    assert exact is not None
    assert 0 <= wide[0] <= stats.order_statistic_index(count, percent) <= wide[1] < count
    slack = 1 + count // min(count, int(num_effective))  # ranks are whole numbers
    assert wide[0] <= exact[0] + slack
    assert wide[1] >= exact[1] - slack


def correlated(rng, count, rho):
    noise = rng.normal(size=count)
    values = np.empty(count)
    values[0] = noise[0]
    for i in range(1, count):
        values[i] = rho * values[i - 1] + np.sqrt(1 - rho**2) * noise[i]
    return np.rint(np.exp(0.05 * values) * 1e6).astype(np.int64)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_interval_covers_the_true_percentile_whatever_the_correlation(rho):
    rng = np.random.default_rng(7)
    truth_s = np.exp(0.05 * 1.2815515655446004) * 1e-3  # p90 of the lognormal
    found = [stats.quantile(correlated(rng, 1000, rho), 90) for _ in range(150)]
    told = [q for q in found if q.low_s is not None and q.high_s is not None]
    assert len(told) >= 120
    assert np.mean([q.low_s <= truth_s <= q.high_s for q in told]) >= 0.92
    blind = [stats.interval_indices(1000, 1000, 90) for _ in found]
    assert blind[0] is not None
    if rho == 0.9:  # what the effective number is for: counting every sample covers far too seldom
        rng = np.random.default_rng(7)
        low, high = blind[0]
        sorted_s = [np.sort(correlated(rng, 1000, rho)) / 1e9 for _ in range(150)]
        assert np.mean([s[low] <= truth_s <= s[high] for s in sorted_s]) < 0.75


def test_a_percentile_of_one_process():
    samples = np.random.default_rng(3).permutation(np.arange(1, 1001, dtype=np.int64) * 1000)
    q = stats.quantile(samples, 99)
    assert (q.value_s, q.reason) == (991e-6, "")
    assert q.low_s < q.value_s < q.high_s <= 1000e-6
    few = stats.quantile(samples[:100], 99)
    assert (few.value_s, few.low_s, few.high_s) == (None, None, None)
    assert few.reason.endswith(", needs 368")
    assert stats.quantile(samples[:0], 90) == Quantile(reason="n_eff=0, needs 36")


def test_bursts_tell_less_about_the_tail_than_single_disturbances():
    rng = np.random.default_rng(5)
    quiet = rng.integers(1000, 1100, 4000)
    single, burst = quiet.copy(), quiet.copy()
    single[rng.choice(4000, 80, replace=False)] += 5000
    for start in (1000, 3000):
        burst[start : start + 40] += 5000
    assert stats.quantile(single, 99).value_s is not None
    assert stats.quantile(burst, 99).value_s is None


@pytest.mark.parametrize(
    ("count", "num_effective", "percent", "expected"),
    [
        # 6 independent samples: ranks 1 and 6 bound the median, which is everything.
        (13, 6, 50, (0, 12)),
        # 9: ranks 2 and 8 (P(X <= 1) = 10/512). Shares 1/9 and 8/9 of 100 samples, outwards: 11.1 and 88.9 -> 11, 88.
        (100, 9, 50, (11, 88)),
        (101, 9, 50, (11, 89)),  # 89.8 is cut upwards to 90 samples, the last of them at index 89
    ],
)
def test_shares_of_correlated_samples_are_rounded_outwards(count, num_effective, percent, expected):
    assert stats.interval_indices(count, num_effective, percent) == expected
