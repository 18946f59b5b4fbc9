"""A file of results that others measured: read whole and checked, before any row of it is looked at."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from results.errors import UsageError

# A whole round of MLPerf is about a megabyte and 1500 rows: more than these is another kind of file.
MAX_BYTES = 256 * 2**20
MAX_ROWS = 100_000
MAX_CELL = 20_000  # characters


class SourceFile(NamedTuple):
    """Name for messages, name to be stored (without its folder), SHA-256 of the bytes, and the text."""

    path: str
    name: str
    sha256: str
    text: str


class Line(NamedTuple):
    """One row of a CSV file: the line it ends on, and its cells by column (text; JSON may have numbers)."""

    number: int
    cells: dict[str, Any]
    problem: str = ""  # why it is no row


def read_source(path: Path) -> SourceFile:
    """Read a file of text.

    Raises:
        UsageError: it is missing, no plain file (a pipe may never end), too large, or not UTF-8 text.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(f"{path}: is no plain file; save it as CSV or JSON first")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES // 2**20} MiB: not a table of results; give a part of it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: not UTF-8 text: {error.reason} at byte {error.start}; save it as CSV or JSON in UTF-8"
        ) from None
    if "\0" in text:
        raise UsageError(f"{path}: holds NUL characters: not a text file")
    if not text.strip():
        raise UsageError(f"{path}: is empty: no results")
    return SourceFile(str(path), path.name, hashlib.sha256(content).hexdigest(), text)


def csv_lines(source: SourceFile, needed: Sequence[str]) -> tuple[list[str], Iterator[Line]]:
    """The columns of a CSV file and its rows, as a stream.

    A row that starts with ``#`` is a comment; empty rows are passed over.

    Args:
        source: the file.
        needed: columns that must be there, in any order.

    Raises:
        UsageError: a needed column is missing, or a column is there twice. While rows are read: too many of them.
    """
    reader = csv.reader(io.StringIO(source.text, newline=""), strict=True)
    columns = [cell.strip() for cell in _header(source, reader)]
    repeated = next((name for name in columns if name and columns.count(name) > 1), None)
    if repeated:
        raise UsageError(f"{source.path}: row {reader.line_num}: column {repeated} is there twice")
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UsageError(f"{source.path}: row {reader.line_num}: missing column {', '.join(missing)}")
    return columns, _lines(source, reader, columns)


def _header(source: SourceFile, reader: Iterator[list[str]]) -> list[str]:
    try:
        for cells in reader:
            if not _passed_over(cells):
                return cells
    except csv.Error as error:
        raise UsageError(f"{source.path}: row 1: not CSV: {error}") from None
    raise UsageError(f"{source.path}: holds no header and no results")


def _passed_over(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#")


def _lines(source: SourceFile, reader: Any, columns: list[str]) -> Iterator[Line]:
    count = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The reader cannot tell where the next row starts.
            yield Line(reader.line_num, {}, f"not CSV: {error}; the rest of the file was not read")
            return
        if _passed_over(cells):
            continue
        count += 1
        if count > MAX_ROWS:
            raise UsageError(f"{source.path}: more than {MAX_ROWS:,} rows: import it in parts")
        yield _line(reader.line_num, cells, columns)


def _line(number: int, cells: list[str], columns: list[str]) -> Line:
    if len(cells) != len(columns):
        return Line(
            number, {}, f"has {len(cells)} cells, the header {len(columns)}: cut off, or a comma without quotes"
        )
    long = next((name for name, cell in zip(columns, cells, strict=True) if len(cell) > MAX_CELL), None)
    if long is not None:
        return Line(number, {}, f"column {long}: longer than {MAX_CELL:,} characters")
    return Line(number, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)})
