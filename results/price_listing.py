"""Rows of a price table, chosen and sorted, as text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import msgspec

from results.device_names import accelerator_row
from results.errors import PriceError
from results.price_age import age_warning, parse_date
from results.price_keys import offer_key
from results.price_match import Layer
from results.price_row import PriceRow
from results.price_table import COLUMNS, PriceTable
from results.pricing import region_rank, region_text, rows_of_type, suggest
from results.records import Scalar
from results.render import csv_text

MAX_LINES = 40  # of a table, unless all were asked for


class Choice(NamedTuple):
    """Which rows are wanted; None: any."""

    provider: str | None = None
    accelerator: str | None = None  # as the table names it, or a row of the device table
    region: str | None = None
    pricing: str | None = None


# Asks for instances without accelerators.
NO_ACCELERATOR = "none"


class Listing(NamedTuple):
    """Rows in the order to be shown, and the layer of each."""

    table: PriceTable
    rows: list[PriceRow]
    layers: list[Layer]


def choose(table: PriceTable, choice: Choice) -> Listing:
    """Matching rows: those with accelerators by price per accelerator, then the others by price.

    Raises:
        PriceError: no row has one of the names, or none has all of them.
    """
    pairs = list(zip(table.rows, table.layers, strict=True))
    for field in ("provider", "accelerator", "region", "pricing"):
        wanted = getattr(choice, field)
        if wanted is None:
            continue
        if not any(_has(row, field, wanted) for row in table.rows):
            known = {name for row in table.rows if (name := getattr(row, field))}
            raise PriceError(f"no price of {field} {wanted!r}{suggest(wanted, known)}")
        pairs = [(row, layer) for row, layer in pairs if _has(row, field, wanted)]
    if not pairs:
        raise PriceError(f"{table.name}: no row has all of: {', '.join(filter(None, choice))}")
    pairs.sort(key=lambda pair: _order(pair[0]))
    return Listing(table, [row for row, _ in pairs], [layer for _, layer in pairs])


def rows_of(table: PriceTable, provider: str, instance_type: str, region: str | None) -> Listing:
    """All rows of a type: every region and pricing, main regions first, newest first.

    Raises:
        PriceError: the table has no such provider, type or region; says what it has.
    """
    of_type = rows_of_type(table.rows, provider, instance_type)
    if region is not None and region not in {row.region for row in of_type}:
        shown = ", ".join(sorted({region_text(row.region) for row in of_type}))
        raise PriceError(f"{provider}:{instance_type} has no price in region {region!r}; it has: {shown}")
    ids = {id(row) for row in of_type if region in (None, row.region)}
    pairs = [(row, layer) for row, layer in zip(table.rows, table.layers, strict=True) if id(row) in ids]
    pairs.sort(key=lambda pair: pair[0].as_of.replace("unknown", ""), reverse=True)
    pairs.sort(key=lambda pair: (region_rank(pair[0].region), pair[0].pricing))
    return Listing(table, [row for row, _ in pairs], [layer for _, layer in pairs])


def _has(row: PriceRow, field: str, wanted: str) -> bool:
    if field == "accelerator" and wanted == NO_ACCELERATOR:
        return row.accelerator is None
    if field == "accelerator" and row.accelerator is not None:
        return wanted in (row.accelerator, accelerator_row(row.accelerator, row.accelerator_memory_gib))
    return bool(getattr(row, field) == wanted)


def _order(row: PriceRow) -> tuple[bool, float, str, str]:
    price = usd_per_accelerator_hour(row)
    return price is None, price or row.price_usd_per_hour, row.provider, row.instance_type


def usd_per_accelerator_hour(row: PriceRow) -> float | None:
    """An instance's price over its accelerators; None without accelerators."""
    return row.price_usd_per_hour / row.accelerator_count if row.accelerator_count else None


def listing_json(listing: Listing) -> str:
    """The rows with all fields, and the digests of the files they are from."""
    content = {"sha256": listing.table.sha256, "notes": listing.table.notes, "prices": list(_records(listing))}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def listing_csv(listing: Listing) -> str:
    """The rows with all fields as CSV."""
    return csv_text([*COLUMNS, "usd_per_accelerator_hour", "layer"], _records(listing))


def _records(listing: Listing) -> Iterable[dict[str, Scalar]]:
    for row, layer in zip(listing.rows, listing.layers, strict=True):
        yield {
            **msgspec.structs.asdict(row),
            "usd_per_accelerator_hour": usd_per_accelerator_hour(row),
            "layer": layer,
        }


def listing_table(listing: Listing, limit: int | None, width: int, color: bool) -> str:
    """The first ``limit`` rows for a terminal, with how many more there are."""
    from results.notes import Notes
    from results.render_table import Block, TableColumn, compose

    shown = listing.rows[:limit]
    more = len(listing.rows) - len(shown)
    general = [*listing.table.notes, *([f"{more} more; --all shows them"] if more else [])]
    cells = [_cells(row) for row in shown]
    fitted = _widths(cells, width)
    columns = [
        TableColumn(name, size, numeric) for (name, numeric), size in zip(_LIST_COLUMNS.items(), fitted, strict=True)
    ]
    block = Block("prices as listed, US dollars", columns, cells)
    return compose([], [block], Notes(), general, f"prices: {len(listing.rows)}", width, color).lstrip("\n")


# Header -> whether it holds numbers. The instance is written as the options of other commands take it.
_LIST_COLUMNS = {
    "instance": False, "region": False, "holds": False, "pricing": False, "$/h": True, "$/acc-h": True, "as of": False,
}  # fmt: skip


def _cells(row: PriceRow) -> list[str]:
    each = usd_per_accelerator_hour(row)
    holds = f"{row.accelerator_count}x{row.accelerator}" if row.accelerator else f"{row.vcpus or '?'} vCPU"
    return [
        f"{row.provider}:{row.instance_type}", row.region or "", holds, row.pricing, f"{row.price_usd_per_hour:g}",
        "" if each is None else f"{each:.4g}", row.as_of,
    ]  # fmt: skip


def _widths(cells: list[list[str]], width: int) -> list[int]:
    """Of each column: as wide as its longest cell; the instance gives way, to no less than 20."""
    longest = [
        max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(_LIST_COLUMNS)
    ]  # fmt: skip
    room = width - sum(longest[1:]) - len(longest) + 1
    return [min(longest[0], max(20, room)), *longest[1:]]


def detail_table(listing: Listing, today: date, width: int, color: bool) -> str:
    """All there is to know of each price of one type, for a terminal."""
    from results.notes import Notes
    from results.render_table import Block, TableColumn, compose

    first = listing.rows[0]
    columns = [
        TableColumn("region", 16, False), TableColumn("pricing", 14, False), TableColumn("unit", 11, False),
        TableColumn("$/h", 10, True), TableColumn("$/acc-h", 9, True), TableColumn("as of", 10, False),
        TableColumn("age", 6, True), TableColumn("layer", 7, False), TableColumn("note", 6, False),
    ]  # fmt: skip
    notes = Notes()
    rows = [
        _detail(row, layer, today, notes.refer(_remarks(listing.table, row, today)))
        for row, layer in zip(listing.rows, listing.layers, strict=True)
    ]
    block = Block(f"{first.provider}:{first.instance_type}", columns, rows)
    header = [_hardware(texts) for texts in dict.fromkeys(map(_parts, listing.rows))]
    last_line = f"prices: {len(rows)}"
    return compose(header, [block], notes, listing.table.notes, last_line, width, color)


def _parts(row: PriceRow) -> tuple[str | None, int, float | None, int | None, float | None]:
    return row.accelerator, row.accelerator_count, row.accelerator_memory_gib, row.vcpus, row.memory_gib


def _hardware(parts: tuple[str | None, int, float | None, int | None, float | None]) -> str:
    accelerator, count, each_gib, vcpus, memory_gib = parts
    texts = [f"{count} x {accelerator}" + (f" ({each_gib:g} GiB each)" if each_gib else "")] if accelerator else []
    texts.append(f"{vcpus} vCPU" if vcpus else "vCPU not stated")
    texts.append(f"{memory_gib:g} GiB memory" if memory_gib else "memory not stated")
    return ", ".join(texts)


def _detail(row: PriceRow, layer: Layer, today: date, numbers: str) -> list[str]:
    age = "?" if row.as_of == "unknown" else f"{(today - parse_date(row.as_of)).days} d"
    each = usd_per_accelerator_hour(row)
    return [
        row.region or "", row.pricing, row.unit, f"{row.price_usd_per_hour:g}", "" if each is None else f"{each:.4g}",
        row.as_of, age, layer, numbers,
    ]  # fmt: skip


def _remarks(table: PriceTable, row: PriceRow, today: date) -> list[str]:
    other = table.replaced.get((*offer_key(row), row.region))
    stands_for = f"in the place of ${other.price_usd_per_hour:g} of {other.as_of}" if other else ""
    return [text for text in (f"source: {row.source}", age_warning(row.as_of, today), stands_for) if text]
