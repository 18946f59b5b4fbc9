"""The summary as a terminal table: one block for each workload, preset and shape.

The widths are chosen so that every line fits :data:`results.render.TABLE_WIDTH` columns; what is
longer wraps within its cell.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.notes import Notes, general_notes
from results.render import (
    TABLE_WIDTH,
    Shared,
    backend_text,
    counts_line,
    header_lines,
    precision_text,
    shape_text,
    shared_by,
    status_text,
)

if TYPE_CHECKING:
    from rich.console import Console

# More than this does not make a table easier to read.
MAX_SPARE = 30


class TableColumn(NamedTuple):
    """Header, width in characters, and whether it holds numbers (right-aligned)."""

    name: str
    width: int
    numeric: bool


class Block(NamedTuple):
    """The rows under one heading."""

    heading: str
    columns: list[TableColumn]
    rows: list[list[str]]


def table(summary: RunSummary, *, width: int, color: bool) -> str:
    """The whole report; plain text unless ``color``."""
    from results.render_ceilings import ceiling_blocks, ceiling_notes
    from results.render_cost_own import own_cost
    from results.render_energy import electricity_notes, energy_blocks

    notes = Notes(summary.cases)
    shared = shared_by([case.case for case in summary.cases])
    blocks = [_block(cases, notes, shared) for cases in group_cases(summary.cases)]
    header = header_lines(summary.run, [case.case for case in summary.cases])
    own = own_cost(summary)
    blocks += [*ceiling_blocks(summary), *energy_blocks(summary, notes), *own.blocks]
    general = [*general_notes(summary), *ceiling_notes(summary), *electricity_notes(summary), *own.notes]
    return compose(header, blocks, notes, general, counts_line(summary.counts), width, color)


def group_cases(cases: Iterable[CaseSummary]) -> list[list[CaseSummary]]:
    """Cases of the same workload, version, preset and shape, in order of first appearance."""
    groups: dict[tuple[object, ...], list[CaseSummary]] = {}
    for case in cases:
        spec = case.case
        key = (spec.workload, spec.workload_version, spec.preset, tuple(spec.shape.items()))
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def group_heading(cases: Sequence[CaseSummary]) -> str:
    """``llm-decoder/tiny v1, sequence_length=64``."""
    spec = cases[0].case
    shape = shape_text(spec)
    return f"{spec.workload}/{spec.preset} v{spec.workload_version}" + (f", {shape}" if shape else "")


def item_header(cases: Sequence[CaseSummary]) -> str:
    """``token/s``; plain ``items/s`` while nothing was measured."""
    unit = next((case.item_unit for case in cases if case.item_unit), "items")
    return f"{unit}/s"


def throughput_cell(case: CaseSummary) -> str:
    """The scaled throughput, marked ``!`` if the result is invalid."""
    mark = "!" if case.numbers_from == "invalid" else ""
    return units.count(case.throughput_per_s) + mark


def error_cell(case: CaseSummary) -> str:
    """The error against FP32; the FP32 case itself is the reference."""
    if case.numerics_verdict == "reference":
        return "reference"
    return units.ratio(case.numerics_error)


def _block(cases: Sequence[CaseSummary], notes: Notes, shared: Shared) -> Block:
    columns = [
        TableColumn("phase", 7, False),
        TableColumn("precision", 9, False),
        TableColumn("batch", 5, True),
        TableColumn("backend", 11, False),
        TableColumn(item_header(cases), 10, True),
        TableColumn("p50", 7, True),
        TableColumn("p90", 7, True),
        TableColumn("p99", 7, True),
        TableColumn("error", 9, True),
        TableColumn("status", 13, False),
        TableColumn("note", 5, False),
    ]
    rows = [
        [
            case.case.phase,
            precision_text(case.case, case.support),
            str(case.case.batch_size),
            backend_text(case.case, shared),
            throughput_cell(case),
            units.seconds(case.latency_p50_s),
            units.seconds(case.latency_p90_s),
            units.seconds(case.latency_p99_s),
            error_cell(case),
            status_text(case),
            notes.of_case(case),
        ]
        for case in cases
    ]
    return Block(group_heading(cases), columns, rows)


def compose(
    header: Sequence[str],
    blocks: Sequence[Block],
    notes: Notes,
    general: Sequence[str],
    last_line: str,
    width: int,
    color: bool,
) -> str:
    """Header, blocks, numbered notes, general notes and a last line, as text."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        emoji=False,
        markup=False,
    )
    for line in header:
        console.print(line)
    for block in blocks:
        console.print()
        console.print(Text(block.heading, style="bold"))
        _print_block(console, block, max(0, width - TABLE_WIDTH))
    if notes.lines() or general:
        console.print()
    for number, text in notes.lines():
        _print_hanging(console, f"[{number}] ", text)
    for text in general:
        _print_hanging(console, "- ", text)
    console.print()
    console.print(last_line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print_block(console: Console, block: Block, spare: int) -> None:
    """``spare`` columns of a wide terminal go to the backend, whose options may be long."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in block.columns:
        extra = min(spare, MAX_SPARE) if column.name == "backend" else 0
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        grid.add_column(column.name, width=column.width + extra, justify=justify, overflow="fold")
    for row in block.rows:
        grid.add_row(*(Text(cell) for cell in row))
    console.print(grid)


def _print_hanging(console: Console, lead: str, text: str) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(width=len(lead))
    grid.add_column(overflow="fold")
    grid.add_row(Text(lead), Text(text))
    console.print(grid)
