"""Rows into a price file that may be there already: all of them, or nothing is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from results.errors import OutputError, PriceError
from results.price_keys import layer_key
from results.price_row import PriceRow
from results.price_table import (
    COLUMNS,
    MAX_FILE_BYTES,
    date_rank,
    load_prices,
    merge,
    open_table,
    price_csv,
    read_bytes,
)
from results.store_writer import write_atomically
from results.write_once import exclusive


class Merged(NamedTuple):
    """What became of the new rows."""

    path: Path
    num_rows: int  # in the file now
    num_added: int
    num_replaced: int
    num_older: int  # than what is there, which was kept


def merge_into(path: Path, rows: Sequence[PriceRow], today: date) -> Merged:
    """Put rows into a price file, which is made if need be.

    The file is replaced by a whole one, or stays as it is. A link stays one: its file is replaced.

    Raises:
        PriceError: the file that is there is wrong, or would grow too large to be read back.
        OutputError: it cannot be written.
    """
    try:
        target = path.resolve() if path.is_symlink() else path
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.lock")):
            return _merge(path, target, rows, today)
    except BlockingIOError as error:
        raise OutputError(f"{path}: another chipmark is writing it; try again") from error
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the name; RuntimeError: a ring of links
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written: {reason}; nothing was changed") from error


def _merge(path: Path, target: Path, rows: Sequence[PriceRow], today: date) -> Merged:
    there = _present(path, target, today) if target.exists() else []
    newest = _newest(there)
    # Older prices of an offer that stands in the file twice are its owner's history: they stay.
    history = [row for row in there if newest[_offer(row)] is not row]
    merged, added, replaced, older = merge(list(newest.values()), rows)
    content = price_csv([*history, *merged]).encode()
    if len(content) > MAX_FILE_BYTES:
        raise PriceError(f"{path}: would be larger than {MAX_FILE_BYTES // 2**20} MiB; choose another file with --out")
    with _same_mode(target):
        write_atomically(target, content)
    return Merged(path, len(history) + len(merged), added, replaced, older)


def _present(path: Path, target: Path, today: date) -> list[PriceRow]:
    rows = load_prices(target, "user", today).rows
    names = open_table(read_bytes(target), str(path))[0].fieldnames or []
    own = [name for name in names if name not in COLUMNS and name.strip().lower() != "currency"]
    if own:  # what its owner wrote there would be lost
        raise PriceError(
            f"{path}: row 1: column {own[0][:40]!r} is not of a price table and would be lost; "
            "choose another file with --out"
        )
    return rows


@contextlib.contextmanager
def _same_mode(target: Path) -> Iterator[None]:
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    yield
    if mode is not None:
        with contextlib.suppress(OSError):  # not every disk has modes
            target.chmod(mode)


def _newest(rows: Sequence[PriceRow]) -> dict[tuple[object, ...], PriceRow]:
    newest: dict[tuple[object, ...], PriceRow] = {}
    for row in rows:
        other = newest.setdefault(_offer(row), row)
        if date_rank(other) < date_rank(row):
            newest[_offer(row)] = row
    return newest


def _offer(row: PriceRow) -> tuple[object, ...]:
    """By what :func:`results.price_table.merge` knows an offer again."""
    return (*layer_key(row), row.accelerator, row.accelerator_count, row.vcpus, row.memory_gib)
