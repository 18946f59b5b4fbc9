"""Guards below a table: few lines, the worst reading, nothing lost."""

from __future__ import annotations

from results.case_summary import CaseSummary
from results.guard_notes import BARRED, guard_case_notes, guard_notes
from results.records import Guard
from results.rows import flat_row
from tests.results.example_run import case


def guard(name: str, verdict: str, value: float | None = None, reason: str = "", threshold: float = 0.05) -> Guard:
    return Guard(name=name, value=value, threshold=threshold, verdict=verdict, reason=reason)  # type: ignore[arg-type]


def summary(*guards: Guard) -> CaseSummary:
    spec = case("resnet", "infer", "fp32")
    return CaseSummary(case_id=spec.id, case=spec, status="ok", num_replicates=1, latency_kind="latency", guards=guards)


def test_one_line_a_guard_with_the_worst_reading() -> None:
    cases = [
        summary(guard("step_spread", "FAIL", 0.06, "sd 6 %"), guard("smt", "WARN", 1, "two threads share a core")),
        summary(guard("step_spread", "FAIL", 0.34, "sd 34 %"), guard("smt", "WARN", 1, "two threads share a core")),
        summary(guard("step_spread", "WARN", 0.03, "sd 3 %", 0.02), guard("governor", "UNKNOWN", None, "a VM")),
        summary(guard("flops", "UNKNOWN", None, "int8"), guard("governor", "UNKNOWN", None, "a VM")),
        summary(guard("flops", "UNKNOWN", None, "compiled"), guard("governor", "UNKNOWN", None, "a VM")),
    ]
    assert guard_notes(cases) == [
        "guard step_spread FAIL in 2, WARN in 1 of 5 cases: worst: sd 34 %",
        "guard smt WARN in 2 of 5 cases: two threads share a core",
        "guards that could not be judged, of 5 cases: governor in 3 (a VM), flops in 2 (int8, and 1 more)",
    ]


def test_of_a_share_that_must_be_high_the_lowest_is_the_worst() -> None:
    cases = [summary(guard("cpu_time_share", "FAIL", v, f"{v:.0%}", 0.95)) for v in (0.9, 0.4, 0.8)]
    assert guard_notes(cases) == ["guard cpu_time_share FAIL in 3 of 3 cases: worst: 40%"]


def test_replicates_count_as_one_case() -> None:
    one = summary(guard("steal", "FAIL", 0.3, "a"), guard("steal", "FAIL", 0.4, "b"))
    assert guard_notes([one]) == ["guard steal FAIL in 1 of 1 cases: worst: b"]
    assert flat_row(one)["guards"] == "steal=FAIL"


def test_nothing_to_say_is_no_line() -> None:
    assert guard_notes([]) == guard_notes([summary()]) == []


def test_only_a_fail_marks_the_row_and_all_by_the_same_note() -> None:
    assert guard_case_notes(summary(guard("smt", "WARN", 1), guard("ecc", "UNKNOWN"))) == []
    assert guard_case_notes(summary(guard("steal", "FAIL", 1), guard("ecc", "FAIL", 1))) == [BARRED]
