"""What can be detected, against the real rule on simulated pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.detectable import POWER, detectable, power
from results.paired import judge_pairs

NUM_TRIALS = 1500
# Four standard errors of a share of .8 over the trials: fails by chance once in 16,000 runs, had it no seed.
MARGIN = 4 * math.sqrt(POWER * (1 - POWER) / NUM_TRIALS)


def share_called_slower(theta, sigma, num_pairs):
    draws = np.random.default_rng(7).normal(theta, sigma, (NUM_TRIALS, num_pairs))
    return np.mean([judge_pairs([(0.0, float(ratio)) for ratio in row]).verdict == "slower" for row in draws])


@pytest.mark.parametrize(("sigma", "num_pairs"), [(0.005, 8), (0.02, 8), (0.03, 16), (0.10, 75)])
def test_the_stated_change_is_called_as_often_as_stated(sigma, num_pairs):
    found = detectable(num_pairs * 8 / 60, sigma, 8.0)
    assert found.ratio is not None
    assert f"{num_pairs} pairs" in found.reason
    assert share_called_slower(math.log1p(found.ratio), sigma, num_pairs) == pytest.approx(POWER, abs=MARGIN)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 0.05), st.integers(7, 60))
def test_no_smaller_change_has_the_power(sigma, num_pairs):
    found = detectable(num_pairs * 8 / 60 + 0.001, sigma, 8.0)
    if found.ratio is None:
        assert power(2.0, sigma, num_pairs) < POWER
        return
    theta = math.log1p(found.ratio)
    assert power(theta, sigma, num_pairs) >= POWER
    assert power(theta - 1e-4, sigma, num_pairs) < POWER


def test_nothing_below_the_smallest_change_that_matters_is_ever_called():
    assert detectable(10, 0.0, 8.0).ratio == pytest.approx(0.03, abs=1e-5)
    assert detectable(10, 0.02, 8.0).ratio > 0.03


def test_why_nothing_can_be_detected():
    few = detectable(0.5, 0.01, 8.0)
    assert few.ratio is None
    assert few.reason == "3 pairs of 8 s fit, a verdict needs 7"
    noisy = detectable(1, 0.10, 8.0)
    assert noisy.ratio is None
    assert "10.0 %" in noisy.reason
    assert "7 pairs" in noisy.reason
    assert share_called_slower(1.0, 0.10, 7) < POWER


def test_more_time_or_less_noise_never_detects_less():
    by_time = [detectable(minutes, 0.02, 8.0).ratio for minutes in (1, 3, 10)]
    by_noise = [detectable(3, sigma, 8.0).ratio for sigma in (0.001, 0.01, 0.03)]
    assert by_time == sorted(by_time, reverse=True)
    assert by_noise == sorted(by_noise)
