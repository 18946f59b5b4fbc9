"""The arithmetic against scipy and the published minima; ``tests/referee`` holds it against LoadGen itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr

from results.early_stopping import binomial_cdf, early_stop, estimate, max_over, min_queries

MINIMA = {
    0.90: (44, 64, 81, 197),
    0.95: (90, 130, 165, 398),
    0.97: (152, 219, 277, 667),
    0.99: (459, 662, 838, 2010),
    0.999: (4603, 6636, 8403, 20140),
}


@pytest.mark.parametrize("percentile", MINIMA)
def test_the_least_numbers_of_queries(percentile: float) -> None:
    assert tuple(min_queries(t, percentile) for t in (0, 1, 2, 10)) == MINIMA[percentile]


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0.001, 0.999), st.floats(0, 1))
def test_the_binomial_sum(n: int, probability: float, share: float) -> None:
    k = int(share * n)
    assert binomial_cdf(k, n, probability) == pytest.approx(bdtr(k, n, probability), rel=1e-8, abs=1e-12)


def test_the_ends_of_the_sum() -> None:
    assert (binomial_cdf(-1, 10, 0.3), binomial_cdf(10, 10, 0.3)) == (0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.sampled_from(list(MINIMA)))
def test_the_most_that_may_be_over(n: int, percentile: float) -> None:
    over = max_over(n, percentile)
    if over is None:
        assert n < min_queries(0, percentile)
        return
    assert bdtr(over, n, 1 - percentile) < 0.01 <= bdtr(over + 1, n, 1 - percentile)
    assert min_queries(over, percentile) <= n < min_queries(over + 1, percentile)


def test_a_million_queries_take_few_terms() -> None:
    assert (max_over(10**6, 0.9), max_over(10**6, 0.99)) == (99302, 9768)


@pytest.mark.parametrize(("percentile", "needed"), [(0.9, 64), (0.95, 130), (0.99, 662)])
def test_too_few_queries_give_no_estimate(percentile: float, needed: int) -> None:
    assert early_stop(needed - 1, percentile) == (None, None, f"n={needed - 1}, needs {needed}")
    assert early_stop(needed, percentile) == (needed - 1, 0, "")
    assert estimate(range(needed - 1), percentile) is None
    assert estimate(range(needed), percentile) == needed - 1, "the largest"


def test_the_estimate_is_the_sample_after_the_discarded() -> None:
    stop = early_stop(1000, 0.9)
    assert stop == (1000 - 78, 77, "")
    assert estimate([999 - i for i in range(1000)], 0.9) == 922


@pytest.mark.parametrize("percentile", [0.0, 1.0, 90])
def test_a_percentile_is_a_share(percentile: float) -> None:
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        early_stop(100, percentile)
