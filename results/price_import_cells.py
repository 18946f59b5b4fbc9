"""What the readers of other tools' catalogues share: an offer of a row, and the texts of cells as numbers."""

from __future__ import annotations

import math
from typing import NamedTuple


class Refused(Exception):
    """A row, or one of its prices, that is not taken; the message says why, in words that many rows share."""


class Offer(NamedTuple):
    """One price of a catalogue's row, checked as far as its catalogue demands."""

    provider: str
    region: str
    instance_type: str
    accelerator: str  # our name; "" for none
    accelerator_count: int
    accelerator_memory_gib: float | None
    vcpus: int | None
    memory_gib: float | None
    pricing: str
    price: float
    note: str = ""  # for the source


NOT_SOLD = "no price (blank or 0): not sold there"
SPOT_ABOVE = "spot price above the on-demand price: one of the two is wrong"
FRACTIONAL = "a share of an accelerator: the price of a whole one cannot be told from it"
CELLS = "another number of cells than row 1"


def price(cell: str, column: str) -> float | None:
    """US dollars an hour; None for blank or zero, by which catalogues say that there is none.

    Raises:
        Refused: it is no plain number, or negative.
    """
    number = optional_number(cell)
    if number is None and cell.strip():
        raise Refused(f"column {column}: not a plain number of US dollars")
    if number is not None and number < 0:
        raise Refused(f"column {column}: negative")
    return number or None


def optional_number(cell: str) -> float | None:
    """A finite number, or None where the cell is blank or holds something else."""
    text = cell.strip()
    if not text.isascii() or "_" in text:  # float() takes more than a table should hold
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def whole(cell: str) -> int | None:
    """A whole number of at least 1 (``8`` or ``8.0``); None where it is none."""
    number = optional_number(cell)
    return int(number) if number is not None and number.is_integer() and 1 <= number < 1e9 else None


def positive(cell: str) -> float | None:
    """A positive number; None where it is none."""
    number = optional_number(cell)
    return number if number is not None and number > 0 else None


def accelerator_count(cell: str, column: str) -> int:
    """How many accelerators; blank is none.

    Raises:
        Refused: a share of one, or no number.
    """
    if not cell.strip():
        return 0
    number = optional_number(cell)
    if number is None or not 0 <= number < 1e6:
        raise Refused(f"column {column}: not a number of accelerators")
    if not number.is_integer():
        raise Refused(FRACTIONAL)
    return int(number)
