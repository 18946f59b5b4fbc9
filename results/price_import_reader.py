"""Catalogues of other tools, read row by row: any file may be given, so size and text are held in bounds."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from results.errors import PriceError

MAX_FILE_BYTES = 512 * 2**20
MAX_LINE_BYTES = 2**20  # the largest line of a real catalogue has a few kilobytes
MAX_ROWS = 2_000_000


class Row(NamedTuple):
    """One row of a catalogue: its line in the file, and the text of each column."""

    line: int
    cells: dict[str, str]


class Catalogue(NamedTuple):
    """A catalogue that is open: its columns, and its rows, which can be read once."""

    columns: list[str]
    rows: Iterator[Row]


def read_catalogue(file: BinaryIO, path: Path) -> Catalogue:
    """Read the header of a CSV catalogue; rows are read as they are asked for.

    Args:
        file: opened for reading bytes.
        path: its name, for messages.

    Raises:
        PriceError: it is no text, has no header or one with a column twice. The iterator raises it
            too: for what is no CSV, or larger than a catalogue can be.
    """
    reader = csv.reader(_lines(file, path))
    columns = [name.strip() for name in _next(reader, path) or ()]
    if not any(columns):
        raise PriceError(f"{path}: row 1: there is no header; a catalogue starts with the names of its columns")
    twice = next((name for name, number in Counter(columns).items() if name and number > 1), None)
    if twice is not None:
        raise PriceError(f"{path}: row 1: column {twice[:60]} is there twice")
    return Catalogue(columns, _rows(reader, columns, path))


def open_catalogue(path: Path) -> BinaryIO:
    """Open a plain file.

    Raises:
        PriceError: it is missing, cannot be read, or is no plain file (a pipe would never end).
    """
    try:
        if path.exists() and not path.is_file():
            raise PriceError(f"{path}: is no plain file; give a CSV file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise PriceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _rows(reader: Iterator[list[str]], columns: list[str], path: Path) -> Iterator[Row]:
    num_rows = 0
    while (cells := _next(reader, path)) is not None:
        if not cells:
            continue
        num_rows += 1
        if num_rows > MAX_ROWS:
            raise PriceError(f"{path}: has more than {MAX_ROWS} rows: give the part that you need")
        line: int = reader.line_num  # type: ignore[attr-defined]
        # Fewer or more cells than names: no cell can be trusted to be under its name.
        yield Row(line, dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else {})


def _next(reader: Iterator[list[str]], path: Path) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise PriceError(f"{path}: row {reader.line_num + 1}: {error}") from error  # type: ignore[attr-defined]


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    num_bytes, number = 0, 0
    while line := _read_line(file, path):
        number += 1
        num_bytes += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise PriceError(f"{path}: row {number}: is longer than {MAX_LINE_BYTES // 2**10} KiB: no catalogue")
        if num_bytes > MAX_FILE_BYTES:
            raise PriceError(f"{path}: is larger than {MAX_FILE_BYTES // 2**20} MiB: give the part that you need")
        if b"\0" in line:
            raise PriceError(f"{path}: row {number}: holds NUL characters: it is no text")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise PriceError(f"{path}: row {number}: is not UTF-8: {error.reason} at byte {error.start}") from error


def _read_line(file: BinaryIO, path: Path) -> bytes:
    try:
        return file.readline(MAX_LINE_BYTES + 1)
    except OSError as error:
        raise PriceError(f"{path}: cannot be read: {error.strerror or error}") from error
