"""The columns of the template for results of any other tool, and what may stand in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from results.errors import did_you_mean
from results.imported_record import Quantity
from results.imports.cells import CellError, count, positive, shown, text
from results.price_age import parse_date

MAX_TEXT = 500  # characters of a cell
PHASES = ("train", "infer", "prefill", "decode")


class TemplateUnit(NamedTuple):
    """Unit and factor of the stored value, and which way is better."""

    unit: str
    factor: float
    better: Literal["higher", "lower"]


def _rates(*items: str) -> dict[str, TemplateUnit]:
    return {f"{item}/s": TemplateUnit(f"{item}/s", 1.0, "higher") for item in items}


def _scaled(unit: str, **factors: float) -> dict[str, TemplateUnit]:
    return {name: TemplateUnit(unit, factor, "lower") for name, factor in factors.items()}


# Quantity -> unit as written -> what is stored.
UNITS: Mapping[Quantity, Mapping[str, TemplateUnit]] = {
    "throughput": _rates("token", "sample", "image", "query"),
    "latency": _scaled("s", s=1.0, ms=1e-3, us=1e-6),
    "time_to_train": _scaled("s", s=1.0, min=60.0, h=3600.0),
    "power": _scaled("W", W=1.0, mW=1e-3, kW=1e3),
    "energy_per_query": _scaled("J", J=1.0, mJ=1e-3),
}


def _text(cell: str, column: str) -> str:
    if len(cell) > MAX_TEXT:
        raise CellError(f"column {column}: has {len(cell)} characters, at most {MAX_TEXT} are taken")
    if not cell.isprintable():
        raise CellError(f"column {column}: {shown(cell)} holds control characters")
    return text(cell)


def _needed(cell: str, column: str) -> str:
    if not cell:
        raise CellError(f"column {column}: must not be empty")
    return _text(cell, column)


def _choice(names: tuple[str, ...]) -> Callable[[str, str], str]:
    def parse(cell: str, column: str) -> str:
        if cell not in names:
            near = did_you_mean(cell[:60], names)
            hint = near if "mean" in near else ""
            raise CellError(f"column {column}: {shown(cell)} is none of {', '.join(names)}{hint}")
        return cell

    return parse


def _date(cell: str, column: str) -> str:
    try:
        measured = parse_date(cell)
    except ValueError:
        raise CellError(f"column {column}: {shown(cell)} is not a date (YYYY-MM-DD or YYYY-MM)") from None
    if measured > date.today():
        raise CellError(f"column {column}: {cell} is yet to come")
    return cell


def _whole(cell: str, column: str) -> int | None:
    number = count(cell, column)
    if number == 0:
        raise CellError(f"column {column}: 0 is not a number of anything: leave it empty")
    return number


def _optional(parse: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    return lambda cell, column: parse(cell, column) if cell else None


PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "device": _needed,
    "vendor": _needed,
    "tool": _needed,
    "tool_version": _needed,
    "measured_by": _needed,
    "date": _date,
    "workload": _needed,
    "workload_notes": _text,
    "phase": _optional(_choice(PHASES)),
    "precision": _needed,
    "batch_size": _whole,
    "quantity": _choice(tuple(UNITS)),
    "value": positive,
    "unit": _needed,
    "num_accelerators": _whole,
    "power_w": _optional(positive),
    "power_scope": _text,
    "accuracy": _text,
    "source": _needed,
    "notes": _text,
}


def unit_of(quantity: Quantity, written: str) -> TemplateUnit:
    """What a unit is.

    Raises:
        CellError: the quantity has no such unit; lists those it has.
    """
    known = UNITS[quantity]
    if written not in known:
        raise CellError(f"column unit: {shown(written)} is no unit of {quantity}: choose from {', '.join(known)}")
    return known[written]
