"""Bytes, caches and limits, each from its definition."""

from __future__ import annotations

import pytest

from results.records import Work
from results.roofline import BYTES_OF, cache_problem, traffic, verdict
from tests.results.example_run import case

WORK = Work(steps=4, items=4, item_unit="token", flops=100, min_values=1000)
CACHED = "it may stay in the cache"


@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("fp16", 2), ("bf16", 2), ("fp8", 1), ("int8", 1)])
def test_the_lower_bound_takes_the_size_of_a_number(precision, size):
    found = traffic(case("x", "decode", precision), WORK)
    assert found == (1000 * size, "lower bound", "")
    assert found.per_step(WORK) == 250 * size
    assert BYTES_OF[precision] == size
    assert traffic(case("x", "train", precision), WORK).num_bytes == 4000


def test_defined_bytes_go_before_the_lower_bound():
    work = Work(items=1, item_unit="byte", flops=0, bytes=77, min_values=1000)
    assert traffic(case("x", "infer", "fp32"), work) == (77, "defined", "")


def test_unknown_bytes_are_unknown():
    found = traffic(case("x", "infer", "fp32"), Work(items=1, item_unit="x", flops=1))
    assert found == (None, None, "the workload does not tell what it moves")


@pytest.mark.parametrize(("step_bytes", "problem"), [(399, True), (400, False), (401, False)])
def test_four_times_the_last_level_cache(step_bytes, problem):
    assert bool(cache_problem(step_bytes, 100)) is problem


@pytest.mark.parametrize(
    ("intensity", "basis", "ridge", "cached", "bound"),
    [
        (None, None, 10.0, "", None),
        (0.0, "defined", None, "", "memory"),
        (5.0, "lower bound", None, "", None),
        (5.0, "lower bound", 10.0, "", "memory"),
        (5.0, "lower bound", 10.0, CACHED, None),
        (10.0, "lower bound", 10.0, CACHED, "compute"),
        (11.0, "defined", 10.0, "", "compute"),
    ],
)
def test_the_limit(intensity, basis, ridge, cached, bound):
    found = verdict(intensity, basis, ridge, cached)
    assert found.bound == bound
    assert found.reason


def test_the_verdict_says_what_it_rests_on():
    assert "if what passes between its layers" in verdict(11.0, "lower bound", 10.0, "").reason
    assert "if what passes" not in verdict(11.0, "defined", 10.0, "").reason
    assert CACHED in verdict(5.0, "lower bound", 10.0, CACHED).reason
