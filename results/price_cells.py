"""The cells of a price table, and what must hold between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results.errors import did_you_mean
from results.price_row import PriceRow

PRICINGS = ("on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block")
PRICE_UNITS = ("instance", "accelerator", "chip")
# The dearest accelerators are rented at a few tens of dollars an hour, the dearest instances at a few hundred.
MAX_USD_PER_HOUR = 1000.0
# The smallest instances cost half a cent; less is a slip of the unit, and in the end dollars of 0.
MIN_USD_PER_HOUR = 0.0005
MAX_TEXT = 500  # characters of a cell
# Cells of these columns hardly repeat.
UNIQUE = ("price_usd_per_hour",)
_CURRENCY = re.compile(r"[$€£¥]|\b(usd|eur|gbp|jpy|cny|inr)\b", re.IGNORECASE)


def _text(cell: str) -> str:
    cell = cell.strip()
    if not cell:
        raise ValueError("must not be empty")
    if len(cell) > MAX_TEXT:
        raise ValueError(f"has {len(cell)} characters, at most {MAX_TEXT} are taken")
    if not cell.isprintable():
        raise ValueError(f"{cell[:40]!r} holds control characters")
    return cell


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: parse(cell) if cell.strip() else None


def _count(cell: str) -> int:
    cell = cell.strip()
    if not cell.isascii() or not cell.isdigit() or len(cell) > 9:
        raise ValueError(f"{cell[:40]!r} is not a whole number")
    return int(cell)


def positive(cell: str) -> float:
    """A positive number in plain notation.

    Raises:
        ValueError: it is none.
    """
    cell = cell.strip()
    try:
        if not cell.isascii() or "_" in cell:  # float() takes more than a table should hold
            raise ValueError(cell)
        number = float(cell)
    except ValueError:
        raise ValueError(f"{cell[:40]!r} is not a number") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{cell[:40]!r} is not a positive number")
    return number


def _price(cell: str) -> float:
    try:
        return positive(cell)
    except ValueError as error:
        hint = ": write a plain number of US dollars, with a point" if _CURRENCY.search(cell) or "," in cell else ""
        raise ValueError(f"{error}{hint}") from None


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def parse(cell: str) -> str:
        if cell.strip() not in names:
            near = did_you_mean(cell.strip(), names)
            raise ValueError(f"{cell.strip()[:40]!r} is none of {', '.join(names)}{near if 'mean' in near else ''}")
        return cell.strip()

    return parse


def _date(cell: str) -> str:
    from results.price_age import parse_date

    cell = cell.strip()
    if cell != "unknown":
        parse_date(cell)
    return cell


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "provider": _text,
    "region": _optional(_text),
    "instance_type": _text,
    "accelerator": _optional(_text),
    "accelerator_count": _count,
    "accelerator_memory_gib": _optional(positive),
    "vcpus": _optional(_count),
    "memory_gib": _optional(positive),
    "pricing": _one_of(PRICINGS),
    "price_usd_per_hour": _price,
    "unit": _one_of(PRICE_UNITS),
    "as_of": _date,
    "source": _text,
}


def check_row(row: PriceRow) -> tuple[str, str] | None:
    """(column, what is wrong) of a row whose cells do not fit together; None if they do."""
    if row.unit != "instance" and row.accelerator_count > 1:
        return "accelerator_count", f"must be 1 where unit is {row.unit}"
    if (row.accelerator is None) != (row.accelerator_count == 0):
        return "accelerator_count", "must be 0 if and only if accelerator is empty"
    if row.unit != "instance" and row.accelerator is None:
        return "unit", f"{row.unit}, but no accelerator is named"
    if row.price_usd_per_hour < MIN_USD_PER_HOUR:
        return "price_usd_per_hour", (
            f"{row.price_usd_per_hour:g} cannot be: nothing is rented for less than {MIN_USD_PER_HOUR:g} US dollars"
        )
    if row.price_usd_per_hour >= MAX_USD_PER_HOUR * max(1, row.accelerator_count):
        what = "an hour of one accelerator" if row.accelerator_count else "an hour of an instance without accelerators"
        return "price_usd_per_hour", (
            f"{row.price_usd_per_hour:g} cannot be: {what} costs less than {MAX_USD_PER_HOUR:g} US dollars"
        )
    return None
