"""Values that Linux shows as small text files, and why one cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path


def read_text(path: Path) -> str:
    """What the file says, without white space around it.

    Raises:
        OSError: absent, not permitted, or the driver failed.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def read_int(path: Path) -> int:
    """The whole number in the file.

    Raises:
        OSError: absent, not permitted, or the driver failed.
        ValueError: it says something else.
    """
    text = read_text(path)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{path} says {text[:40]!r}, not a number") from None


def text_or_none(path: Path) -> str | None:
    """What the file says, or None where it cannot be read."""
    try:
        return read_text(path)
    except OSError:
        return None


def int_or_none(path: Path) -> int | None:
    """The whole number in the file, or None where there is none."""
    try:
        return read_int(path)
    except (OSError, ValueError):
        return None


def reader(path: Path) -> Callable[[], int]:
    """Reads the whole number in the file anew at each call."""
    return partial(read_int, path)


def numbered(path: Path) -> tuple[str | int, ...]:
    """Sort key that puts hwmon2 before hwmon10."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path)))


def children(folder: Path, pattern: str) -> list[Path]:
    """Entries of ``folder`` that match, in numeric order; none where the folder cannot be listed."""
    try:
        return sorted(folder.glob(pattern), key=numbered)
    except OSError:
        return []
