"""A comparison as a terminal table: one block for each workload, preset and shape."""

from __future__ import annotations

from collections.abc import Sequence

from results.compare_text import (
    LEGEND,
    METRIC_LABELS,
    SIDES_LEGEND,
    TOLD_LEGEND,
    change_with_interval,
    energy_legend,
    general_lines,
    heading,
    last_line,
    row_reasons,
    shared_circumstances,
    short_case,
    side_text,
    sides,
    verdict_text,
)
from results.comparison import CaseComparison, ComparisonReport, Difference
from results.notes import Notes
from results.render_table import Block, TableColumn, compose

# Longer tables show only the rows that are not the same, and of these so many.
MAX_ROWS = 200
COLUMNS = [
    TableColumn("case", 28, False),
    TableColumn("metric", 9, False),
    TableColumn("change", 23, True),
    TableColumn("base v new", 12, False),
    TableColumn("verdict", 16, False),
    TableColumn("note", 6, False),
]


def table(report: ComparisonReport, width: int, color: bool) -> str:
    """The whole report; plain text unless ``color``."""
    notes = Notes()
    rows, left_out = shown_rows(report.rows)
    shared = shared_circumstances(report.rows)
    blocks = [_block(group, notes, shared) for group in _grouped(rows)]
    header = [side_text("candidate", report.candidate), side_text("base", report.base)]
    legends = [LEGEND, *energy_legend(rows), SIDES_LEGEND] if rows else []
    if any(not row.gating for row in rows):
        legends.append(TOLD_LEGEND)
    general = [*legends, *left_out, *general_lines(report)]
    return compose(header, blocks, notes, general, last_line(report), width, color)


def shown_rows(rows: Sequence[CaseComparison], limit: int = MAX_ROWS) -> tuple[list[CaseComparison], list[str]]:
    """The rows to show, and what to say about the others."""
    if len(rows) <= limit:
        return list(rows), []
    telling = [row for row in rows if row.failed or row.verdict != "same"]
    # What counts comes first where not even these can all be shown.
    ordered = sorted(telling, key=lambda row: (not row.failed, row.verdict != "slower", not row.gating))[:limit]
    kept = {id(row) for row in ordered}
    said = ["--format json has all rows"]
    if len(telling) < len(rows):
        said.append(f"{len(rows) - len(telling)} rows that are the same are not shown")
    if len(telling) > limit:
        said.append(f"{len(telling) - limit} of {len(telling)} other rows are not shown")
    return [row for row in telling if id(row) in kept], said


def _grouped(rows: Sequence[CaseComparison]) -> list[list[CaseComparison]]:
    groups: dict[str, list[CaseComparison]] = {}
    for row in rows:
        groups.setdefault(heading(row), []).append(row)
    return list(groups.values())


def _block(rows: Sequence[CaseComparison], notes: Notes, shared: Sequence[Difference]) -> Block:
    cells = []
    before = ""
    for row in rows:
        name = short_case(row)
        cells.append([
            "" if name == before else name,
            METRIC_LABELS[row.metric],
            change_with_interval(row.judgement),
            sides(row.judgement),
            verdict_text(row),
            notes.refer(row_reasons(row, shared)),
        ])  # fmt: skip
        before = name
    return Block(heading(rows[0]), COLUMNS, cells)
