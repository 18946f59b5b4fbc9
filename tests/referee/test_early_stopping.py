"""Early-stopping identity: as many discarded, the same estimates, the same least numbers of queries."""

from __future__ import annotations

import re

import pytest

from results.early_stopping import early_stop, estimate, min_queries
from tests.referee.conftest import Judge
from tests.referee.loadgen import Judgement

# Queries it takes for t = 0, 1, 2, 10 over the limit; LoadGen's own, by its early_stopping.cc.
MINIMA = {
    0.90: (44, 64, 81, 197),
    0.95: (90, 130, 165, 398),
    0.97: (152, 219, 277, 667),
    0.99: (459, 662, 838, 2010),
    0.999: (4603, 6636, 8403, 20140),
}


def test_discarded_queries_and_estimates_of_three_models(judged: Judgement) -> None:
    assert judged.num_discarded == early_stop(1500, 0.9).num_discarded
    times = judged.theirs_ns.tolist()
    assert judged.estimates_ns == {percent: estimate(times, percent / 100) for percent in (90, 99)}


@pytest.mark.parametrize("percent", [50, 97, 99])
def test_at_other_percentiles(loadgen: Judge, percent: int) -> None:
    settings = {"single_stream_target_latency_percentile": percent / 100}
    judged = loadgen(step="none", num_queries=777, settings=settings)
    stop = early_stop(777, percent / 100)
    assert judged.num_discarded == stop.num_discarded
    assert judged.estimates_ns[percent] == estimate(judged.theirs_ns.tolist(), percent / 100)


@pytest.mark.parametrize(("num_queries", "percent"), [(63, 90), (64, 90), (65, 90), (661, 99), (662, 99)])
def test_the_least_number_of_queries(loadgen: Judge, num_queries: int, percent: int) -> None:
    judged = loadgen(
        step="none", num_queries=num_queries, settings={"single_stream_target_latency_percentile": percent / 100}
    )
    needed = min_queries(1, percent / 100)
    stop = early_stop(num_queries, percent / 100)
    assert judged.valid == (stop.sample_index is not None) == (num_queries >= needed)
    if stop.sample_index is None:
        assert stop.reason == f"n={num_queries}, needs {needed}"
        assert estimate(judged.theirs_ns.tolist(), percent / 100) is None
        assert re.search(rf"at least {needed}\b", judged.summary), judged.summary


@pytest.mark.parametrize("percentile", MINIMA)
def test_the_table_of_least_numbers(percentile: float) -> None:
    assert tuple(min_queries(t, percentile) for t in (0, 1, 2, 10)) == MINIMA[percentile]
