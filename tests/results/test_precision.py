from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import t as student

from results import precision


def test_the_quantiles_of_students_t() -> None:
    for df, value in enumerate(precision._T_975, start=1):
        assert value == pytest.approx(student.ppf(0.975, df), abs=5e-5)


def test_the_half_width_by_hand() -> None:
    # Mean 10, standard deviation 2, 4 values: 3.1824 * 2 / sqrt(4) / 10.
    assert precision.relative_half_width([8, 8, 12, 12]) == pytest.approx(0.31824 * np.sqrt(16 / 12), rel=1e-12)
    assert precision.relative_half_width([5.0, 5.0]) == 0.0


@pytest.mark.parametrize("values", [[], [1.0], [-1.0, 1.0], [-2.0, 1.0]])
def test_no_half_width_of_nothing(values: list[float]) -> None:
    assert precision.relative_half_width(values) is None


@pytest.mark.parametrize(
    ("samples", "batches", "cycle"), [(100, 10, 1), (103, 10, 1), (19, 10, 1), (160, 10, 16), (175, 10, 16), (7, 1, 2)]
)
def test_batches_are_whole_cycles_of_nearly_equal_number(samples: int, batches: int, cycle: int) -> None:
    edges = precision.batch_edges(samples, batches, cycle)
    sizes = np.diff(edges)
    assert edges[0] == 0
    assert edges[-1] == samples // cycle * cycle
    assert (sizes % cycle == 0).all()
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= cycle


def test_medians_of_batches() -> None:
    assert precision.batch_medians(np.array([1, 9, 2, 4, 4, 100]), 2, 1).tolist() == [2.0, 4.0]


def test_a_median_needs_ten_cycles_and_a_mean_five_windows() -> None:
    assert precision.median_half_width(np.arange(1, 10)) is None
    assert precision.median_half_width(np.arange(1, 11)) is not None
    assert precision.median_half_width(np.arange(1, 160), cycle=16) is None
    assert precision.window_half_width([(10, 1000)] * 4) is None
    assert precision.window_half_width([(10, 1000)] * 5) == 0.0


def test_many_windows_are_joined_into_ten_groups() -> None:
    windows = [(10, 1000), (10, 1200)] * 10
    assert precision.window_half_width(windows) == 0.0, "every pair is alike"
    uneven = [(30, 3000), (10, 2000)] * 10  # a ratio of sums: 125 ns a step in every group
    assert precision.window_half_width(uneven) == 0.0


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_interval_of_the_median_covers(rho: float) -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        series = 1 + 0.01 * lfilter([np.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=800))[200:]
        half_width = precision.median_half_width(series)
        assert half_width is not None
        centre = precision.batch_medians(series, 10, 1).mean()
        inside += abs(centre - 1) <= half_width * centre
    assert inside / 300 >= 0.91
