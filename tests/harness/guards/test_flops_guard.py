"""Counted over analytic FLOPs: which steps are counted, and the verdict."""

from __future__ import annotations

import pytest

from backends.base import FlopCount
from harness.guards.base import Unreadable
from harness.guards.flops import flops_guard
from harness.timed_loop import Position
from results.records import Work
from tests.harness.fakes import FakeClock, FakeStep


class CountingStep(FakeStep):
    """Step ``i`` does ``cost(i)`` FLOPs; says which were counted."""

    def __init__(self, cost) -> None:
        super().__init__(FakeClock(), lambda i: 1)
        self.cost, self.counted = cost, []

    def count_flops(self, first: int, steps: int) -> FlopCount:
        for i in range(first, first + steps):
            self.run(i)
            self.counted.append(i)
        return FlopCount(sum(self.cost(i) for i in range(first, first + steps)))


def work(flops: int, steps: int = 1) -> Work:
    return Work(steps=steps, items=1, item_unit="token", flops=flops)


@pytest.mark.parametrize(
    ("counted", "verdict", "threshold"),
    [
        (1000, "PASS", 1.01),
        (1009, "PASS", 1.01),
        (991, "PASS", 0.99),
        (1011, "WARN", 1.01),
        (936, "WARN", 0.99),
        (0, "WARN", 0.99),
    ],
)
def test_it_warns_outside_of_one_percent(counted: int, verdict: str, threshold: float) -> None:
    step, position = CountingStep(lambda i: counted), Position(1)
    position.take(5)
    guard = flops_guard(step, work(1000), position)
    assert (guard.value, guard.verdict, guard.threshold) == (counted / 1000, verdict, threshold)
    assert step.counted == [5]


def test_a_short_cycle_is_counted_whole_from_its_start() -> None:
    step, position = CountingStep(lambda i: 10 + i % 4), Position(4)
    position.take(6)
    guard = flops_guard(step, work(10 + 11 + 12 + 13, 4), position)
    assert (guard.value, guard.verdict) == (1.0, "PASS")
    assert step.seen == [6, 7, 8, 9, 10, 11]
    assert step.counted == [8, 9, 10, 11]


def test_of_a_long_cycle_both_ends_are_counted_and_it_is_said() -> None:
    step, position = CountingStep(lambda i: 500 + 3 * (i % 40)), Position(40)
    position.take(40)
    guard = flops_guard(step, work(sum(500 + 3 * k for k in range(40)), 40), position)
    assert (guard.value, guard.verdict) == (1.0, "PASS")
    assert "first and last of 40 steps" in guard.reason
    assert step.counted == [40, 79]
    assert step.seen == list(range(40, 80))  # no gaps


def test_unknown_where_nobody_counts() -> None:
    with pytest.raises(Unreadable, match="does not count FLOPs"):
        flops_guard(FakeStep(FakeClock(), lambda i: 1), work(5), Position(1))
    step = CountingStep(lambda i: 1)
    step.count_flops = lambda first, steps: FlopCount(None, "compiled code")
    with pytest.raises(Unreadable, match="compiled code"):
        flops_guard(step, work(5), Position(1))
