"""Words of a published system that make it another part than the device table's: power limits, slices, quiet modes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_WATTS = r"(?P<watts>\d[\d,.]*) ?(?P<kilo>k?)W"
# What is stated as a power of the part itself, and may well be its rated one.
_STATED = (
    re.compile(rf"{_WATTS} ?(?:TGP|TDP)", re.IGNORECASE),
    re.compile(rf"(?:TGP|TDP)[ :=]*(?:of |set to )?{_WATTS}", re.IGNORECASE),
)
# What limits it.
_LIMITED = (
    re.compile(
        r"power[ _-]?(?:cap\w*|limit\w*)(?:[ :=_-]*(?:set to |of |to |at )?(?P<watts>\d[\d,.]*) ?(?P<kilo>k?)W?)?",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:limited|capped) (?:to|at) {_WATTS}", re.IGNORECASE),
    re.compile(r"(?:^|\s)(?:-pl|--power-limit)[ =](?P<watts>\d[\d,.]*)(?P<kilo>)", re.IGNORECASE),
)
_LESSER = re.compile(r"\bmax[ -]?q\b|(?<![a-z0-9])maxq(?![a-z0-9])|\bMIG\b|\bvGPU\b", re.IGNORECASE)


class Limit(NamedTuple):
    """The words, the watts they name (None: none), and whether they only state a power."""

    words: str
    watts: float | None
    stated: bool


def limits_in(texts: Iterable[str]) -> list[Limit]:
    """Everything in ``texts`` that says at which power, or as which part of itself, an accelerator ran."""
    found: dict[tuple[str, float | None], Limit] = {}
    for text in texts:
        for pattern in (*_LIMITED, *_STATED):
            for match in pattern.finditer(text):
                limit = Limit(match[0].strip(), _watts(match["watts"], match["kilo"]), pattern in _STATED)
                found.setdefault((limit.words.lower(), limit.watts), limit)
        for match in _LESSER.finditer(text):
            found.setdefault((match[0].lower(), None), Limit(match[0], None, False))
    return list(found.values())


def another_part(limits: Iterable[Limit], device: str, tdp_w: float | None) -> tuple[str, list[str]]:
    """Why this is not ``device`` as the table has it ("" if it may be), and what to say of it.

    A power that is stated, not set, is taken for the rated one where the table has none.
    """
    reason, doubts = "", []
    for limit in limits:
        if limit.watts is not None and limit.watts == tdp_w:
            continue
        if limit.stated and tdp_w is None:
            continue
        rated = f", rated at {tdp_w:g} W" if tdp_w else ""
        doubts.append(f"{limit.words!r}: not run as the {device} of the device table{rated}")
        reason = reason or f"{limit.words!r}: not the configuration of {device} in the device table"
    return reason, doubts


def _watts(number: str | None, kilo: str | None) -> float | None:
    if not number:
        return None
    try:
        watts = float(number.replace(",", "").rstrip("."))
    except ValueError:
        return None
    return watts * 1000 if (kilo or "").lower() == "k" else watts
