from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import stats


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
    (0, 50, "n=0, needs 6"), (5, 50, "n=5, needs 6"), (35, 90, "n=35, needs 36"), (112, 99, "n=112, needs 368"),
    (367, 99, "n=367, needs 368"),
])  # fmt: skip
def test_too_few_samples_give_no_number(count, percent, reason):
    assert stats.percentile(np.arange(count, dtype=np.int64), percent) == (None, reason)


def test_samples_are_left_as_they_were():
    samples = np.array([5, 1, 4, 2, 3, 0], np.int64)
    assert stats.percentile(samples, 50).seconds == 3e-9
    assert samples.tolist() == [5, 1, 4, 2, 3, 0]
