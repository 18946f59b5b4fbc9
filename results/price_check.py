"""What is wrong with a price table, all of it, and what to know of one that is right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from results.errors import PriceError
from results.price_age import MAX_AGE_DAYS, age_warning, parse_date
from results.price_row import PriceRow
from results.price_table import date_rank, identity, layer_key, read_bytes, try_rows

# More errors than this are mostly one mistake, repeated.
MAX_ERRORS = 20
# Of each kind of remark, so that a large table does not hide the others.
MAX_SHOWN = 10


class TableCheck(NamedTuple):
    """What was found in one file."""

    num_rows: int  # that are right
    errors: list[str]  # at most MAX_ERRORS
    num_errors: int
    remarks: list[str]  # nothing that makes a table wrong


def check_file(file: Path, today: date, shipped: bool = False) -> TableCheck:
    """Check every row of a price table.

    Args:
        file: a CSV file.
        today: for ages and for dates that are yet to come.
        shipped: later dates are fine, because a rented machine's clock may be wrong.
    """
    rows: list[PriceRow] = []
    errors: list[str] = []
    num_errors = 0
    try:
        for row in _rows(file, None if shipped else today):
            if isinstance(row, PriceRow):
                rows.append(row)
                continue
            num_errors += 1
            if len(errors) < MAX_ERRORS:
                errors.append(str(row))
    except PriceError as error:  # of the file or its header, after which there are no rows
        num_errors += 1
        errors.append(str(error))
    if not rows and not errors:
        num_errors, errors = 1, [f"{file}: there are no rows: it may have been cut off"]
    return TableCheck(len(rows), errors, num_errors, remarks(rows, today))


def _rows(file: Path, today: date | None) -> Iterator[PriceRow | PriceError]:
    first_lines: dict[tuple[object, ...], int] = {}
    for line, row in try_rows(read_bytes(file), str(file), today):
        first = first_lines.setdefault(identity(row), line) if isinstance(row, PriceRow) else line
        yield row if first == line else PriceError(f"{file}: row {line}: column instance_type: repeats row {first}")


def remarks(rows: Sequence[PriceRow], today: date) -> list[str]:
    """What to know of right rows: age, spot prices above on-demand ones, offers that several sources state."""
    return [*_ages(rows, today), *_dear_spot(rows), *_several_sources(rows)]


def _ages(rows: Sequence[PriceRow], today: date) -> list[str]:
    if not rows:
        return []
    of_source: dict[str, list[str]] = {}
    for row in rows:
        of_source.setdefault(source_name(row.source), []).append(row.as_of)
    lines = [f"{_age(max(dates, key=_known), today)}: {name} (rows: {len(dates)})" for name, dates in of_source.items()]
    old = Counter("unknown" if row.as_of == "unknown" else "old" for row in rows if age_warning(row.as_of, today))
    lines = _some(lines, "sources")
    return [
        *lines,
        f"rows older than {MAX_AGE_DAYS} days or of a day to come: {old['old']}; of unknown age: {old['unknown']}",
    ]


def source_name(source: str) -> str:
    """A source without the page of the single row."""
    return re.split(r";[^;]*https?://", source, maxsplit=1)[0].strip()


def _known(as_of: str) -> str:
    return "" if as_of == "unknown" else as_of


def _age(as_of: str, today: date) -> str:
    return "unknown age" if as_of == "unknown" else f"{(today - parse_date(as_of)).days} days old ({as_of})"


def _dear_spot(rows: Sequence[PriceRow]) -> list[str]:
    newest: dict[tuple[object, ...], PriceRow] = {}
    for row in rows:
        there = newest.get(_offer(row))
        if there is None or date_rank(there) < date_rank(row):
            newest[_offer(row)] = row
    lines = []
    for key, spot in newest.items():
        whole = newest.get(("on_demand", *key[1:])) if key[0] == "spot" else None
        if whole is not None and spot.price_usd_per_hour > whole.price_usd_per_hour:
            lines.append(
                f"spot above on-demand: {_name(spot)}: ${spot.price_usd_per_hour:g} and ${whole.price_usd_per_hour:g}"
            )
    return _some(lines, "spot prices above on-demand ones")


def _offer(row: PriceRow) -> tuple[object, ...]:
    what = (row.accelerator, row.accelerator_count, row.accelerator_memory_gib, row.vcpus, row.memory_gib, row.unit)
    return (row.pricing, row.provider, row.region, row.instance_type, *what)


def _name(row: PriceRow) -> str:
    return f"{row.provider}:{row.instance_type}" + (f" in {row.region}" if row.region else "")


def _several_sources(rows: Sequence[PriceRow]) -> list[str]:
    stated: dict[tuple[object, ...], list[PriceRow]] = {}
    for row in rows:
        stated.setdefault(layer_key(row), []).append(row)
    lines = []
    for same in stated.values():
        if len({source_name(row.source) for row in same}) > 1:
            prices = ", ".join(f"${row.price_usd_per_hour:g} ({row.as_of})" for row in same)
            lines.append(f"stated by several sources: {_name(same[0])}, {same[0].pricing}: {prices}")
    return _some(lines, "offers of several sources")


def _some(lines: list[str], what: str) -> list[str]:
    more = len(lines) - MAX_SHOWN
    return lines[:MAX_SHOWN] + ([f"and {more} more {what}"] if more > 0 else [])
