"""Numbers in tables of results: taken as they stand, or refused with the column."""

from __future__ import annotations

import math
import re
import sys

MAX_SHOWN = 40  # characters of a cell in a message
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' ]\d{3})+(\.\d*)?")


class CellError(ValueError):
    """A cell is wrong; the message starts with its column."""


def positive(cell: object, column: str) -> float:
    """A number above zero.

    Args:
        cell: of a CSV file (text) or a JSON file (text or number).
        column: for the message.

    Raises:
        CellError: it is empty, no number, not finite, or not above zero.
    """
    number = _number(cell, column)
    if not math.isfinite(number) or number <= 0:
        raise CellError(f"column {column}: {shown(cell)} is not a number above zero")
    return number


def count(cell: object, column: str) -> int | None:
    """A whole number from 0; None for an empty cell.

    Raises:
        CellError: it is neither.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    number = _number(cell, column)
    if not math.isfinite(number) or number < 0 or number != int(number) or number > 1e9:
        raise CellError(f"column {column}: {shown(cell)} is not a whole number")
    return int(number)


def flag(cell: object, column: str) -> bool:
    """Whether a cell of 0/1 or True/False is set; empty counts as not set.

    Raises:
        CellError: it is something else.
    """
    known = {"0": False, "0.0": False, "false": False, "": False, "1": True, "1.0": True, "true": True}
    text = "" if cell is None else str(cell).strip().lower()
    if text not in known:
        raise CellError(f"column {column}: {shown(cell)} is neither 0 nor 1")
    return known[text]


def text(cell: object) -> str:
    """A cell as plain text on one line; None is ``""``."""
    return "" if cell is None else "".join(c for c in " ".join(str(cell).split()) if c.isprintable())


def shown(cell: object) -> str:
    """A cell in a message: short, and without control characters."""
    return repr(str(cell)[:MAX_SHOWN])


def _number(cell: object, column: str) -> float:
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)):
        raise CellError(f"column {column}: {'is empty' if cell is None else f'{shown(cell)} is not a number'}")
    if not isinstance(cell, str):
        try:
            return float(cell)
        except OverflowError:
            raise CellError(f"column {column}: {shown(cell)} is too large") from None
    plain = cell.strip()
    if not plain:
        raise CellError(f"column {column}: is empty")
    if _THOUSANDS.fullmatch(plain):
        raise CellError(f"column {column}: {shown(cell)} has separators of thousands: write a plain number")
    try:
        if not plain.isascii() or "_" in plain:  # float() takes more than a table should hold
            raise ValueError(plain)
        return float(plain)
    except ValueError:
        raise CellError(f"column {column}: {shown(cell)} is not a number") from None


def sane(value: float | None, column: str) -> float | None:
    """``value`` after conversions, if a file can hold it and it still means something.

    Raises:
        CellError: it became infinite, zero, or so small that its digits are lost.
    """
    if value is not None and not (sys.float_info.min <= value < math.inf):
        raise CellError(f"column {column}: is too large or too small to be a result once it is converted")
    return value
