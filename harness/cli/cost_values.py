"""Values of the options of ``chipmark cost``: numbers and durations, each refused in one line."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    _Numbers = click.ParamType[float | int]
    _Durations = click.ParamType[float]
else:  # not every click that will do has generic types
    _Numbers = _Durations = click.ParamType

# ASCII digits alone: int() and float() would also take those of other scripts, underscores, nan and infinity.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DURATION_S = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
MAX_SHOWN = 40  # characters of a value that is none
MAX_SECONDS = 1e10  # three centuries
MAX_DIGITS = 400  # more is no number that anybody measured


def number(text: str) -> float | None:
    """A finite number out of plain ASCII text, or None."""
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    # 1e-400 is 0 to a float, and was not meant as that.
    meant_zero = not re.search("[1-9]", re.split("[eE]", text)[0])
    return value if math.isfinite(value) and (value != 0 or meant_zero) else None


class Number(_Numbers):
    """A finite number in a range.

    Args:
        what: what to give, for messages: ``a share above 0 and at most 1``.
        above: it must be larger; None: no such limit.
        least: it must not be smaller.
        most: it must not be larger.
        below: it must be smaller.
        whole: whether it must be a whole number; it is then an int.
    """

    name = "number"

    def __init__(
        self, what: str, *, above: float | None = None, least: float = -math.inf, most: float = math.inf,
        below: float = math.inf, whole: bool = False,
    ) -> None:  # fmt: skip
        self._what, self._above, self._least, self._most = what, above, least, most
        self._below, self._whole = below, whole

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        """The number, or a usage error that says what to give."""
        if isinstance(value, int | float):
            return value  # a default
        found = number(str(value).strip())
        if found is None or not self._fits(found):
            self.fail(f"{shown(str(value))} is not {self._what}", param, ctx)
        return int(found) if self._whole else found

    def _fits(self, value: float) -> bool:
        if self._whole and (value != int(value) or value > 2**53):
            return False
        above = self._above is None or value > self._above
        return above and self._least <= value <= self._most and value < self._below


class Duration(_Durations):
    """Seconds: ``0.05``, ``50ms``, ``2 s``."""

    name = "duration"

    def __init__(self, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, or a usage error that says what to give."""
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(.*?)\s*([mun]?s)?", str(value).strip(), re.DOTALL)
        amount = number(found[1]) if found else None
        seconds = None if amount is None or found is None else amount * _DURATION_S[found[2] or ""]
        if seconds is None or not 0 <= seconds <= MAX_SECONDS or (seconds == 0 and not self._zero):
            least = "0 or more" if self._zero else "above 0"
            self.fail(f"{shown(str(value))} is no time {least}: write seconds, for example 0.05 or 50ms", param, ctx)
        return seconds


def shown(text: str) -> str:
    """A value in a message: quoted, on one line, not too long."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
