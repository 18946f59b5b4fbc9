"""The price table (``configs/prices.csv``) and how a row of it is chosen.

A row is found by provider, instance type and pricing; never by accelerator, because one
accelerator is sold at very different prices. The choice, in order:

1. region: the one asked for; else, if the type is sold in several, the first of
   :data:`DEFAULT_REGIONS` among them, else the first by name (rule ``type_any_region``);
2. accelerator memory, where one name is sold with several and the device's is known;
3. date: the newest ``as_of`` of each accelerator memory; ``unknown`` is the oldest;
4. price: the dearest of what is still left, so that a cost is never flattered.

Whatever was not unique is said in :attr:`PriceMatch.note`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from results.errors import PriceError, did_you_mean
from results.price_row import PriceRow
from results.records import Record

PRICINGS = ("on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block")
PRICE_UNITS = ("instance", "accelerator", "chip")
# Where a provider sells most and lists first; used only when no region was asked for.
DEFAULT_REGIONS = (
    "us-east-1", "us-east-2", "us-east", "eastus", "eastus2", "us-central1", "us-east1", "us (base)",
    "all (uniform)",
)  # fmt: skip
MEMORY_TOLERANCE = 0.10  # usable memory is a few percent below the name's

MatchRule = Literal["exact_type", "type_any_region"]


class PriceTable(NamedTuple):
    """All rows, and the SHA-256 of the file they were read from."""

    path: Path
    sha256: str
    rows: list[PriceRow]


class PriceMatch(Record, frozen=True, kw_only=True):
    """A chosen price and how it was chosen."""

    row: PriceRow
    table_sha256: str
    match_rule: MatchRule
    note: str = ""  # what was chosen among, in words
    prices_by_pricing: dict[str, float]  # the same type and region, other kinds of pricing


def load_prices(path: Path | None = None) -> PriceTable:
    """Read and check a price table.

    Args:
        path: a CSV file with the fields of :class:`results.records.PriceRow` as columns, in any
            order; None for the one that chipmark ships.

    Raises:
        PriceError: the file is missing or a cell is wrong; the message names row and column.
    """
    from results.configs import config_path

    file = path or config_path("prices.csv")
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise PriceError(f"{file}: the price table cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PriceError(f"{file}: the price table is not UTF-8: {error.reason} at byte {error.start}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = reader.fieldnames or []
    missing = [name for name in PriceRow.__struct_fields__ if name not in names]
    if missing:
        raise PriceError(f"{file}: row 1: missing column {', '.join(missing)}")
    rows: list[PriceRow] = []
    seen: dict[tuple[object, ...], int] = {}
    for cells in _each(reader, file):
        # The number of the line in the file, as an editor counts.
        row = _row(cells, f"{file}: row {reader.line_num}")
        first = seen.setdefault(_identity(row), reader.line_num)
        if first != reader.line_num:
            raise PriceError(f"{file}: row {reader.line_num}: column instance_type: repeats row {first}")
        rows.append(row)
    return PriceTable(file, hashlib.sha256(content).hexdigest(), rows)


def find(
    table: PriceTable,
    provider: str,
    instance_type: str,
    region: str | None = None,
    pricing: str = "on_demand",
    accelerator_memory_gib: float | None = None,
) -> PriceMatch:
    """The price of an instance type; the rules are in the module's docstring.

    Raises:
        PriceError: the table has no such provider, type, pricing or region; says what it has.
    """
    of_type = _rows_of_type(table.rows, provider, instance_type)
    name = f"{provider}:{instance_type}"
    kinds = sorted({row.pricing for row in of_type})
    if pricing not in kinds:
        raise PriceError(f"{name} has no {pricing} price in {table.path.name}; it has: {', '.join(kinds)}")
    candidates = [row for row in of_type if row.pricing == pricing]
    regions = {row.region for row in candidates}
    if region is not None and region not in regions:
        shown = ", ".join(sorted(map(region_text, regions)))
        raise PriceError(f"{name} has no {pricing} price in region {region!r}; it has: {shown}")
    chosen_region = region if region is not None else min(regions, key=_region_rank)
    row, offers_note = _newest_then_dearest(
        [row for row in candidates if row.region == chosen_region], accelerator_memory_gib
    )
    notes = [_region_note(candidates, row) if region is None and len(regions) > 1 else "", offers_note]
    return PriceMatch(
        row=row,
        table_sha256=table.sha256,
        match_rule="type_any_region" if region is None and len(regions) > 1 else "exact_type",
        note="; ".join(filter(None, notes)),
        prices_by_pricing={
            kind: _newest_then_dearest(same, accelerator_memory_gib)[0].price_usd_per_hour
            for kind in kinds
            if (same := [r for r in of_type if r.pricing == kind and r.region == chosen_region])
        },
    )


def region_text(region: str | None) -> str:
    """A region for people; some sources state none."""
    return region or "(no region stated)"


def _rows_of_type(rows: Sequence[PriceRow], provider: str, instance_type: str) -> list[PriceRow]:
    of_provider = [row for row in rows if row.provider == provider]
    if not of_provider:
        raise PriceError(f"unknown provider {provider!r}{did_you_mean(provider, {r.provider for r in rows})}")
    of_type = [row for row in of_provider if row.instance_type == instance_type]
    if not of_type:
        known = {row.instance_type for row in of_provider}
        raise PriceError(f"unknown {provider} instance {instance_type!r}{did_you_mean(instance_type, known)}")
    return of_type


def _region_rank(region: str | None) -> tuple[int, str]:
    if region in DEFAULT_REGIONS:
        return DEFAULT_REGIONS.index(region), ""
    return len(DEFAULT_REGIONS) + (region is None), region or ""


def _region_note(candidates: Sequence[PriceRow], row: PriceRow) -> str:
    others = [r.price_usd_per_hour for r in candidates if r.region != row.region]
    num_others = len({r.region for r in candidates}) - 1
    lowest, highest = min(others), max(others)
    prices = f"${lowest:g} per hour" if lowest == highest else f"${lowest:g} to ${highest:g} per hour"
    noun = "region asks" if num_others == 1 else "regions ask"
    return f"no --region was given: {region_text(row.region)} was chosen; {num_others} other {noun} {prices}"


def _newest_then_dearest(rows: Sequence[PriceRow], accelerator_memory_gib: float | None) -> tuple[PriceRow, str]:
    sizes = {row.accelerator_memory_gib for row in rows}
    if accelerator_memory_gib is not None and len(sizes) > 1:
        rows = [row for row in rows if same_memory(row.accelerator_memory_gib, accelerator_memory_gib)] or rows
    newest = {
        size: max(_date_rank(row) for row in rows if row.accelerator_memory_gib == size)
        for size in {row.accelerator_memory_gib for row in rows}
    }
    offers = [row for row in rows if _date_rank(row) == newest[row.accelerator_memory_gib]]
    offers.sort(key=lambda row: row.price_usd_per_hour)
    if len(offers) == 1:
        return offers[0], ""
    texts = [
        f"${row.price_usd_per_hour:g} ({row.accelerator_memory_gib or 'n/a'} GiB accelerator, "
        f"{row.vcpus or 'n/a'} vCPU)"
        for row in offers
    ]
    return offers[-1], f"several offers have this name, the dearest was taken: {', '.join(texts)}"


def same_memory(listed_gib: float | None, actual_gib: float) -> bool:
    """Whether a device's usable memory fits the memory a table lists for it."""
    return listed_gib is not None and abs(listed_gib - actual_gib) <= MEMORY_TOLERANCE * listed_gib


def _date_rank(row: PriceRow) -> str:
    return "" if row.as_of == "unknown" else row.as_of


def _identity(row: PriceRow) -> tuple[object, ...]:
    return tuple(getattr(row, n) for n in PriceRow.__struct_fields__ if n not in ("price_usd_per_hour", "source"))


def _each(reader: csv.DictReader[str], file: Path) -> Iterator[dict[str, str]]:
    """The reader's rows; what csv itself refuses (a cell of 128 KiB) is a PriceError."""
    try:
        yield from reader
    except csv.Error as error:
        raise PriceError(f"{file}: row {reader.line_num + 1}: {error}") from error


def _row(cells: dict[str, str], where: str) -> PriceRow:
    if None in cells or None in cells.values():
        raise PriceError(f"{where}: has another number of cells than row 1")
    values: dict[str, Any] = {}
    for name in PriceRow.__struct_fields__:
        try:
            values[name] = _PARSERS[name](cells[name].strip())
        except ValueError as error:
            raise PriceError(f"{where}: column {name}: {error}") from error
    if values["unit"] != "instance" and values["accelerator_count"] > 1:
        raise PriceError(f"{where}: column accelerator_count: must be 1 where unit is {values['unit']}")
    if (values["accelerator"] is None) != (values["accelerator_count"] == 0):
        raise PriceError(f"{where}: column accelerator_count: must be 0 if and only if accelerator is empty")
    return PriceRow(**values)


def _text(cell: str) -> str:
    if not cell:
        raise ValueError("must not be empty")
    return cell


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: parse(cell) if cell else None


def _count(cell: str) -> int:
    if not cell.isascii() or not cell.isdigit():
        raise ValueError(f"{cell!r} is not a whole number")
    return int(cell)


def _positive(cell: str) -> float:
    try:
        if not cell.isascii() or "_" in cell:  # float() takes more than a table should hold
            raise ValueError(cell)
        number = float(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is not a number") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{cell!r} is not a positive number")
    return number


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def parse(cell: str) -> str:
        if cell not in names:
            raise ValueError(f"{cell!r} is none of {', '.join(names)}")
        return cell

    return parse


def _date(cell: str) -> str:
    from results.price_age import parse_date

    if cell != "unknown":
        parse_date(cell)
    return cell


_PARSERS: dict[str, Callable[[str], Any]] = {
    "provider": _text,
    "region": _optional(_text),
    "instance_type": _text,
    "accelerator": _optional(_text),
    "accelerator_count": _count,
    "accelerator_memory_gib": _optional(_positive),
    "vcpus": _optional(_count),
    "memory_gib": _optional(_positive),
    "pricing": _one_of(PRICINGS),
    "price_usd_per_hour": _positive,
    "unit": _one_of(PRICE_UNITS),
    "as_of": _date,
    "source": _text,
}
