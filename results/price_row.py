"""One row of the price table, as a stored type."""

from __future__ import annotations

from results.records import Record


class PriceRow(Record, frozen=True, kw_only=True):
    """One row of the price table (``configs/prices.csv``), as it stands there."""

    provider: str
    region: str | None
    instance_type: str
    accelerator: str | None
    accelerator_count: int
    accelerator_memory_gib: float | None
    vcpus: int | None
    memory_gib: float | None
    pricing: str  # on_demand, spot, reserved_1y, reserved_3y, capacity_block
    price_usd_per_hour: float
    unit: str  # instance, accelerator, chip
    as_of: str
    source: str
