"""What the market asks for an hour of one accelerator: a range, never a price to quote."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from results.device_names import form_stated, sold_part
from results.price_match import PRECEDENCE, MarketRange
from results.price_row import PriceRow
from results.price_table import PriceTable, date_rank
from results.pricing import region_rank, region_text

# Key of an offer: provider and instance type.
_Key = tuple[str, str]
_HOST_IS_EXTRA = "VM is extra"  # as the source column says it


def market(
    table: PriceTable, accelerator: str, pricing: str = "on_demand", provider: str | None = None
) -> MarketRange | None:
    """The range over all offers of an accelerator, an offer being a provider's instance type.

    Least and most are over all regions of all offers, each region at its newest price; the median takes each offer
    once, in its main region: a user's own price first, else as :func:`results.pricing.find` takes it. A type that is
    sold with several memories or hosts under one name counts at its dearest per accelerator. A price whose source says
    that the machine costs extra cannot stand beside one with it: it is left out, and the note counts it.

    Args:
        table: where to look.
        accelerator: a row of the device table.
        pricing: kind of price.
        provider: only this one's offers; None: all.

    Returns:
        None if nobody in the table offers it, or only without the machine around it.
    """
    rows = _rows_of(table, accelerator, pricing, provider)
    num_extra = len({_key(row) for row, _ in rows if _HOST_IS_EXTRA in row.source})
    rows = [(row, rank) for row, rank in rows if _HOST_IS_EXTRA not in row.source]
    if not rows:
        return None
    asked = _newest_of_each_region(row for row, _ in rows)
    main = _main_offers(rows)
    least, most = min(asked, key=_per_accelerator), max(asked, key=_per_accelerator)
    dates = _dates(asked)
    return MarketRange(
        accelerator=accelerator,
        pricing=pricing,
        provider=provider,
        num_offers=len(main),
        num_providers=len({row.provider for row in main}),
        usd_per_hour_min=_per_accelerator(least),
        usd_per_hour_median=statistics.median(map(_per_accelerator, main)),
        usd_per_hour_max=_per_accelerator(most),
        least_offer=_offer_text(least),
        most_offer=_offer_text(most),
        note=_note(main, num_extra),
        oldest_as_of=dates[0],
        newest_as_of=dates[-1],
        table_sha256=table.sha256,
    )


def _rows_of(table: PriceTable, accelerator: str, pricing: str, provider: str | None) -> list[tuple[PriceRow, int]]:
    """The rows of the accelerator, each with its layer's place in :data:`PRECEDENCE`."""
    parts: dict[tuple[object, ...], str | None] = {}  # names are few and rows may be a million
    rows = []
    for row, layer in zip(table.rows, table.layers, strict=True):
        if row.pricing != pricing or row.accelerator is None or provider not in (None, row.provider):
            continue
        name = (row.accelerator, row.accelerator_memory_gib, row.instance_type)
        if name not in parts:
            parts[name] = sold_part(row)
        if parts[name] == accelerator:
            rows.append((row, PRECEDENCE[layer]))
    return rows


def _newest_of_each_region(rows: Iterable[PriceRow]) -> list[PriceRow]:
    offers: dict[tuple[str, str, str | None], PriceRow] = {}
    for row in rows:
        key = (*_key(row), row.region)
        if key not in offers or _later_dearer(row) > _later_dearer(offers[key]):
            offers[key] = row
    return list(offers.values())


def _main_offers(rows: Sequence[tuple[PriceRow, int]]) -> list[PriceRow]:
    """Each offer once: of its last layer, in its main region."""
    last: dict[_Key, int] = {}
    for row, rank in rows:
        last[_key(row)] = max(rank, last.get(_key(row), rank))
    main: dict[_Key, PriceRow] = {}
    for row in _newest_of_each_region(row for row, rank in rows if rank == last[_key(row)]):
        there = main.get(_key(row))
        if there is None or region_rank(row.region) < region_rank(there.region):
            main[_key(row)] = row
    return list(main.values())


def _note(offers: Sequence[PriceRow], num_extra: int) -> str:
    """What the range mixes, in words."""
    num = len(offers)
    counts = (
        (
            sum(row.unit != "instance" for row in offers),
            f"of {num} offers are priced per accelerator: a host may or may not be in",
        ),
        (sum(not form_stated(row) for row in offers), f"of {num} offers do not say SXM, PCIe or NVL"),
        (sum(row.as_of == "unknown" for row in offers), f"of {num} offers are of unknown date"),
        (num_extra, "more left out: the machine costs extra"),
    )
    return "; ".join(f"{count} {words}" for count, words in counts if count)


def _offer_text(row: PriceRow) -> str:
    return f"{row.provider} {row.instance_type}, {region_text(row.region)}, as of {row.as_of}"


def _key(row: PriceRow) -> _Key:
    return row.provider, row.instance_type


def _later_dearer(row: PriceRow) -> tuple[str, float]:
    return date_rank(row), _per_accelerator(row)


def _per_accelerator(row: PriceRow) -> float:
    return row.price_usd_per_hour / row.accelerator_count


def _dates(rows: Iterable[PriceRow]) -> list[str]:
    """Oldest first; ``unknown`` counts as the oldest."""
    return sorted((row.as_of for row in rows), key=lambda as_of: "" if as_of == "unknown" else as_of)
