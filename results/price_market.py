"""What the market asks for an hour of one accelerator: a range, never a price to quote."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from results.device_names import accelerator_row
from results.price_match import MarketRange
from results.price_row import PriceRow
from results.price_table import PriceTable, date_rank
from results.pricing import DEFAULT_REGIONS


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
    rows = [
        row for row in table.rows
        if row.pricing == pricing and row.accelerator is not None and provider in (None, row.provider)
        and accelerator_row(row.accelerator, row.accelerator_memory_gib) == accelerator
    ]  # fmt: skip
    offers: dict[tuple[str, str], PriceRow] = {}
    for row in rows:
        key = (row.provider, row.instance_type)
        if key not in offers or _rank(row) > _rank(offers[key]):
            offers[key] = row
    if not offers:
        return None
    prices = [row.price_usd_per_hour / row.accelerator_count for row in offers.values()]
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


def _rank(row: PriceRow) -> tuple[Any, ...]:
    """Later is taken: the main region, then the newest, then the dearest."""
    place = DEFAULT_REGIONS.index(row.region) if row.region in DEFAULT_REGIONS else len(DEFAULT_REGIONS)
    # Of regions that are none of the main ones the first by name, as in find.
    name = tuple(-ord(letter) for letter in row.region or "\U0010ffff")
    return -place, name, date_rank(row), row.price_usd_per_hour


def _dates(rows: Iterable[PriceRow]) -> list[str]:
    """Oldest first; ``unknown`` counts as the oldest."""
    return sorted((row.as_of for row in rows), key=lambda as_of: "" if as_of == "unknown" else as_of)
