"""What might be passed over in a comparison, and is not."""

from __future__ import annotations

import msgspec
import pytest

from results.errors import ExitCode
from tests.results.compared import base, new, only, report


def test_two_cases_of_a_run_that_differ_only_in_seed_or_scenarios_are_two():
    def both(sessions, scale=1.0):
        other = [
            msgspec.structs.replace(
                s,
                case=msgspec.structs.replace(s.case, scenarios=("throughput",)),
                processes=tuple(msgspec.structs.replace(p, mean_step_s=p.mean_step_s * scale) for p in s.processes),
            )
            for s in sessions
        ]
        return [*sessions, *other]

    rows = [row for row in report(both(new(), 2.0), both(base())).rows if row.gating]
    assert [row.verdict for row in rows] == ["same", "slower"]


@pytest.mark.parametrize("worked", [True, False])
def test_damaged_evidence_of_a_case_that_worked_is_no_sign_that_it_never_did(worked):
    broken = [
        msgspec.structs.replace(s, processes=(), status="failed", ended_well=worked, problem="raw samples changed")
        for s in base()
    ]
    found = report(new(processes=(), status="failed"), broken)
    assert [row.failed for row in found.rows] == ([True] if worked else [])
    assert found.exit_code == (ExitCode.CASE_FAILED if worked else ExitCode.NOT_COMPARABLE)


def test_a_baseline_case_that_was_not_measured_is_said():
    unmeasured = [
        msgspec.structs.replace(s, processes=(), status="missing", problem="was never measured") for s in base()
    ]
    row = only(report(new(), unmeasured))
    assert row.verdict == "inconclusive"
    assert "was never measured" in row.reason


def test_a_disturbed_candidate_is_not_told_that_more_sessions_would_help():
    (disturbed,) = new()
    processes = tuple(msgspec.structs.replace(p, failed_guards=("steal: 9 %",)) for p in disturbed.processes)
    row = only(report([msgspec.structs.replace(disturbed, processes=processes)], base()))
    assert "noisy host" in row.reason
    assert row.judgement.sessions_needed is None


def test_cases_that_are_gone_are_in_the_last_word():
    other = [msgspec.structs.replace(s, case=msgspec.structs.replace(s.case, workload="other")) for s in base()]
    found = report(new(), [*base(), *other])
    assert found.reason.endswith("; 1 of the baseline not in the candidate")
