"""The outcome of a check of counts as text."""

from __future__ import annotations

from results.case_summary import RunSummary
from results.count_check import CheckedRun, CountDifference, CountReport
from results.counts import ExpectedCounts
from results.record import Scalar
from results.render import json_text
from results.units import memory

COMPARED = "cases, work, parameters, peak memory and numerics"


def counts_text(counts: ExpectedCounts) -> str:
    """Expected counts as the file that holds them: indented JSON."""
    return json_text(counts)


def checked_json(summary: RunSummary, report: CountReport) -> str:
    """A run's summary as JSON with the outcome of its check as one more member."""
    members = {name: getattr(summary, name) for name in summary.__struct_fields__}
    return json_text(CheckedRun(**members, check=report))


def check_text(report: CountReport) -> str:
    """What differs, case by case, with both values; one line where nothing does."""
    lines = [f"check against {report.source}: {_verdict(report)}"]
    last = ""
    for difference in report.differences:
        if difference.case != last:
            lines.append(f"  {difference.case}")
            last = difference.case
        lines.append(f"    {_difference_text(difference)}")
    lines += [f"  note: {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def _verdict(report: CountReport) -> str:
    if report.passed:
        return f"passed, {report.num_cases_found} cases ({COMPARED} are as expected; speed is not checked)"
    number = len(report.differences)
    cases = f"{report.num_cases_found} cases, {report.num_cases_expected} expected"
    return f"FAILED, {number} {'difference' if number == 1 else 'differences'} ({cases})"


def _difference_text(difference: CountDifference) -> str:
    expected, found = (_value(difference.what, value) for value in (difference.expected, difference.found))
    why = f": {difference.reason}" if difference.reason else ""
    return f"{difference.what}: expected {expected}, found {found}{why}"


def _value(what: str, value: Scalar) -> str:
    if value is None:
        return "nothing"
    if what == "peak_memory_bytes" and isinstance(value, int):
        return f"{value} B ({memory(value)})"
    return str(value)
