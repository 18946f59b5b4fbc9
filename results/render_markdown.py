"""The summary as a GitHub-flavoured markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.notes import Notes, general_notes
from results.render import (
    Shared,
    backend_text,
    counts_line,
    header_lines,
    precision_text,
    shape_text,
    shared_by,
    status_text,
)
from results.render_table import error_cell

_COLUMNS = (
    ("workload", False), ("phase", False), ("precision", False), ("batch", True), ("backend", False),
    ("throughput", True), ("p50", True), ("p90", True), ("p99", True), ("error vs FP32", True),
    ("status", False), ("note", False),
)  # fmt: skip


def markdown(summary: RunSummary) -> str:
    """Header, table, notes and counts."""
    from results.render_ceilings import ceilings_markdown
    from results.render_cost_own import own_cost
    from results.render_energy import electricity_notes, energy_markdown
    from results.render_markdown_blocks import block_markdown

    notes = Notes(summary.cases)
    shared = shared_by([case.case for case in summary.cases])
    rows = [_row(case, notes, shared) for case in summary.cases]
    header = header_lines(summary.run, [case.case for case in summary.cases])
    own = own_cost(summary)
    general = [*general_notes(summary), *electricity_notes(summary), *own.notes]
    page = markdown_page(header, _COLUMNS, rows, notes, general, counts_line(summary.counts))
    cost = "".join(f"{block_markdown(block)}\n" for block in own.blocks)
    return "\n".join(part for part in (page, ceilings_markdown(summary), energy_markdown(summary), cost) if part)


def markdown_page(
    header: Sequence[str],
    columns: Sequence[tuple[str, bool]],
    rows: Sequence[Sequence[str]],
    notes: Notes,
    general: Sequence[str],
    last_line: str,
) -> str:
    """A page; ``columns`` are (title, right-aligned)."""
    lines = [f"- {escape(line)}" for line in header]
    lines += [
        "",
        _line(title for title, _ in columns),
        _line("---:" if right else "---" for _, right in columns),
    ]
    lines += [_line(escape(cell) for cell in row) for row in rows]
    numbered = [f"{number}. {escape(text)}" for number, text in notes.lines()]
    lines += ["", *numbered] if numbered else []
    lines += ["", *(f"- {escape(text)}" for text in general)] if general else []
    return "\n".join([*lines, "", escape(last_line)]) + "\n"


def escape(text: str) -> str:
    """Text that neither ends a cell nor starts markup or a tag."""
    for character in "\\|*_`<>[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _row(case: CaseSummary, notes: Notes, shared: Shared) -> list[str]:
    spec = case.case
    shape = shape_text(spec)
    throughput = units.NOT_AVAILABLE
    if case.throughput_per_s is not None:
        mark = "!" if case.numbers_from == "invalid" else ""
        throughput = f"{units.count(case.throughput_per_s)} {case.item_unit}/s{mark}"
    return [
        f"{spec.workload}/{spec.preset} v{spec.workload_version}" + (f" {shape}" if shape else ""),
        spec.phase,
        precision_text(spec, case.support),
        str(spec.batch_size),
        backend_text(spec, shared),
        throughput,
        units.seconds(case.latency_p50_s),
        units.seconds(case.latency_p90_s),
        units.seconds(case.latency_p99_s),
        error_cell(case),
        status_text(case),
        notes.of_case(case),
    ]
