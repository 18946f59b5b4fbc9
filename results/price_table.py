"""Price tables: CSV files with the fields of :class:`results.price_row.PriceRow` as columns, read and checked."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from results.errors import PriceError, did_you_mean
from results.price_cells import PARSERS, UNIQUE, check_row
from results.price_keys import COLUMNS as COLUMNS
from results.price_keys import date_rank as date_rank
from results.price_keys import identity as identity
from results.price_keys import layer_key as layer_key
from results.price_match import Layer
from results.price_row import PriceRow

MAX_FILE_BYTES = 512 * 2**20


class PriceTable(NamedTuple):
    """Checked rows, and which layer and file each is from."""

    name: str  # of the files, for messages
    sha256: dict[Layer, str]  # of each layer's file
    rows: list[PriceRow]
    layers: list[Layer]  # of each row
    replaced: dict[tuple[object, ...], PriceRow]  # (*offer key, region) -> the newest row of an earlier layer
    notes: list[str]


def load_prices(path: Path | None = None, layer: Layer | None = None, today: date | None = None) -> PriceTable:
    """Read and check one price table.

    Args:
        path: a CSV file; None for the one that chipmark ships.
        layer: what its rows are called; None: shipped without a path, else given.
        today: for dates that are yet to come; None: now.

    Raises:
        PriceError: the file is missing or a cell is wrong; the message names row and column.
    """
    from results.configs import config_path

    shipped = path is None
    file = path or config_path("prices.csv")
    layer = layer or ("shipped" if shipped else "given")
    today = today or date.today()
    content = read_bytes(file)
    rows: list[PriceRow] = []
    notes: list[str] = []
    first_lines: dict[tuple[object, ...], int] = {}
    # A rented machine's clock may be wrong: that must not cost the table that we ship.
    latest = None if shipped else today
    for line, row in read_rows(content, str(file), latest):
        first = first_lines.setdefault(identity(row), line)
        if first != line:
            raise PriceError(f"{file}: row {line}: column instance_type: repeats row {first}")
        rows.append(row)
    if shipped and any(_is_future(row.as_of, today) for row in rows):
        notes.append(f"{file.name}: prices are of a time yet to come: is the clock right? It says {today}")
    return PriceTable(file.name, {layer: hashlib.sha256(content).hexdigest()}, rows, [layer] * len(rows), {}, notes)


def read_bytes(file: Path) -> bytes:
    """The content of a table's file.

    Raises:
        PriceError: it cannot be read, is no plain file, or is too large to be a price table.
    """
    try:
        if not file.is_file() and file.exists():
            raise PriceError(f"{file}: is no plain file; a price table is a CSV file")
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PriceError(f"{file}: the price table cannot be read: {reason}") from error
    if len(content) > MAX_FILE_BYTES:
        raise PriceError(f"{file}: the price table is larger than {MAX_FILE_BYTES // 2**20} MiB")
    return content


def read_rows(content: bytes, where: str, today: date | None) -> Iterator[tuple[int, PriceRow]]:
    """(line of the file, row) of each row; lines are counted as an editor does.

    Args:
        content: the file's.
        where: its name, for messages.
        today: a later date is refused; None: none is.

    Raises:
        PriceError: something is wrong with the file, its header or a row.
    """
    for line, row in try_rows(content, where, today):
        if isinstance(row, PriceError):
            raise row
        yield line, row


def try_rows(content: bytes, where: str, today: date | None) -> Iterator[tuple[int, PriceRow | PriceError]]:
    """As :func:`read_rows`, with what is wrong with a row in the row's place; a wrong header is still raised."""
    reader, currencies = open_table(content, where)
    latest = None if today is None else str(today + timedelta(days=1))  # elsewhere it is tomorrow
    for cells in each(reader, where):
        place = f"{where}: row {reader.line_num}"
        found: PriceRow | PriceError
        try:
            for currency in currencies:
                if (cells.get(currency) or "").strip().upper() not in ("", "USD"):
                    raise PriceError(f"{place}: column {currency}: {cells[currency]!r}: prices must be in USD")
            found = _parsed(cells, place, latest, today)
        except PriceError as error:
            found = error
        yield reader.line_num, found


def open_table(content: bytes, where: str) -> tuple[csv.DictReader[str], list[str]]:
    """A reader of a table whose header is right, and the names of its currency columns."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PriceError(f"{where}: the price table is not UTF-8: {error.reason} at byte {error.start}") from error
    if "\0" in text:
        raise PriceError(f"{where}: the price table holds NUL characters: it is no text")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        names = list(reader.fieldnames or [])
    except csv.Error as error:
        raise PriceError(f"{where}: row 1: {error}") from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        near = did_you_mean(missing[0], set(names) - set(COLUMNS)) if names else ""
        raise PriceError(f"{where}: row 1: missing column {', '.join(missing)}{near if 'mean' in near else ''}")
    twice = next((name for name, number in Counter(names).items() if name and number > 1), None)
    if twice is not None:
        raise PriceError(f"{where}: row 1: column {twice} is there twice")
    return reader, [name for name in names if name.strip().lower() == "currency"]


def each(reader: csv.DictReader[str], where: str) -> Iterator[dict[str, str]]:
    """The reader's rows; what csv itself refuses (a cell of 128 KiB) is a PriceError."""
    try:
        yield from reader
    except csv.Error as error:
        raise PriceError(f"{where}: row {reader.line_num + 1}: {error}") from error


def parse_row(cells: Mapping[str, str], where: str, today: date | None) -> PriceRow:
    """One checked row.

    Args:
        cells: text of each column of :class:`PriceRow`.
        where: the start of messages, for example ``prices.csv: row 3``.
        today: a later ``as_of`` is refused; None: none is.

    Raises:
        PriceError: a cell is wrong; the message names the column.
    """
    return _parsed(cells, where, None if today is None else str(today + timedelta(days=1)), today)


def _parsed(cells: Mapping[str, str], where: str, latest: str | None, today: date | None) -> PriceRow:
    if None in cells or None in cells.values():
        raise PriceError(f"{where}: has another number of cells than row 1")
    values: dict[str, object] = {}
    for name in COLUMNS:
        try:
            cell = cells[name]
            values[name] = PARSERS[name](cell) if name in UNIQUE else _shared(name, cell)
        except ValueError as error:
            raise PriceError(f"{where}: column {name}: {error}") from error
    row = PriceRow(**values)  # type: ignore[arg-type]
    wrong = check_row(row)
    if wrong:
        raise PriceError(f"{where}: column {wrong[0]}: {wrong[1]}")
    if latest is not None and row.as_of != "unknown" and row.as_of > latest:
        raise PriceError(f"{where}: column as_of: {row.as_of} is yet to come: today is {today}")
    return row


@functools.lru_cache(maxsize=100_000)
def _shared(name: str, cell: str) -> object:
    """The parsed cell: most cells of a table occur many times, and are kept once."""
    return PARSERS[name](cell)


def _is_future(as_of: str, today: date) -> bool:
    return as_of != "unknown" and as_of > str(today + timedelta(days=1))


def price_csv(rows: Iterable[PriceRow]) -> str:
    """A table as CSV text that :func:`load_prices` reads back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = [getattr(row, name) for name in COLUMNS]
        writer.writerow(["" if c is None else repr(c).removesuffix(".0") if isinstance(c, float) else c for c in cells])
    return out.getvalue()


def merge(old: Sequence[PriceRow], new: Sequence[PriceRow]) -> tuple[list[PriceRow], int, int, int]:
    """``old`` with ``new`` rows in it: (rows, added, replaced, new rows that are older than what is there).

    Rows are the same offer if they share their :func:`layer_key`, accelerator, vCPUs and memory; the newer date wins,
    and of equal dates the new row.
    """
    kept: dict[tuple[object, ...], PriceRow] = {_offer(row): row for row in old}
    added = replaced = older = 0
    for row in new:
        there = kept.get(_offer(row))
        if there is None:
            added += 1
        elif date_rank(there) > date_rank(row):
            older += 1
            continue
        else:
            replaced += 1
        kept[_offer(row)] = row
    return list(kept.values()), added, replaced, older


def _offer(row: PriceRow) -> tuple[object, ...]:
    return (*layer_key(row), row.accelerator, row.accelerator_count, row.vcpus, row.memory_gib)
