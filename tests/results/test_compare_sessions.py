"""Which sessions and processes count, and what is said where a case has nothing to show."""

from __future__ import annotations

import math

import msgspec

from tests.results.compared import SPEC, base, new, only, process, report, session
from tests.results.example_run import case

THIRD = case("resnet", "infer", "bf16", device="cuda:0")


def test_more_candidate_sessions_count():
    row = only(report([session("n1"), session("n2", 0.001)], base()))
    assert (row.judgement.num_sessions_new, row.judgement.num_processes_new) == (2, 10)


def test_a_session_given_twice_counts_once():
    row = only(report([*new(), *new()], [*base(), *base()]))
    assert (row.judgement.num_sessions_new, row.judgement.num_sessions_base) == (1, 3)
    assert sum("given twice" in text for text in row.warnings) == 4


def test_a_run_is_no_evidence_against_itself():
    row = only(report(new(), [*base(2), *new()]))
    assert row.judgement.num_sessions_base == 2
    assert "on both sides" in row.warnings[0]
    alone = report(new(), new())
    assert only(alone).verdict == "inconclusive"
    assert "on both sides" in only(alone).reason
    assert alone.exit_code == 4


def guarded(side, number, text="load: 9 is above 4"):
    made = [msgspec.structs.replace(p, failed_guards=(text,)) for p in side[0].processes[:number]]
    return [msgspec.structs.replace(side[0], processes=(*made, *side[0].processes[number:])), *side[1:]]


def test_a_failed_guard_of_the_candidate_bars_any_verdict():
    row = only(report(guarded(new(0.3), 2), base()))
    assert row.verdict == "inconclusive"
    assert row.reason.startswith(
        "noisy host: in 2 of 5 processes a guard failed (load in 2 of 5 processes: 9 is above 4)"
    )
    assert row.judgement.verdict == "slower"  # what the numbers alone say is there to be read
    assert report(guarded(new(), 1), base()).exit_code == 4


def test_baseline_processes_with_a_failed_guard_are_left_out():
    disturbed = guarded(base(), 2)
    slow = [msgspec.structs.replace(p, mean_step_s=p.mean_step_s * 2) for p in disturbed[0].processes[:2]]
    disturbed[0] = msgspec.structs.replace(disturbed[0], processes=(*slow, *disturbed[0].processes[2:]))
    row = only(report(new(), disturbed))
    assert (row.verdict, row.judgement.num_processes_base) == ("same", 13)
    assert row.warnings == (
        "baseline, session base0: 2 of 5 processes were left out, a guard failed: load in 2 of 5 processes: 9 is above 4",
    )
    whole = only(report(new(), guarded(base(), 5)))
    assert (whole.judgement.num_sessions_base, whole.judgement.num_processes_base) == (2, 10)
    every = only(report(new(), [s for one in base() for s in guarded([one], 5)]))
    assert every.verdict == "inconclusive"
    assert every.reason.startswith("no baseline process ran undisturbed")


def test_what_is_no_duration_is_no_evidence():
    for bad in (math.nan, math.inf, 0.0, -1.0):
        broken = [msgspec.structs.replace(new()[0], processes=(process(0, 0.0), process(1, 0.0, mean_step_s=bad)))]
        for sides in ((broken, base()), (base(), broken)):
            row = only(report(*sides))
            assert row.verdict == "inconclusive"
            assert "is no duration" in row.reason


# ---- what did not end well


def test_a_case_that_no_longer_works_is_never_passed_over():
    broken = new(processes=(), status="out_of_memory", problem="out_of_memory at prepare: 51 GB")
    found = report(broken, base())
    row = only(found)
    assert (row.failed, row.verdict, found.outcome, found.exit_code, found.num_failed) == (
        True, "inconclusive", "failed", 1, 1,
    )  # fmt: skip
    assert row.reason == "worked in the baseline and does not now: out_of_memory at prepare: 51 GB"


def test_one_process_that_died_is_not_passed_over_either():
    found = report(new(status="killed", left_out=("replicate 5: killed at measure: signal 9",)), base())
    row = only(found)
    assert (row.verdict, row.failed, found.outcome, found.exit_code) == ("same", True, "failed", 1)
    assert row.warnings == ("candidate, session new, replicate 5: killed at measure: signal 9",)
    as_before = report(new(status="killed"), base(status="killed"))
    assert (only(as_before).failed, as_before.exit_code) == (False, 0)


def test_what_never_worked_is_no_row():
    nothing = {"processes": (), "status": "unsupported", "problem": "unsupported: no FP8"}
    assert report([*new(**nothing), *new(spec=THIRD)], [*base(**nothing), *base(spec=THIRD)]).exit_code == 0
    assert report([*new(), *new(spec=THIRD)], [*base(**nothing), *base(spec=THIRD)]).exit_code == 0
    alone = report(new(**nothing), base(**nothing))
    assert (alone.rows, alone.outcome, alone.exit_code) == ((), "not-comparable", 5)
    assert "none that works" in alone.reason


def test_evidence_that_was_lost_is_inconclusive_on_either_side():
    lost = {"processes": (), "problem": "samples do not match their checksum"}
    for sides in ((new(**lost), base()), (new(), base(**lost))):
        found = report(*sides)
        assert (only(found).verdict, only(found).failed, found.exit_code) == ("inconclusive", False, 4)
        assert "checksum" in only(found).reason


def test_nothing_at_all():
    for sides in (([], []), (new(), []), ([], base())):
        found = report(*sides)
        assert (found.outcome, found.exit_code, found.rows) == ("not-comparable", 5, ())
    assert report(new(), []).only_in_candidate == (SPEC.label,)
    assert report([], base()).only_in_base == (SPEC.label,)
