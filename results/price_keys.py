"""By what rows of a price table are the same offer, and which of two is the newer."""

from __future__ import annotations

from collections.abc import Iterator

from results.price_row import PriceRow

COLUMNS = PriceRow.__struct_fields__


def covering_keys(row: PriceRow) -> Iterator[tuple[object, ...]]:
    """Keys of rows that take the place of ``row``: its own, then those that leave region or memory open."""
    for region in dict.fromkeys((row.region, None)):
        for memory_gib in dict.fromkeys((row.accelerator_memory_gib, None)):
            yield row.provider, region, row.instance_type, memory_gib, row.pricing, row.unit


def layer_key(row: PriceRow) -> tuple[object, ...]:
    """What a row of a later layer must share with one of an earlier layer to take its place."""
    return (row.provider, row.region, row.instance_type, row.accelerator_memory_gib, row.pricing, row.unit)


def identity(row: PriceRow) -> tuple[object, ...]:
    """What no two rows of a file may share: all but price and source."""
    return tuple(getattr(row, n) for n in COLUMNS if n not in ("price_usd_per_hour", "source"))


def date_rank(row: PriceRow) -> str:
    """Sorts by date; ``unknown`` is the oldest."""
    return "" if row.as_of == "unknown" else row.as_of
