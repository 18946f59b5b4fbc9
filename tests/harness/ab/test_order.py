from __future__ import annotations

from harness.ab.order import halves, turns


def test_sides_take_turns_as_abba():
    assert "".join(side for _, side in halves(4)) == "abbaabba"
    assert [pair for pair, _ in halves(3)] == [0, 0, 1, 1, 2, 2]


def test_a_drift_that_is_linear_in_time_cancels():
    for pairs in (2, 8, 40):
        times = {"a": 0, "b": 0}
        for time, (_, side) in enumerate(halves(pairs)):
            times[side] += time
        assert times["a"] == times["b"]
    assert turns(0) != turns(1)
