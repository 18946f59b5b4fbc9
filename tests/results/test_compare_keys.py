"""What refuses a comparison, and what is told and does not."""

from __future__ import annotations

import msgspec
import pytest

from results.comparison import Difference
from results.errors import ExitCode
from tests.results.compared import SESSIONS, SPEC, base, new, only, report, session


def test_a_key_that_differs_refuses_with_both_values():
    row = only(report(new(keys={"power_limit_w": 500.0}), base(keys={"power_limit_w": 700.0})))
    assert row.verdict == "not-comparable"
    assert row.differences == (Difference(key="power_limit_w", base=700.0, new=500.0),)
    assert row.reason == "power_limit_w is 700 in the baseline and 500 here"
    assert row.judgement is None


@pytest.mark.parametrize("changes", [{"workload_version": 2}, {"seed": 9}])
def test_another_version_or_seed_is_refused_and_not_another_case(changes):
    found = report(new(spec=msgspec.structs.replace(SPEC, **changes)), base())
    assert only(found).verdict == "not-comparable"
    assert [d.key for d in only(found).differences] == list(changes)
    assert found.exit_code == 5


def test_a_key_that_one_side_does_not_know_is_told_and_refused_only_if_strict():
    sides = new(keys={"power_limit_w": 700.0}), base()
    row = only(report(*sides))
    assert row.verdict == "same"
    assert row.circumstances == (Difference(key="power_limit_w", base=None, new=700.0),)
    assert only(report(*sides, strict=True)).verdict == "not-comparable"


def test_circumstances_are_told_and_refused_only_if_strict():
    sides = new(context={"driver": "570"}), base()
    row = only(report(*sides))
    assert (row.verdict, row.circumstances) == ("same", (Difference(key="driver", base="560", new="570"),))
    strict = report(*sides, strict=True)
    assert (strict.exit_code, strict.strict) == (5, True)
    assert only(strict).differences == (Difference(key="driver", base="560", new="570"),)
    assert only(report(new(), base(), strict=True)).verdict == "same"


def test_circumstances_of_many_sessions_are_compared_as_sets():
    hosts = [msgspec.structs.replace(s, context={"host_id": h}) for s, h in zip(base(), "abb", strict=True)]
    both = [session(f"n{h}", context={"host_id": h}) for h in "ba"]
    both = [msgspec.structs.replace(s, context={"host_id": s.context["host_id"]}) for s in both]
    assert only(report(both, hosts)).circumstances == ()
    assert only(report(both[:1], hosts)).circumstances == (Difference(key="host_id", base="a | b", new="b"),)


def test_baseline_sessions_that_do_not_fit_are_left_out_and_told():
    other = session("other", 0.3, keys={"device_name": "A100"})
    row = only(report(new(), [*base(), other]))
    assert (row.verdict, row.judgement.num_sessions_base) == ("same", 3)
    assert row.warnings == ("1 of 4 baseline sessions were left out: they differ in device_name",)


def test_candidates_that_differ_among_themselves_are_refused():
    row = only(report([*new(), session("new2", keys={"device_name": "A100"})], base()))
    assert row.verdict == "not-comparable"
    assert row.warnings == ("the candidate's own sessions differ",)


def _several(number):
    return [session(f"new{i}", SESSIONS[i]) for i in range(number)]


def _limited(sessions, *limits):
    return [
        msgspec.structs.replace(s, keys=s.keys | {"power_limit_w": limit})
        for s, limit in zip(sessions, limits, strict=True)
    ]


def test_what_any_session_knows_of_a_key_is_held_against_the_other_side():
    known = _limited(base(), 400, None, 400)
    for limits in ((None, 300), (300, None)):
        found = report(_limited(_several(2), *limits), known)
        assert found.exit_code == ExitCode.NOT_COMPARABLE
        assert {d.key for d in found.rows[0].differences} == {"power_limit_w"}


@pytest.mark.parametrize("limits", [(300, None, 400), (None, 400, 300)])
def test_a_side_that_disagrees_with_itself_is_refused(limits):
    for candidate, baseline in ((new(), _limited(base(), *limits)), (_limited(_several(3), *limits), base())):
        row = report(candidate, baseline).rows[0]
        assert row.verdict == "not-comparable"
        assert any("own sessions differ" in text for text in row.warnings)
