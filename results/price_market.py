"""What the market asks for an hour of one accelerator: a range, never a price to quote."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterable

from results.device_names import accelerator_row
from results.price_match import MarketRange
from results.price_row import PriceRow
from results.price_table import PriceTable, date_rank
from results.pricing import region_rank


def market(
    table: PriceTable, accelerator: str, pricing: str = "on_demand", provider: str | None = None
) -> MarketRange | None:
    """The range over all offers of an accelerator, an offer being a provider's instance type.

    An offer is taken once, in the region that :func:`results.pricing.find` would take, at its newest price, per
    accelerator. A type that is sold with several memories or hosts under one name counts at its dearest.

    Args:
        table: where to look.
        accelerator: a row of the device table.
        pricing: kind of price.
        provider: only this one's offers; None: all.

    Returns:
        None if nobody in the table offers it.
    """
    # Names are few and rows may be a million.
    row_of = functools.lru_cache(maxsize=None)(accelerator_row)
    rows = [
        row for row in table.rows
        if row.pricing == pricing and row.accelerator is not None and provider in (None, row.provider)
        and row_of(row.accelerator, row.accelerator_memory_gib) == accelerator
    ]  # fmt: skip
    region_of = _main_region(rows)
    offers: dict[tuple[str, str], PriceRow] = {}
    for row in rows:
        key = (row.provider, row.instance_type)
        there = offers.get(key)
        if row.region == region_of[key] and (there is None or _later_dearer(row) > _later_dearer(there)):
            offers[key] = row
    if not offers:
        return None
    prices = [_per_accelerator(row) for row in offers.values()]
    dates = _dates(offers.values())
    return MarketRange(
        accelerator=accelerator,
        pricing=pricing,
        provider=provider,
        num_offers=len(offers),
        num_providers=len({row.provider for row in offers.values()}),
        usd_per_hour_min=min(prices),
        usd_per_hour_median=statistics.median(prices),
        usd_per_hour_max=max(prices),
        oldest_as_of=dates[0],
        newest_as_of=dates[-1],
        table_sha256=table.sha256,
    )


def _main_region(rows: Iterable[PriceRow]) -> dict[tuple[str, str], str | None]:
    """The region of each (provider, type), as :func:`results.pricing.find` chooses it."""
    chosen: dict[tuple[str, str], str | None] = {}
    for row in rows:
        key = (row.provider, row.instance_type)
        chosen[key] = min(chosen.get(key, row.region), row.region, key=region_rank)
    return chosen


def _later_dearer(row: PriceRow) -> tuple[str, float]:
    return date_rank(row), _per_accelerator(row)


def _per_accelerator(row: PriceRow) -> float:
    return row.price_usd_per_hour / row.accelerator_count


def _dates(rows: Iterable[PriceRow]) -> list[str]:
    """Oldest first; ``unknown`` counts as the oldest."""
    return sorted((row.as_of for row in rows), key=lambda as_of: "" if as_of == "unknown" else as_of)
