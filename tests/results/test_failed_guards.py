from __future__ import annotations

from results.failed_guards import by_guard

PROCESSES = [("steal: 9 %", "load: 5"), (), ("load: 6",), ("pressure: high", "spread")]


def test_each_guard_once_with_its_first_reason():
    assert by_guard(PROCESSES) == [
        "steal in 1 of 4 processes: 9 %",
        "load in 2 of 4 processes: 5",
        "pressure in 1 of 4 processes: high",
        "spread in 1 of 4 processes: no reason was given",
    ]
    assert by_guard([(), ()]) == []


def test_of_many_some_are_counted():
    assert by_guard(PROCESSES, limit=3)[3:] == ["1 more guard"]
    assert by_guard(PROCESSES, limit=2)[2:] == ["2 more guards"]
    assert len(by_guard(PROCESSES, limit=4)) == 4
