"""Costs over what the market asks for an accelerator, where no instance is known: ranges, never one number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import CostTerms, MarketCost
from results.cost_terms import CEILING_UNITS, kept_fraction
from results.device_table import match, shipped_devices
from results.price_match import MarketRange
from results.render import find_device


def market_costs(summary: RunSummary, markets: Sequence[MarketRange], terms: CostTerms) -> Iterator[MarketCost]:
    """One for each case that ended ok on an accelerator whose market is given.

    ``usd_per_1m_x = usd_per_hour / (3600 * x_per_s * u * (1 - l)) * 1e6`` of the least, the median and the highest
    offer for one accelerator, and ``usd_per_1k_steps`` likewise; u and l as in :mod:`results.cost_arithmetic`.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    for market in markets:
        for case in summary.cases:
            if (
                case.status == "ok"
                and case.item_unit not in CEILING_UNITS
                and _row_name(summary, case) == market.accelerator
            ):
                yield _market_cost(summary.run.run_id, case, market, terms)


def _row_name(summary: RunSummary, case: CaseSummary) -> str | None:
    """The row of the device table that a case ran on."""
    device = find_device(summary.run.devices, case.case)
    if device is None:
        return None
    row = match(shipped_devices(), device.name, device.kind, device.memory_bytes).row
    return row.device if row else None


def _market_cost(run_id: str, case: CaseSummary, market: MarketRange, terms: CostTerms) -> MarketCost:
    useful = 3600 * terms.utilisation * kept_fraction(market.pricing, terms)

    def usd(rate: float | None, number: float) -> tuple[float, float, float] | None:
        if not rate:
            return None
        low, median, high = (
            offer / (useful * rate) * number
            for offer in (market.usd_per_hour_min, market.usd_per_hour_median, market.usd_per_hour_max)
        )
        return low, median, high

    return MarketCost(
        run_id=run_id,
        case_id=case.case_id,
        label=case.case.label,
        item_unit=case.item_unit,
        market=market,
        usd_per_1m_items=usd(case.throughput_per_s, 1e6),
        usd_per_1m_tokens=usd(case.tokens_per_s, 1e6),
        usd_per_1k_steps=usd(case.steps_per_s if case.case.phase == "train" else None, 1e3),
    )
