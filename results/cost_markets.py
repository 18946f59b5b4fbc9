"""Costs over what the market asks for an accelerator, where no instance is known: ranges, never one number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from results.case_summary import CaseSummary, RunSummary
from results.cost_notes import case_notes, rate_half_width
from results.cost_record import CostTerms, MarketCost
from results.cost_terms import CEILING_UNITS, NO_CEILING, kept_fraction
from results.device_table import match, shipped_devices
from results.price_age import age_warning
from results.price_match import MarketRange
from results.records import Device
from results.render import find_device


def market_costs(
    summary: RunSummary, markets: Sequence[MarketRange], terms: CostTerms, warnings: Sequence[str] = ()
) -> Iterator[MarketCost]:
    """One for each market and case; a case that did not end ok on its accelerator has a reason.

    ``usd_per_1m_x = usd_per_hour / (3600 * x_per_s * u * (1 - l)) * 1e6`` of the least, the median and the highest
    offer for one accelerator, and ``usd_per_1k_steps`` likewise; u and l as in :mod:`results.cost_arithmetic`.

    Args:
        summary: the run.
        markets: of the accelerators that it used.
        terms: checked.
        warnings: of the run and its markets.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    for market in markets:
        for case in summary.cases:
            device = find_device(summary.run.devices, case.case)
            yield _market_cost(summary.run.run_id, case, market, terms, _reason(case, device, market), warnings)


def market_warnings(market: MarketRange, today: date) -> list[str]:
    """Where an offer is old, or of unknown age; the oldest tells."""
    if market.oldest_as_of == "unknown":
        return [f"market of {market.accelerator}: some offers are of unknown date: check them before use"]
    old = age_warning(market.oldest_as_of, today)
    return [f"market of {market.accelerator}, oldest offer: {old}"] if old else []


def _reason(case: CaseSummary, device: Device | None, market: MarketRange) -> str:
    """Why a case has no dollars on this market; empty where it has."""
    if case.status == "missing":
        return case.reason or "no reason was given"
    if case.status != "ok":
        return f"{case.status}: {case.reason or 'no reason was given'}"
    if case.functional_only:
        return case.functional_only
    if case.item_unit in CEILING_UNITS:
        return NO_CEILING
    if device is None:
        return "the run does not say which device this is"
    if device.kind == "cpu":
        return "measured on a CPU: the market is that of an accelerator"
    row = match(shipped_devices(), device.name, device.kind, device.memory_bytes).row
    if row is None or row.device != market.accelerator:
        return f"measured on {device.name}, and this is the market of {market.accelerator}"
    return "" if case.throughput_per_s else case.throughput_per_s_reason or "no throughput"


def _market_cost(
    run_id: str, case: CaseSummary, market: MarketRange, terms: CostTerms, reason: str, warnings: Sequence[str]
) -> MarketCost:
    useful = 3600 * terms.utilisation * kept_fraction(market.pricing, terms)
    steps_per_s = case.steps_per_s if case.case.phase == "train" else None
    half_width, why = rate_half_width(case)

    def usd(rate: float | None, number: float) -> tuple[float, float, float] | None:
        if not rate or reason:
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
        case=case.case,
        status=case.status,
        support=case.support,
        reason=reason,
        notes=case_notes(case),
        warnings=tuple(warnings),
        item_unit=case.item_unit,
        token_kind=case.token_kind,
        throughput_per_s=case.throughput_per_s,
        tokens_per_s=case.tokens_per_s,
        training_steps_per_s=steps_per_s,
        latency_p50_s=case.latency_p50_s,
        latency_p99_s=case.latency_p99_s,
        latency_p99_s_reason=case.latency_p99_s_reason,
        rate_half_width=half_width,
        rate_half_width_reason=why,
        market=market,
        usd_per_1m_items=usd(case.throughput_per_s, 1e6),
        usd_per_1m_tokens=usd(case.tokens_per_s, 1e6),
        usd_per_1k_steps=usd(steps_per_s, 1e3),
    )
