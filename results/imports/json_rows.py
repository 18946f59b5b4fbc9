"""The rows of a JSON list of objects, each checked for what a JSON reader would pass over in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from results.errors import UsageError
from results.imports.source_file import MAX_CELL, MAX_ROWS, Line, SourceFile


class _Repeated:
    """An object of which a key is there twice."""

    def __init__(self, key: str) -> None:
        self.key = key


def json_rows(source: SourceFile, needed: Sequence[str]) -> Iterator[Line]:
    """Position (from 1) and cells of each row; numbers stay numbers.

    Args:
        source: the file.
        needed: keys that the rows must have.

    Raises:
        UsageError: it is not a JSON list of objects, or a needed key is in none of them.
    """
    rows = _decoded(source)
    if not isinstance(rows, list):
        raise UsageError(f"{source.path}: not a list of results: the file must be a JSON list of objects")
    if len(rows) > MAX_ROWS:
        raise UsageError(f"{source.path}: more than {MAX_ROWS:,} rows: import it in parts")
    if not rows:
        raise UsageError(f"{source.path}: holds no results")
    keys = {key for row in rows if isinstance(row, dict) for key in row}
    missing = [key for key in needed if key not in keys]
    if missing and any(isinstance(row, dict) for row in rows):
        raise UsageError(f"{source.path}: no row has {', '.join(missing)}")
    return (_row(number, row) for number, row in enumerate(rows, 1))


def _decoded(source: SourceFile) -> Any:
    try:
        return json.loads(source.text, object_pairs_hook=_object, parse_constant=_not_finite)
    except RecursionError:
        raise UsageError(f"{source.path}: not a list of results: nested too deep") from None
    except ValueError as error:
        raise UsageError(f"{source.path}: not JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    return _Repeated(next(key for key in keys if keys.count(key) > 1))


def _not_finite(name: str) -> str:
    return name  # as text, so that only its row is refused


def _row(number: int, row: Any) -> Line:
    if isinstance(row, _Repeated):
        return Line(number, {}, f"{row.key[:60]!r} is there twice")
    if not isinstance(row, dict):
        return Line(number, {}, "is not an object")
    for key, value in row.items():
        if isinstance(value, (dict, list, _Repeated)):
            return Line(number, {}, f"{key[:60]!r} is not a text or a number")
        if isinstance(value, str) and len(value) > MAX_CELL:
            return Line(number, {}, f"{key[:60]!r} is longer than {MAX_CELL:,} characters")
    return Line(number, row)
