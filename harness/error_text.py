"""Errors of libraries in one line."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """The first line of an error's text that is not empty, at most 500 characters; "" if there is none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:500] if lines else ""
