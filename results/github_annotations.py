"""A comparison as GitHub annotations: workflow commands that a job prints.

GitHub shows ten errors, warnings and notices of a step; the rest is counted in the last line, which
is plain text.
"""

from __future__ import annotations

from collections.abc import Iterator

from results.compare_text import METRIC_LABELS, all_reasons, case_text, last_line, numbers_text, unpaired, word
from results.comparison import CaseComparison, ComparisonReport
from results.notes import one_line

# Of each level, as GitHub shows them.
MAX_PER_LEVEL = 10
LEVELS = {
    "failed": "error",
    "slower": "error",
    "not-comparable": "error",
    "inconclusive": "warning",
    "faster": "notice",
}


def github_annotations(report: ComparisonReport) -> str:
    """Workflow commands, one a line, and the whole verdict in the end."""
    left = dict.fromkeys(("error", "warning", "notice"), MAX_PER_LEVEL)
    lines, left_out = [], 0
    for level, title, message in _found(report):
        if left[level] <= 0:
            left_out += 1
            continue
        left[level] -= 1
        lines.append(f"::{level} title={escape_property(title)}::{escape_data(message)}")
    if left_out:
        lines.append(f"{left_out} more are not shown; --format json has all")
    return "\n".join([*lines, last_line(report)]) + "\n"


def escape_data(text: str) -> str:
    """A command's message, on one line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """A command's property, which a colon or comma would end."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _found(report: ComparisonReport) -> Iterator[tuple[str, str, str]]:
    """Level, title and message; the worst first."""
    rows = [row for row in report.rows if row.failed or row.gating]
    for verdict, level in LEVELS.items():
        level = "notice" if verdict == "inconclusive" and report.allow_inconclusive else level
        for row in rows:
            if verdict == ("failed" if row.failed else row.verdict):
                yield level, f"chipmark: {word(row)}", _message(row)
    for level, what, labels in (
        ("warning", "not in the candidate", report.only_in_base),
        ("notice", "no baseline", report.only_in_candidate),
    ):
        for text in unpaired(what, labels):
            yield level, "chipmark", text
    for text in report.warnings:
        yield "warning", "chipmark", one_line(text)


def _message(row: CaseComparison) -> str:
    return "\n".join([f"{case_text(row)}, {METRIC_LABELS[row.metric]}{numbers_text(row)}", *all_reasons(row)])
