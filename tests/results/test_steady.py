"""On synthetic series of 600 steps: AR(1) with .5, 1 % noise, and 2 % of steps disturbed by a spike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import kendalltau, theilslopes

from results import steady
from results.steady import find_drift, find_steady

STEPS = np.arange(600)
NUM_SERIES = 60


def series(seed: int, shape: np.ndarray | float = 0.0, count: int = 600, sd: float = 0.01) -> np.ndarray:
    """Step times in ns around 1 ms; ``shape`` is added to their logarithm."""
    rng = np.random.default_rng(seed)
    noise = lfilter([sd * np.sqrt(0.75)], [1, -0.5], rng.normal(size=count))
    spikes = (rng.random(count) < 0.02) * rng.exponential(0.7, count)
    return np.rint(1e6 * np.exp(noise + spikes + shape)).astype(np.int64)


def every(shape: np.ndarray | float, what: Callable[[np.ndarray], object], **kind: float) -> list:
    return [what(series(seed, shape, **kind)) for seed in range(NUM_SERIES)]


def share(flags: list[bool | None]) -> float:
    return float(np.mean([bool(flag) for flag in flags]))


@pytest.mark.parametrize("size", [0.3, 0.05, -0.08])
@pytest.mark.parametrize("at", [120, 180])
def test_a_step_is_cut_where_it_is(size: float, at: int) -> None:
    found = every(np.where(at > STEPS, size, 0.0), find_steady)
    cuts = [one.cut_index for one in found]
    assert np.median(cuts) == pytest.approx(at, abs=10)
    assert np.mean([cut >= at - 10 for cut in cuts]) >= 0.95
    assert max(cuts) <= 300


def test_an_exponential_decay_is_cut_where_it_has_gone() -> None:
    decay = 0.3 * np.exp(-STEPS / 60)
    cuts = np.array(every(decay, lambda s: find_steady(s).cut_index))
    assert (decay[cuts] < 0.02).mean() >= 0.95
    assert np.median(decay[cuts]) < 0.01


@pytest.mark.parametrize("sd", [0.003, 0.01, 0.03, 0.1])
def test_a_flat_series_is_steady_and_keeps_nearly_all(sd: float) -> None:
    found = every(0.0, find_steady, sd=sd)
    assert share([one.steady for one in found]) == 1.0
    assert np.median([one.cut_index for one in found]) <= 20


@pytest.mark.parametrize("count", [100, 200])
def test_a_short_flat_series_is_steady_too(count: int) -> None:
    assert share(every(0.0, lambda s: find_steady(s).steady, count=count)) == 1.0


@pytest.mark.parametrize("at", [330, 360, 480])
def test_a_late_step_is_unsteady_and_nothing_is_cut(at: int) -> None:
    found = every(np.where(at > STEPS, 0.0, 0.08), find_steady)
    assert np.mean([one.steady is False for one in found]) >= 0.95
    unsteady = next(one for one in found if one.steady is False)
    assert unsteady.cut_index == 0
    assert "slower than before (at most 50% may be cut)" in unsteady.reason


def test_a_constant_series() -> None:
    constant = np.full(600, 5_000, np.int64)
    assert find_steady(constant) == (0, True, "")
    assert find_drift(constant) == (0.0, False, "")


@pytest.mark.parametrize(("count", "cycle", "batches"), [(0, 1, 0), (99, 1, 19), (19 * 16, 16, 19), (19 * 6, 2, 19)])
def test_too_few_samples_are_said_and_kept(count: int, cycle: int, batches: int) -> None:
    samples = np.linspace(9e6, 1e6, count).astype(np.int64)
    why = f"too few samples to tell: {batches} batches of whole cycles, needs 20"
    assert find_steady(samples, cycle) == (0, None, why)
    assert find_drift(samples, cycle) == (None, None, why)


def test_growing_cost_within_a_cycle_is_neither_cut_nor_drift() -> None:
    growth = np.tile(np.linspace(0, 1, 16), 40)
    many = [series(seed, growth, count=640) for seed in range(40)]
    assert all(find_steady(samples, cycle=16).steady for samples in many)
    assert sum(bool(find_drift(samples, cycle=16).drifting) for samples in many) <= 1


def test_a_step_between_cycles_is_cut_at_a_cycle() -> None:
    growth = np.tile(np.linspace(0, 1, 16), 40) + np.where(np.arange(640) < 160, 0.3, 0.0)
    cuts = [find_steady(series(seed, growth, count=640), cycle=16).cut_index for seed in range(20)]
    assert all(cut % 16 == 0 for cut in cuts)
    assert min(cuts) >= 160
    assert np.median(cuts) == 160


def drifting(shape: np.ndarray | float, **kind: float) -> float:
    return share(every(shape, lambda s: find_drift(s).drifting, **kind))


def test_a_drift_of_six_per_cent_is_told_and_none_where_there_is_none() -> None:
    assert drifting(0.06 * STEPS / 600) >= 0.95
    assert drifting(-0.06 * STEPS / 600) >= 0.95
    for sd in (0.003, 0.01, 0.03):
        assert drifting(0.0, sd=sd) <= 0.02
    assert drifting(0.0, sd=0.1) <= 0.06


def test_a_drift_below_the_limit_is_not_told_however_sure() -> None:
    assert drifting(0.01 * STEPS / 600, sd=0.001) == 0.0


def test_what_is_said_about_a_drift() -> None:
    halves = find_drift(series(3, np.where(STEPS < 300, 0.0, 0.05)))
    assert halves.reason.startswith("the second half is 5.")
    assert halves.reason.endswith("% slower than the first (limit 2%)")
    trend = find_drift(series(3, -0.03 * STEPS / 600, sd=0.001))
    assert trend.drifting
    assert trend.ratio == pytest.approx(-0.015, abs=0.003)
    assert "a trend to 2." in trend.reason or "a trend to 3." in trend.reason
    assert "faster steps" in trend.reason


@pytest.mark.parametrize("seed", range(5))
def test_trend_statistics_against_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=50) + 0.02 * np.arange(50)
    if seed == 4:
        values = np.round(values)  # ties
    expected = kendalltau(np.arange(50), values, method="asymptotic", nan_policy="raise")
    # scipy makes no continuity correction: of 1 in S, which is tau times the number of pairs.
    assert steady.mann_kendall_p(values) == pytest.approx(expected.pvalue, abs=0.02)
    assert steady.theil_sen_slope(values) == pytest.approx(theilslopes(values).slope, rel=1e-12)


def test_mser_minimises_the_standard_error() -> None:
    values = np.array([9.0, 8, 5, 5.1, 4.9, 5, 5.1, 4.9, 5, 5])
    errors = [values[d:].var() / len(values[d:]) for d in range(6)]
    assert steady.mser_cut(values, 5) == int(np.argmin(errors)) == 2
