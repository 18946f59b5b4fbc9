"""Sessions of a baseline that were measured one right after the other."""

from __future__ import annotations

import msgspec
import pytest

from results.sessions_apart import num_apart, num_close
from tests.results.compared import base, new, only, report


def times(*minutes):
    return [f"2026-01-01T{m // 60:02}:{m % 60:02}:00+00:00" for m in minutes]


@pytest.mark.parametrize(("created_at", "apart"), [
    ([], 0), (times(0), 1), (times(0, 1, 2), 1), (times(0, 60, 120), 3), (times(120, 0, 60), 3), (times(0, 59, 61), 2),
    (["2026-01-01T00:00:00", "2026-01-01T01:30:00+01:00"], 1), (["nonsense", *times(0)], 1),
])  # fmt: skip
def test_how_many_are_apart(created_at, apart):
    assert num_apart(created_at) == apart
    assert num_close(created_at) == len(created_at) - apart


def test_one_session_is_close_to_none():
    assert num_close(["nonsense"]) == 0


def at(minutes):
    return [msgspec.structs.replace(b, created_at=t) for b, t in zip(base(3), times(*minutes), strict=True)]


def test_three_sessions_within_minutes_call_only_clear_changes():
    assert only(report(new(0.04), at((0, 61, 122)))).verdict == "slower"
    row = only(report(new(0.04), at((0, 1, 2))))
    assert row.verdict == "inconclusive"
    assert "2 of 3 baseline sessions lie within an hour of another" in row.reason
    assert only(report(new(0.1), at((0, 1, 2)))).verdict == "slower"


def test_sessions_that_take_no_part_are_close_to_none():
    disturbed, *rest = at((0, 60, 120))
    extra = msgspec.structs.replace(
        disturbed, session_id="disturbed", created_at=times(1)[0],
        processes=tuple(msgspec.structs.replace(p, failed_guards=("steal: 9 %",)) for p in disturbed.processes),
    )  # fmt: skip
    assert only(report(new(0.04), [disturbed, extra, *rest])).verdict == "slower"
