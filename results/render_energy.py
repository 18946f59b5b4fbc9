"""The energy table of a summary, and what its electricity costs where a tariff is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from results import units
from results.case_summary import CaseSummary, Electricity, RunSummary
from results.energy_notes import energy_row_notes, is_short, mark
from results.notes import Notes, one_line
from results.render import TABLE_WIDTH, Shared, backend_text, precision_text, shared_by
from results.render_table import Block, TableColumn

HEADING = "energy"
NOTE_WIDTH = 5


class Column(NamedTuple):
    """Header, width, and the text of a case's cell."""

    header: str
    width: int
    cell: Callable[[CaseSummary], str]
    numeric: bool = True


def _per_item(case: CaseSummary) -> str:
    value, unit = case.energy_per_token_j, "token"
    if value is None:
        value, unit = case.energy_per_item_j, case.item_unit or "item"
    return units.NOT_AVAILABLE if value is None else f"{units.joules(value)}/{unit}{mark(case)}"


def _per_watt(case: CaseSummary) -> str:
    value = case.items_per_s_per_w if case.energy_per_token_j is None else case.tokens_per_s_per_w
    return units.NOT_AVAILABLE if value is None else units.number(value) + mark(case)


def _marked(case: CaseSummary, text: str) -> str:
    return text if text == units.NOT_AVAILABLE else text + mark(case)


COLUMNS = (
    Column("power", 8, lambda case: _marked(case, units.watts(case.average_power_w))),
    Column("J per item", 15, _per_item),
    Column("+-", 6, lambda case: units.half_width(case.energy_uncertainty)),
    Column("J/step", 8, lambda case: _marked(case, units.joules(case.energy_per_step_j))),
    Column("items/s/W", 9, _per_watt),
    Column("window", 7, lambda case: units.seconds(case.energy_window_s) + ("*" if is_short(case) else "")),
)
# Shown only where it is not the same in all rows; the notes say it once else.
SCOPE = Column("scope", 11, lambda case: one_line(case.energy_scope) or units.NOT_AVAILABLE, False)


def energy_blocks(summary: RunSummary, notes: Notes) -> list[Block]:
    """The energy table, then that of electricity, as blocks of the terminal report; none without any energy."""
    blocks = []
    cases = _cases(summary)
    if cases:
        columns = _columns(cases)
        rows = [[column.cell(case) for column in columns] for case in cases]
        blocks.append(_block(HEADING, cases, columns, rows, [notes.refer(energy_row_notes(c)) for c in cases], summary))
    if summary.electricity and _has_price(summary.electricity):
        priced, columns, rows, reasons = _priced(summary, summary.electricity)
        refs = [notes.refer(texts) for texts in reasons]
        blocks.append(_block(price_heading(summary.electricity), priced, columns, rows, refs, summary))
    return blocks


def energy_markdown(summary: RunSummary) -> str:
    """The same as GitHub-flavoured markdown with the rows' notes written out; empty without any energy."""
    from results.render_markdown import escape

    cases, tables = _cases(summary), []
    if cases:
        columns = _columns(cases)
        rows = [[column.cell(case) for column in columns] for case in cases]
        tables.append((HEADING, cases, columns, rows, [energy_row_notes(case) for case in cases]))
    if summary.electricity and _has_price(summary.electricity):
        tables.append((price_heading(summary.electricity), *_priced(summary, summary.electricity)))
    pages = []
    for heading, shown, columns, rows, texts in tables:
        notes = Notes()
        names = [_names(case, summary) for case in shown]
        headers = ["case", "backend", *(column.header for column in columns), "note"]
        lines = [f"**{escape(heading)}**", "", f"| {' | '.join(headers)} |"]
        lines.append("| --- | --- | " + " | ".join("---:" if c.numeric else "---" for c in columns) + " | --- |")
        for name, row, text in zip(names, rows, texts, strict=True):
            lines.append(f"| {' | '.join(map(escape, [*name, *row, notes.refer(text)]))} |")
        numbered = [f"{number}. {escape(text)}" for number, text in notes.lines()]
        pages.append("\n".join([*lines, *(["", *numbered] if numbered else [])]) + "\n")
    return "\n".join(pages)


def price_heading(electricity: Electricity) -> str:
    """``electricity at $0.12 per kWh, PUE 1``."""
    return f"electricity at ${electricity.tariff_usd_per_kwh:g} per kWh, PUE {electricity.pue:g}"


def electricity_notes(summary: RunSummary) -> list[str]:
    """What the dollars leave out, or that there are none."""
    if summary.electricity is None:
        return []
    if not _has_price(summary.electricity):
        return ["electricity n/a: no case of this run has an energy per step"]
    return [f"electricity: {one_line(text)}" for text in summary.electricity.warnings]


def _has_price(electricity: Electricity) -> bool:
    return any(cost.usd_per_1k_steps is not None for cost in electricity.cases)


def _cases(summary: RunSummary) -> list[CaseSummary]:
    return [case for case in summary.cases if case.energy_j is not None]


def _columns(cases: Sequence[CaseSummary]) -> list[Column]:
    return [*COLUMNS[:-1], *([SCOPE] if len({case.energy_scope for case in cases}) > 1 else []), COLUMNS[-1]]


Priced = tuple[list[CaseSummary], list[Column], list[list[str]], list[list[str]]]


def _priced(summary: RunSummary, electricity: Electricity) -> Priced:
    """Cases that were measured, columns, cells and notes."""
    both = [(case, cost) for case, cost in zip(summary.cases, electricity.cases, strict=True) if case.numbers_from]
    columns = [Column(f"$/1M {unit}s", 12, _scope) for unit in ("token", "item")]
    columns += [Column("$/1k steps", 11, _scope), Column("+-", 6, _scope)]
    rows = [
        [
            _marked(case, units.usd(cost.usd_per_1m_tokens)),
            _marked(case, units.usd(cost.usd_per_1m_items)),
            _marked(case, units.usd(cost.usd_per_1k_steps)),
            units.half_width(cost.half_width),
        ]
        for case, cost in both
    ]
    reasons = [[f"electricity n/a: {cost.reason}"] if cost.reason else energy_row_notes(case) for case, cost in both]
    return [case for case, _ in both], columns, rows, reasons


def _scope(case: CaseSummary) -> str:
    return case.energy_scope


def _names(case: CaseSummary, summary: RunSummary) -> tuple[str, str]:
    spec = case.case
    name = f"{spec.workload}/{spec.preset} {spec.phase} {precision_text(spec, case.support)} b{spec.batch_size}"
    return name, backend_text(spec, _shared(summary))


def _shared(summary: RunSummary) -> Shared:
    return shared_by([case.case for case in summary.cases])


def _block(
    heading: str, cases: Sequence[CaseSummary], columns: Sequence[Column], rows: Sequence[Sequence[str]],
    notes: Sequence[str], summary: RunSummary,
) -> Block:  # fmt: skip
    """Case and backend in front, notes behind; the backend is left out where all have the same."""
    names = [_names(case, summary) for case in cases]
    with_backend = len({backend for _, backend in names}) > 1
    made = [TableColumn("backend", 11, False)] if with_backend else []
    made += [TableColumn(column.header, column.width, column.numeric) for column in columns]
    made.append(TableColumn("note", NOTE_WIDTH, False))
    room = TABLE_WIDTH - sum(column.width + 1 for column in made)
    longest = max([len("case"), *(len(name) for name, _ in names)])
    made.insert(0, TableColumn("case", min(room, longest), False))
    cells = [
        [name, *([backend] if with_backend else []), *row, note]
        for (name, backend), row, note in zip(names, rows, notes, strict=True)
    ]
    return Block(heading, made, cells)
