"""Scorecards as a table, Markdown, JSON or CSV; what kind of number a cell is stands beside it in text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from results import units
from results.notes import Notes, one_line
from results.records import Scalar
from results.render import TABLE_WIDTH, csv_text, json_text
from results.render_table import Block, TableColumn, compose
from results.scorecard_own import INVALID
from results.scorecard_record import Cell, DeviceScorecards, Scorecard, ScorecardReport
from results.scorecard_rows import ROWS

# Kind -> the mark behind a number; an empty cell has n/a and the number of a note.
MARKS: Mapping[str, str] = {"measured": "m", "derived": "d", "published": "p", "imported": "i", "empty": ""}
LEGEND = (
    "m: measured by chipmark on this device; d: derived by chipmark from such a number, or from the published one "
    "beside it, and the price table or the device table; p: published by somebody else, cited in the note; "
    "i: measured by the user with another tool; "
    "!: of an invalid result, not to be compared; n/a: not known, for the reason in the note"
)
APART = "published and imported results stand in cards of their own: they are not compared with chipmark's"
CSV_COLUMNS = (
    "device", "row", "role", "mode", "origin", "workload", "precision", "batch_size", "backend", "run_id", "case_ids",
    "quantity", "kind", "value", "low", "high", "unit", "half_width", "source", "reason", "notes", "card_notes",
)  # fmt: skip
_PLAIN = {"s": units.seconds, "W": units.watts}


def render_scorecards(
    report: ScorecardReport, output_format: str, width: int = TABLE_WIDTH, color: bool = False
) -> str:
    """Scorecards as text in one of :data:`results.render.FORMATS`, ending in a newline."""
    if output_format == "json":
        return json_text(report)
    if output_format == "csv":
        return csv_text(CSV_COLUMNS, _flat(report))
    notes = Notes()
    header = [f"scorecards of {', '.join(report.run_ids) or 'imported results'}"]
    if output_format == "markdown":
        return _markdown(report, header, notes)
    blocks = [block for device in report.devices for block in _blocks(device, notes)]
    return compose(header, blocks, notes, _general(report), _last_line(report), width, color)


def cell_text(cell: Cell) -> str:
    """``12.3 ms +-1.2 % m``: the number in three digits, its unit, its 95 % half-width and the mark of its kind."""
    if cell.kind == "empty" or (cell.value is None and cell.low is None):
        return units.NOT_AVAILABLE
    spread = "" if cell.low is None or cell.high is None else f"{_number(cell, cell.low)} to {_number(cell, cell.high)}"
    text = spread if cell.value is None else _number(cell, cell.value) + (f" ({spread})" if spread else "")
    unit = _unit_text(cell.unit)
    half_width = "" if cell.half_width is None else f" +-{units.half_width(cell.half_width)}"
    invalid = "!" if INVALID in cell.notes else ""
    return one_line(f"{text}{unit}{half_width} {MARKS[cell.kind]}{invalid}")


def device_heading(device: DeviceScorecards) -> str:
    """``NVIDIA H100 80GB HBM3 (H100, both)``; without a row, the name alone."""
    named = one_line(device.device)
    return f"{named} ({device.row}, role {device.role})" if device.row else f"{named} (not in the device table)"


def card_heading(card: Scorecard) -> str:
    """Mode, workload, precision, batch, backend, and where it is from if not from chipmark."""
    batch = "" if card.batch_size is None else f" b{card.batch_size}"
    origin = "" if card.origin == "chipmark" else f"{card.origin}: "
    return one_line(f"{card.mode}: {origin}{card.workload} {card.precision}{batch} {card.backend}")


def _number(cell: Cell, value: float) -> str:
    if cell.unit.startswith("$"):
        return units.usd(value)
    if cell.unit in _PLAIN:
        return _PLAIN[cell.unit](value)
    if cell.unit.startswith("J"):
        return units.joules(value)
    if cell.unit == "1":
        return units.percent(value)
    return units.count(value) if "/" in cell.unit else units.ratio(value)


def _unit_text(unit: str) -> str:
    if unit in _PLAIN or unit in ("1", "$", "J"):
        return ""
    if unit.startswith(("$", "J")):
        return unit[1:]
    return f" {unit}" if unit else ""


class _Pair(NamedTuple):
    """Two cards side by side; either may be missing."""

    training: Scorecard | None
    inference: Scorecard | None


def _pairs(device: DeviceScorecards) -> list[_Pair]:
    """Cards of the same workload side by side, own before published."""
    keys = dict.fromkeys(_pair_key(card) for card in (*device.training, *device.inference))
    found = []
    for key in keys:
        training = [card for card in device.training if _pair_key(card) == key]
        inference = [card for card in device.inference if _pair_key(card) == key]
        found += [_Pair(*pair) for pair in zip_longest(training, inference)]
    return sorted(found, key=lambda pair: (pair.training or pair.inference or _NO_CARD).origin != "chipmark")


_NO_CARD = Scorecard(
    mode="training", origin="chipmark", workload="", precision="", batch_size=None, backend="", cells={}
)


def _pair_key(card: Scorecard) -> tuple[object, ...]:
    """Own cards are paired by workload and preset, whatever their shape."""
    workload = card.workload.split(" v")[0] if card.origin == "chipmark" else card.workload
    return card.origin, workload, card.precision


def _blocks(device: DeviceScorecards, notes: Notes) -> Iterable[Block]:
    columns = [
        TableColumn("training", 20, False),
        TableColumn("value", 22, False),
        TableColumn("note", 5, False),
        TableColumn("inference", 20, False),
        TableColumn("value", 22, False),
        TableColumn("note", 5, False),
    ]
    for pair in _pairs(device):
        left, right = _lines(pair.training, notes), _lines(pair.inference, notes)
        rows = [[*a, *b] for a, b in zip_longest(left, right, fillvalue=("", "", ""))]
        named = [card_heading(card) for card in pair if card is not None]
        yield Block("\n".join([device_heading(device), *named]), columns, rows)


def _lines(card: Scorecard | None, notes: Notes) -> list[tuple[str, str, str]]:
    """(row, value, numbers of its notes) of every row of a card, in the order of its mode."""
    if card is None:
        return [("(no card)", "", "")]
    if card.notes and all(cell.kind == "empty" for cell in card.cells.values()):
        return [("no numbers", units.NOT_AVAILABLE, notes.refer(list(card.notes)))]
    lines = [
        (title, cell_text(card.cells[name]), notes.refer(_cell_notes(card.cells[name])))
        for name, title in ROWS[card.mode].items()
        if name in card.cells
    ]
    return [*lines, ("notes of the card", "", notes.refer(list(card.notes)))] if card.notes else lines


def _cell_notes(cell: Cell) -> list[str]:
    """Why it is empty, what is to be known of it, and for what is not chipmark's own its source."""
    cited = [cell.source] if cell.source and cell.kind in ("published", "imported", "derived") else []
    return [text for text in (cell.reason, *cell.notes, *cited) if text]


def _general(report: ScorecardReport) -> list[str]:
    origins = {card.origin for device in report.devices for card in (*device.training, *device.inference)}
    apart = [APART] if origins - {"chipmark"} else []
    terms = report.terms
    used = (
        f"dollars: the measured rate is kept up {units.percent(terms.utilisation)} of the rented time "
        f"(utilisation {terms.utilisation:g}); {units.percent(terms.lost_fraction)} of spot time is taken to be lost"
    )
    return [LEGEND, used, *apart, *(one_line(f"warning: {text}") for text in report.warnings)]


def _last_line(report: ScorecardReport) -> str:
    training = sum(len(device.training) for device in report.devices)
    inference = sum(len(device.inference) for device in report.devices)
    return f"{len(report.devices)} devices, {training} training and {inference} inference scorecards"


def _markdown(report: ScorecardReport, header: Sequence[str], notes: Notes) -> str:
    from results.render_markdown import markdown_page

    columns = [(name, False) for name in ("device", "card", "row", "value", "note")]
    rows = [
        [device_heading(device), card_heading(card), *line]
        for device in report.devices
        for pair in _pairs(device)
        for card in pair
        if card is not None
        for line in _lines(card, notes)
    ]
    return markdown_page(header, columns, rows, notes, _general(report), _last_line(report))


def _flat(report: ScorecardReport) -> Iterable[dict[str, Scalar]]:
    for device in report.devices:
        for card in (*device.training, *device.inference):
            for name in ROWS[card.mode]:
                if name in card.cells:
                    yield _flat_cell(device, card, name, card.cells[name])


def _flat_cell(device: DeviceScorecards, card: Scorecard, name: str, cell: Cell) -> dict[str, Scalar]:
    return {
        "device": device.device, "row": device.row, "role": device.role, "mode": card.mode, "origin": card.origin,
        "workload": card.workload, "precision": card.precision, "batch_size": card.batch_size,
        "backend": card.backend, "run_id": card.run_id,
        "case_ids": " ".join(f"{phase}={case_id}" for phase, case_id in card.case_ids.items()),
        "quantity": name, "kind": cell.kind, "value": cell.value, "low": cell.low, "high": cell.high,
        "unit": cell.unit, "half_width": cell.half_width, "source": cell.source, "reason": cell.reason,
        "notes": "; ".join(cell.notes), "card_notes": "; ".join(card.notes),
    }  # fmt: skip
