"""A comparison as GitHub-flavoured markdown: a comment on a pull request.

First what one needs to know, then the rows that are not the same, then all of it folded away.
"""

from __future__ import annotations

from collections.abc import Sequence

from results.compare_text import (
    LEGEND,
    METRIC_LABELS,
    SIDES_LEGEND,
    TAU_LEGEND,
    TOLD_LEGEND,
    case_text,
    change_with_interval,
    counts_text,
    energy_legend,
    general_lines,
    last_line,
    outcome_text,
    row_reasons,
    shared_circumstances,
    side_text,
    sides,
    throughput_change,
    verdict_text,
)
from results.comparison import CaseComparison, ComparisonReport, Difference
from results.notes import Notes, one_line
from results.render_compare_table import MAX_ROWS, shown_rows
from results.render_markdown import escape

# GitHub refuses comments of more than 65,536 characters.
MAX_CHARACTERS = 60_000
_COLUMNS = (
    ("case", False), ("metric", False), ("change", True), ("throughput", True), ("base v new", False),
    ("verdict", False), ("note", False),
)  # fmt: skip
# Besides, where all of it is shown.
_DETAILS = (("tau", True), ("p", True), ("adjusted p", True))


def markdown(report: ComparisonReport) -> str:
    """The comment; as many rows as a comment may hold."""
    limit = MAX_ROWS
    text = _comment(report, limit)
    while len(text) > MAX_CHARACTERS and limit:
        limit //= 2
        text = _comment(report, limit)
    return text


def _comment(report: ComparisonReport, limit: int) -> str:
    telling = [row for row in report.rows if row.failed or (row.gating and row.verdict != "same")]
    shared = shared_circumstances(report.rows)
    head = [
        f"**chipmark: {escape(one_line(outcome_text(report)))}** ({escape(counts_text(report))})",
        "",
        escape(last_line(report)),
        "",
        f"- {escape(side_text('candidate', report.candidate))}",
        f"- {escape(side_text('base', report.base))}",
        *(f"- {escape(line)}" for line in general_lines(report)),
    ]
    parts = ["\n".join(head)]
    if telling:
        parts.append(_table(telling, shared, limit, details=False))
    if report.rows:
        legends = [
            LEGEND,
            *energy_legend(report.rows),
            SIDES_LEGEND,
            TAU_LEGEND,
            *([TOLD_LEGEND] if any(not row.gating for row in report.rows) else []),
        ]
        whole = "\n".join(
            [_table(report.rows, shared, limit, details=True), "", *(f"- {escape(line)}" for line in legends)]
        )
        parts.append(
            f"<details><summary>All {len(report.rows)} rows, and how to read them</summary>\n\n{whole}\n\n</details>"
        )
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[CaseComparison], shared: Sequence[Difference], limit: int, details: bool) -> str:
    notes = Notes()
    shown, left_out = shown_rows(rows, limit)
    columns = [*_COLUMNS, *(_DETAILS if details else ())]
    cells = [[*_row(row, notes, shared), *(_details(row) if details else ())] for row in shown]
    lines = [
        _line([title for title, _ in columns]),
        _line(["---:" if right else "---" for _, right in columns]),
        *(_line([escape(cell) for cell in row]) for row in cells),
    ]
    if notes.lines():
        lines += ["", *(f"{number}. {escape(text)}" for number, text in notes.lines())]
    if left_out:
        lines += ["", *(f"- {escape(text)}" for text in left_out)]
    return "\n".join(lines)


def _row(row: CaseComparison, notes: Notes, shared: Sequence[Difference]) -> list[str]:
    return [
        case_text(row),
        METRIC_LABELS[row.metric],
        change_with_interval(row.judgement),
        throughput_change(row),
        sides(row.judgement),
        verdict_text(row),
        notes.refer(row_reasons(row, shared)),
    ]


def _details(row: CaseComparison) -> list[str]:
    """The drift between sessions as a change, and the p-value before and after the others are counted."""
    judgement = row.judgement
    if judgement is None:
        return ["", "", ""]
    tau = f"{100 * judgement.tau:.2f} %" if judgement.tau is not None else ""
    return [tau, *(f"{p:.2g}" if p is not None else "" for p in (judgement.p_value, row.p_adjusted))]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
