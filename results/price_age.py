"""How old a price is."""

from __future__ import annotations

from datetime import date

# Accelerator prices move within a quarter; past this a price is named old.
MAX_AGE_DAYS = 90


def parse_date(as_of: str) -> date:
    """``2026-07-20``, or ``2024-12``, which counts as the first of the month.

    Raises:
        ValueError: it is neither.
    """
    parts = as_of.split("-")
    try:
        if len(as_of) == 7 and len(parts) == 2:
            return date(int(parts[0]), int(parts[1]), 1)
        return date.fromisoformat(as_of)
    except ValueError:
        raise ValueError(f"{as_of!r} is not a date (YYYY-MM-DD or YYYY-MM) and not 'unknown'") from None


def age_warning(as_of: str, today: date) -> str:
    """A warning if a price is old or of unknown age, else ``""``."""
    if as_of == "unknown":
        return "the date of this price is unknown: check it before use"
    days = (today - parse_date(as_of)).days
    if days <= MAX_AGE_DAYS:
        return ""
    return f"this price is of {as_of}, {days} days ago (more than {MAX_AGE_DAYS}): check it before use"
