"""How many sessions lie far enough from one another to tell of a machine's drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

# Sessions that are closer together share the machine's temper: their drift would be taken for small.
APART = timedelta(hours=1)


def num_apart(created_at: Sequence[str]) -> int:
    """How many of these times (ISO 8601; UTC if they do not say) lie an hour or more after the one counted before.

    What is no time is not counted.
    """
    counted: list[datetime] = []
    for time in sorted(filter(None, map(_parsed, created_at))):
        if not counted or time - counted[-1] >= APART:
            counted.append(time)
    return len(counted)


def num_close(created_at: Sequence[str]) -> int:
    """How many lie within an hour of one that is counted: they tell nothing new of the drift."""
    return len(created_at) - max(num_apart(created_at), min(1, len(created_at)))


def _parsed(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
