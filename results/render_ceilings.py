"""The second table of a summary: every case against the ceilings, columns as far as they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.render import TABLE_WIDTH, Shared, backend_text, shared_by
from results.render_table import Block, TableColumn

HEADING = "against the ceilings"


class CeilingColumn(NamedTuple):
    """A column: its header, width, and the text of a case's cell; n/a where nothing is known."""

    header: str
    width: int
    cell: Callable[[CaseSummary], str]


def _intensity(case: CaseSummary) -> str:
    mark = "<" if case.bytes_basis == "lower bound" and case.arithmetic_intensity is not None else ""
    return mark + units.number(case.arithmetic_intensity)


def _share(value: float | None) -> str:
    """In percent with one decimal, so that a column can be read from top to bottom."""
    if value is None:
        return units.NOT_AVAILABLE
    return "<0.1 %" if 0 < value < 0.001 else f"{100 * value:.1f} %"


COLUMNS: tuple[CeilingColumn, ...] = (
    CeilingColumn("FLOP/s", 6, lambda case: units.count(case.flops_per_s)),
    CeilingColumn("MFU", 7, lambda case: _share(case.mfu)),
    CeilingColumn("of gemm", 7, lambda case: _share(case.ceiling_fraction)),
    CeilingColumn("of copy", 7, lambda case: _share(case.bandwidth_fraction)),
    CeilingColumn("FLOP/B", 6, _intensity),
    CeilingColumn("bound by", 8, lambda case: case.bound or units.NOT_AVAILABLE),
)
# n/a in one of these is explained below the table, once for each reason.
_EXPLAINED = (("MFU", "mfu"), ("of gemm", "ceiling_fraction"), ("of copy", "bandwidth_fraction"))


def has_ceilings(summary: RunSummary) -> bool:
    """Whether any case has something to be held against."""
    yardsticks = ("peak_flops_per_s", "ceiling_flops_per_s", "ceiling_bytes_per_s")
    return any(getattr(case, name) is not None for case in summary.cases for name in yardsticks)


def ceiling_blocks(summary: RunSummary) -> list[Block]:
    """The table as a block of the terminal report; none where there is nothing to compare with."""
    if not has_ceilings(summary):
        return []
    shared = shared_by([case.case for case in summary.cases])
    chosen = _known_columns(summary)
    rows = _rows(summary, chosen, shared)
    backend_width = max(len("backend"), min(11, max(len(row[1]) for row in rows)))
    columns = [TableColumn("backend", backend_width, False)]
    columns += [TableColumn(column.header, column.width, column.header != "bound by") for column in chosen]
    room = TABLE_WIDTH - sum(column.width + 1 for column in columns)
    columns.insert(0, TableColumn("case", min(room, max(len(row[0]) for row in rows)), False))
    return [Block(HEADING, columns, rows)]


def ceiling_notes(summary: RunSummary) -> list[str]:
    """What the columns mean, and why cells are empty."""
    if not has_ceilings(summary):
        return []
    shown = {column.header for column in _known_columns(summary)}
    notes = [note for header, note in _meanings(summary) if header in shown]
    for header, name in _EXPLAINED:
        reasons = dict.fromkeys(getattr(case, f"{name}_reason") for case in _measured(summary))
        listed = [reason for reason in reasons if reason and reason not in _PLAIN]
        if listed:
            notes.append(f"{header} n/a: " + "; ".join(listed))
    return notes


# Nobody expects a number there.
_PLAIN = ("the workload has no matrix products", "the result is invalid")


def ceilings_markdown(summary: RunSummary) -> str:
    """The table and its notes as GitHub-flavoured markdown; empty where there is nothing to compare with."""
    from results.render_markdown import escape

    if not has_ceilings(summary):
        return ""
    shared, chosen = shared_by([case.case for case in summary.cases]), _known_columns(summary)
    headers = ["case", "backend", *(column.header for column in chosen)]
    lines = [f"**{HEADING}**", "", f"| {' | '.join(headers)} |"]
    lines.append("| --- | --- | " + " | ".join(["---:"] * len(chosen)) + " |")
    lines += [f"| {' | '.join(map(escape, row))} |" for row in _rows(summary, chosen, shared)]
    return "\n".join([*lines, "", *(f"- {escape(note)}" for note in ceiling_notes(summary))]) + "\n"


def _measured(summary: RunSummary) -> list[CaseSummary]:
    return [case for case in summary.cases if case.numbers_from is not None]


def _known_columns(summary: RunSummary) -> list[CeilingColumn]:
    cases = _measured(summary)
    return [column for column in COLUMNS if any(column.cell(case) != units.NOT_AVAILABLE for case in cases)]


def _rows(summary: RunSummary, columns: Sequence[CeilingColumn], shared: Shared) -> list[list[str]]:
    return [
        [_name(case), backend_text(case.case, shared), *(column.cell(case) for column in columns)]
        for case in _measured(summary)
    ]


def _name(case: CaseSummary) -> str:
    spec = case.case
    mark = ", functional only" if case.functional_only else ""
    return f"{spec.workload}/{spec.preset} {spec.phase} {spec.precision} b{spec.batch_size}{mark}"


def _meanings(summary: RunSummary) -> list[tuple[str, str]]:
    cases = _measured(summary)
    peaks = _peaks(cases)
    gemms = _named(cases, "ceiling_source", "ceiling_flops_per_s", units.flops)
    copies = _named(cases, "ceiling_bytes_source", "ceiling_bytes_per_s", units.bandwidth)
    return [
        ("MFU", f"MFU: of the dense peak: {peaks}"),
        ("of gemm", f"of gemm: of the best matrix product of this run: {gemms}"),
        ("of copy", f"of copy: bytes that had to move, of the best copy or triad of this run: {copies}"),
        ("FLOP/B", "FLOP/B: FLOPs over bytes that had to move, < where these are a lower bound"),
        ("bound by", "bound by: the limit that FLOP/B leads to, near or far; `chipmark show --explain CASE` says more"),
    ]


def _named(cases: Sequence[CaseSummary], source: str, value: str, format_value: Callable[[float | None], str]) -> str:
    """Each yardstick once, with its value."""
    found = {getattr(case, source): getattr(case, value) for case in cases if getattr(case, value) is not None}
    return "; ".join(f"{name} {format_value(number)}" for name, number in found.items())


def _peaks(cases: Sequence[CaseSummary]) -> str:
    """Each peak once, then each source once: that of many peaks is the same row."""
    sourced = [case for case in cases if case.peak_flops_per_s is not None]
    parts = [(*case.peak_source.partition(", ")[::2], case.peak_flops_per_s) for case in sourced]
    peaks = dict.fromkeys(f"{what} {units.flops(per_s)}" for what, _, per_s in parts)
    sources = dict.fromkeys(source for _, source, _ in parts)
    return ", ".join(peaks) + f" ({'; '.join(sources)})"
