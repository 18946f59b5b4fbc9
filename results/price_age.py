"""How old a price is."""

from __future__ import annotations

import re
from datetime import date

# Accelerator prices move within a quarter; past this a price is named old.
MAX_AGE_DAYS = 90


def parse_date(as_of: str) -> date:
    """``2026-07-20``, or ``2024-12``, which counts as the first of the month.

    Raises:
        ValueError: it is neither.
    """
    # The extended form only: dates are also compared as text, where 20260720 would come last.
    match = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", as_of, re.ASCII)
    try:
        if match is None:
            raise ValueError(as_of)
        return date(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        raise ValueError(f"{as_of!r} is not a date (YYYY-MM-DD or YYYY-MM) and not 'unknown'") from None


def age_warning(as_of: str, today: date) -> str:
    """A warning if a price is old or of unknown age, else ``""``."""
    if as_of == "unknown":
        return "the date of this price is unknown: check it before use"
    days = (today - parse_date(as_of)).days
    if days < 0:
        return f"this price is of {as_of}, which is yet to come: check the table"
    if days <= MAX_AGE_DAYS:
        return ""
    return f"this price is of {as_of}, {days} days ago (more than {MAX_AGE_DAYS}): check it before use"
