"""Prices from other tools' catalogues: which rows of a file are taken, as rows of a price table.

A catalogue has no dates, so whoever imports one must say when it was fetched. A row is taken whole or refused with a
reason. Where one offer stands at several prices (the zones of a region), the dearest is taken, so that a cost is never
flattered, and the row's source says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from results.errors import PriceError, UsageError
from results.price_age import parse_date
from results.price_cells import MAX_TEXT
from results.price_import_cells import CELLS, SPOT_ABOVE, Offer, Refused
from results.price_import_gpuhunt import PROVIDERS, gpuhunt_offers
from results.price_import_gpuhunt import REQUIRED as GPUHUNT_COLUMNS
from results.price_import_reader import Catalogue, Row, open_catalogue, read_catalogue
from results.price_import_skypilot import REQUIRED as SKYPILOT_COLUMNS
from results.price_import_skypilot import skypilot_offers
from results.price_row import PriceRow
from results.price_table import COLUMNS, parse_row

FORMATS = ("skypilot", "gpuhunt")
MAX_REASONS = 50  # kept apart; more are one broken file
MAX_LINES_SHOWN = 5
_OTHER_REASONS = "other reasons"
DEAREST = "dearest of several prices in the region"
# Other tools' names of a provider -> ours.
PROVIDER_NAMES: Mapping[str, str] = {**PROVIDERS, "do": "digitalocean"}
# RunPod's data centres are named US-KS-2; its community prices stand under countries.
_RUNPOD_SECURE = re.compile(r"[A-Z]{2}-")
# Values in a reason would keep rows of one mistake apart.
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d[\d.e+]*\b(?= cannot be| characters)")

Reader = Callable[[Mapping[str, str], str], Iterator[Offer | Refused]]
_READERS: Mapping[str, tuple[Reader, tuple[str, ...]]] = {
    "skypilot": (skypilot_offers, SKYPILOT_COLUMNS),
    "gpuhunt": (gpuhunt_offers, GPUHUNT_COLUMNS),
}


class Refusal(NamedTuple):
    """Rows, or prices of rows, that were not taken, for one reason."""

    reason: str
    num: int
    lines: list[int]  # of the first few in the file


class Imported(NamedTuple):
    """What a catalogue came to."""

    rows: list[PriceRow]
    refused: list[Refusal]


def import_prices(
    path: Path,
    as_of: str,
    today: date,
    catalogue_format: str | None = None,
    provider: str | None = None,
    source: str | None = None,
) -> Imported:
    """Rows of a price table from the file of another tool.

    Args:
        path: a CSV file.
        as_of: when the catalogue was fetched, as ``2026-07-20`` or ``2026-07``.
        today: a later ``as_of`` is refused.
        catalogue_format: one of :data:`FORMATS`; None: told from the header.
        provider: whose prices they are; must be given where the file has no such column, and else chooses.
        source: what the rows' source shall say; None: the tool and the name of the file.

    Raises:
        PriceError: the file is missing, no catalogue, or not one row of it can be taken.
        UsageError: ``as_of`` or ``provider`` is wrong or missing.
    """
    check_date(as_of, today)
    with open_catalogue(path) as file:
        catalogue = read_catalogue(file, path)
        found = catalogue_format or guess_format(catalogue.columns, path)
        provider = _provider(provider, catalogue, found, path)
        _check_columns(catalogue.columns, found, path)
        text = source or f"{found} catalogue {_printable(path.name)}, fetched {as_of}"
        imported = take_rows(catalogue.rows, found, provider, as_of, text)
    if not imported.rows:
        first = "; ".join(refusal_text(refusal) for refusal in imported.refused[:3]) or "it holds no rows"
        raise PriceError(f"{path}: no price can be taken: {first}")
    return imported


def take_rows(rows: Iterable[Row], catalogue_format: str, provider: str | None, as_of: str, source: str) -> Imported:
    """Rows of a price table from rows of a catalogue whose columns are there.

    Args:
        rows: line and cells.
        catalogue_format: one of :data:`FORMATS`.
        provider: ours; rows of others are left out. None: each row's own.
        as_of: date of all rows.
        source: of all rows; what must be said of one is added.
    """
    gathered = _Gathered(as_of, source)
    for row in rows:
        gathered.take(row, _READERS[catalogue_format][0], provider)
    return gathered.result()


class _Gathered:
    """Distinct offers so far, and what was refused: memory goes with these, not with the rows of the file."""

    def __init__(self, as_of: str, source: str) -> None:
        self._as_of, self._source = as_of, source
        self._rows: dict[tuple[object, ...], tuple[PriceRow, int]] = {}
        self._refused: dict[str, tuple[int, list[int]]] = {}

    def take(self, row: Row, reader: Reader, provider: str | None) -> None:
        try:
            if not row.cells:
                raise Refused(CELLS)
            _check_currency(row.cells)
            for offer in reader(row.cells, _row_provider(row.cells, provider)):
                if isinstance(offer, Refused):
                    self._refuse(str(offer), row.line)
                else:
                    self._add(self._price_row(offer), row.line)
        except Refused as refused:
            self._refuse(str(refused), row.line)

    def result(self) -> Imported:
        for key in _spots_above(row for row, _ in self._rows.values()):
            _, line = self._rows.pop(key)
            self._refuse(SPOT_ABOVE, line)
        refused = [Refusal(reason, num, lines) for reason, (num, lines) in self._refused.items()]
        return Imported([row for row, _ in self._rows.values()], sorted(refused, key=lambda r: -r.num))

    def _price_row(self, offer: Offer) -> PriceRow:
        if not offer.region:  # in a price table that would be every region
            raise Refused("no region")
        cells = {name: "" if value is None else str(value) for name, value in offer._asdict().items()}
        cells |= {"price_usd_per_hour": repr(offer.price), "unit": "instance", "as_of": self._as_of}
        cells["source"] = f"{self._source}; {offer.note}" if offer.note else self._source
        if len(cells["source"]) > MAX_TEXT - len(f"; {DEAREST}"):  # which may yet be added
            raise Refused("the source is too long")
        try:
            return parse_row(cells, "", None)
        except PriceError as error:
            raise Refused(_VALUE.sub("...", str(error).removeprefix(": "))) from None

    def _add(self, row: PriceRow, line: int) -> None:
        key = _key(row)
        there, first_line = self._rows.setdefault(key, (row, line))
        if there.price_usd_per_hour == row.price_usd_per_hour:
            return
        dearest = max(there, row, key=lambda r: r.price_usd_per_hour)
        if not dearest.source.endswith(DEAREST):
            dearest = msgspec.structs.replace(dearest, source=f"{dearest.source}; {DEAREST}")
        self._rows[key] = (dearest, first_line)

    def _refuse(self, reason: str, line: int) -> None:
        if reason not in self._refused and len(self._refused) >= MAX_REASONS:
            reason = _OTHER_REASONS
        num, lines = self._refused.get(reason, (0, []))
        self._refused[reason] = (num + 1, lines if len(lines) >= MAX_LINES_SHOWN else [*lines, line])


def _key(row: PriceRow, pricing: str | None = None) -> tuple[object, ...]:
    what = (row.instance_type, row.accelerator, row.accelerator_count, row.accelerator_memory_gib)
    return (row.provider, row.region, *what, row.vcpus, row.memory_gib, pricing or row.pricing)


def _spots_above(rows: Iterable[PriceRow]) -> list[tuple[object, ...]]:
    """Keys of spot prices that are above what the same offer costs on demand."""
    listed = list(rows)
    on_demand = {_key(row): row.price_usd_per_hour for row in listed if row.pricing == "on_demand"}
    secure: dict[tuple[object, ...], float] = {}
    for row in listed:
        if row.provider == "runpod" and row.pricing == "on_demand" and _RUNPOD_SECURE.match(row.region or ""):
            key = _everywhere(row)
            secure[key] = min(secure.get(key, row.price_usd_per_hour), row.price_usd_per_hour)
    return [
        _key(row)
        for row in listed
        if row.pricing == "spot"
        and row.price_usd_per_hour
        > min(
            on_demand.get(_key(row, "on_demand"), float("inf")),
            secure.get(_everywhere(row), float("inf")) if row.provider == "runpod" else float("inf"),
        )
    ]


def _everywhere(row: PriceRow) -> tuple[object, ...]:
    """RunPod rents a GPU type at one secure price in all data centres, with differing hosts."""
    return row.instance_type, row.accelerator, row.accelerator_count


def _check_currency(cells: Mapping[str, str]) -> None:
    for name, cell in cells.items():
        if name.lower() == "currency" and cell.strip().upper() not in ("", "USD"):
            raise Refused(f"column {name}: prices must be in USD")


def _row_provider(cells: Mapping[str, str], provider: str | None) -> str:
    stated = our_provider(cells.get("provider", "").strip().lower())
    if provider is not None and stated not in ("", provider):
        raise Refused("of another provider")
    if not (provider or stated):
        raise Refused("column provider: blank")
    return provider or stated


def our_provider(name: str) -> str:
    """Another tool's name of a provider in our spelling."""
    return PROVIDER_NAMES.get(name, name)


def guess_format(columns: list[str], path: Path) -> str:
    """Whose catalogue has these columns.

    Raises:
        PriceError: nobody's that we know.
    """
    if "InstanceType" in columns:
        return "skypilot"
    if "instance_name" in columns:
        return "gpuhunt"
    if set(COLUMNS) <= set(columns):
        raise PriceError(f"{path}: is a price table already: name it with --prices or $CHIPMARK_PRICES")
    raise PriceError(
        f"{path}: row 1: neither column InstanceType (SkyPilot) nor instance_name (gpuhunt): "
        "only catalogues of these two are read"
    )


def _check_columns(columns: list[str], catalogue_format: str, path: Path) -> None:
    missing = [name for name in _READERS[catalogue_format][1] if name not in columns]
    if missing:
        raise PriceError(
            f"{path}: row 1: a {catalogue_format} catalogue has a column {', '.join(missing)}; not so here"
        )


def _provider(given: str | None, catalogue: Catalogue, catalogue_format: str, path: Path) -> str | None:
    if given is None:
        if "provider" in catalogue.columns and catalogue_format == "gpuhunt":
            return None
        raise UsageError(f"{path}: does not say whose prices these are: give --provider NAME, for example aws")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", given, re.ASCII):
        raise UsageError(
            f"--provider {given[:40]!r}: a provider is written in small letters, digits and hyphens, as in "
            "`chipmark prices list`: aws, gcp, jarvis-labs"
        )
    return our_provider(given)


def check_date(as_of: str, today: date) -> None:
    """Check when a catalogue was fetched.

    Raises:
        UsageError: it is no date, or yet to come.
    """
    try:
        day = parse_date(as_of)
    except ValueError:
        raise UsageError(f"--as-of: {as_of[:40]!r} is not a date: write YYYY-MM-DD") from None
    if day > today + timedelta(days=1):  # elsewhere it is tomorrow
        raise UsageError(f"--as-of: {as_of} is yet to come: today is {today}")


def refusal_text(refusal: Refusal) -> str:
    """A refusal on one line."""
    more = ", ..." if refusal.num > len(refusal.lines) else ""
    where = "row" if refusal.num == 1 else "rows"
    return f"{refusal.num}: {refusal.reason} ({where} {', '.join(map(str, refusal.lines))}{more})"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:100]
