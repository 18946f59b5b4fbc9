"""By what rows of a price table are the same offer, and which of two is the newer."""

from __future__ import annotations

from results.price_row import PriceRow

COLUMNS = PriceRow.__struct_fields__


MEMORY_TOLERANCE = 0.10  # 22.4 GiB are sold as 24 GB


def offer_key(row: PriceRow) -> tuple[str, str, str, str]:
    """What rows of one offer share, whatever their region and memory."""
    return row.provider, row.instance_type, row.pricing, row.unit


def covers(above: PriceRow, below: PriceRow) -> bool:
    """Whether a row of a later layer with the same :func:`offer_key` takes the place of one below.

    A row that states no region, or no memory, is for all of them; memory may be the nominal or the usable size.
    """
    if above.region is not None and above.region != below.region:
        return False
    size, other = above.accelerator_memory_gib, below.accelerator_memory_gib
    if size is None or size == other:
        return True
    return other is not None and abs(size - other) <= MEMORY_TOLERANCE * max(size, other)


def layer_key(row: PriceRow) -> tuple[object, ...]:
    """What a row of a later layer must share with one of an earlier layer to take its place."""
    return (row.provider, row.region, row.instance_type, row.accelerator_memory_gib, row.pricing, row.unit)


def identity(row: PriceRow) -> tuple[object, ...]:
    """What no two rows of a file may share: all but price and source."""
    return tuple(getattr(row, n) for n in COLUMNS if n not in ("price_usd_per_hour", "source"))


def date_rank(row: PriceRow) -> str:
    """Sorts by date; ``unknown`` is the oldest."""
    return "" if row.as_of == "unknown" else row.as_of
