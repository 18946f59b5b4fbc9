from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from results.autocorrelation import MIN_CYCLES, autocorrelation_time, effective_samples


def ar1(seed: int, count: int, rho: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=count)
    return lfilter([1], [1, -rho], noise)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_time_of_a_known_process(rho: float) -> None:
    # Of an AR(1) process it is (1 + rho) / (1 - rho).
    found = [autocorrelation_time(ar1(seed, 20_000, rho)) for seed in range(5)]
    assert np.median(found) == pytest.approx((1 + rho) / (1 - rho), rel=0.15)


def test_alternating_samples_count_as_one_each_and_no_more() -> None:
    assert autocorrelation_time(np.tile([1.0, 2.0], 500)) == 1.0
    assert effective_samples(np.tile([1, 2], 500)) == 1000.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(10**15), 10**15), max_size=60), st.sampled_from([1, 2, 3]))
def test_between_one_and_all_for_anything(values: list[int], cycle: int) -> None:
    samples = np.array(values[: len(values) // cycle * cycle], np.int64)
    found = effective_samples(samples, cycle)
    assert 0 <= found <= len(samples)
    assert found >= min(1, len(samples))
    assert effective_samples(samples, cycle, above=0) <= found


@pytest.mark.parametrize("count", [0, 1, 3, 4, 1000])
def test_a_constant_series_counts_fully(count: int) -> None:
    assert effective_samples(np.full(count, 123_456_789, np.int64)) == count


def test_a_few_enormous_samples_do_not_hide_the_correlation() -> None:
    series = np.rint(1e6 * np.exp(0.02 * ar1(1, 2000, 0.9))).astype(np.int64)
    series[::200] += 10**9
    assert effective_samples(series) < 400


def test_a_drifting_series_is_worth_little() -> None:
    assert effective_samples(np.arange(1000)) < 10


def test_growing_cost_within_a_cycle_is_no_correlation() -> None:
    cost = np.tile(np.arange(32) * 10_000, 40)
    noise = np.random.default_rng(2).integers(0, 5_000, cost.size)
    assert effective_samples(cost + noise, cycle=32) > 0.8 * cost.size
    assert effective_samples(cost + noise) < 0.7 * cost.size, "without the cycle it would look correlated"


def test_slow_cycles_beside_fast_ones_are() -> None:
    slow = np.repeat(np.random.default_rng(3).integers(0, 2, 40), 32)  # whole cycles
    cost = np.tile(np.arange(32) * 10_000, 40)
    assert effective_samples(cost + slow * 50_000 + np.arange(cost.size) % 7, cycle=32) < 200


def test_few_cycles_count_one_each() -> None:
    samples = np.random.default_rng(4).integers(1, 10**6, 32 * (MIN_CYCLES - 1))
    assert effective_samples(samples, cycle=32) == MIN_CYCLES - 1
