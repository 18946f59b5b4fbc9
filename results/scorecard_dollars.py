"""The dollars of a scorecard: taken from a cost report, with the price they rest on."""

from __future__ import annotations

from results.cost_record import Basis, Cost, CostReport, MarketCost
from results.price_match import MarketRange, PriceMatch
from results.scorecard_record import Cell

# The machine a case was measured on comes before what it would cost elsewhere.
_ORDER: tuple[Basis, ...] = ("rented_here", "given", "what_if")
_WHAT_IF = "what if: the same accelerator rented elsewhere, measured on another machine"


def dollars(report: CostReport, run_id: str, case_id: str, name: str, unit: str) -> Cell:
    """A cell with the headline cost of one case, or the range of the market, or the reason for neither.

    Args:
        report: where the costs are.
        run_id: the run.
        case_id: its case.
        name: stem of a field of :class:`results.cost_record.Cost`: ``usd_per_1m_items``, ...
        unit: as printed, ``$/1M image``.
    """
    costs = [cost for cost in report.cases if (cost.run_id, cost.case_id) == (run_id, case_id)]
    costs.sort(key=lambda cost: _ORDER.index(cost.basis))
    priced = [(cost, value) for cost in costs if (value := headline(cost, name)) is not None]
    if priced:
        return _priced(priced, name, unit)
    markets = [market for market in report.markets if (market.run_id, market.case_id) == (run_id, case_id)]
    for market in markets:
        found: tuple[float, float, float] | None = getattr(market, name, None)
        if found is not None:
            return _of_market(market, found, unit)
    return Cell(kind="empty", unit=unit, reason=_reason(costs, name))


def headline(cost: Cost, name: str) -> float | None:
    """The cost to quote, attributed or billed; None where there is none."""
    if cost.headline is None:
        return None
    value: float | None = getattr(cost, f"{name}_{cost.headline}")
    return value


def price_text(price: PriceMatch) -> str:
    """``aws p5.48xlarge (8 x H100), us-east-1, on_demand, $55.04 per instance-hour, as of 2026-07-20``."""
    row = price.row
    what = f"{row.accelerator_count} x {row.accelerator}" if row.accelerator else f"{row.vcpus or 'n/a'} vCPU"
    region = row.region or "no region named"
    usd = f"${row.price_usd_per_hour:g} per {row.unit}-hour"
    return f"{row.provider} {row.instance_type} ({what}), {region}, {row.pricing}, {usd}, as of {row.as_of}"


def market_text(asked: MarketRange) -> str:
    """``market of H100, on_demand: 12 offers of 5 providers, as of 2026-05-24 to 2026-08-03``, and the match rule."""
    offers = f"{asked.num_offers} offers of {asked.num_providers} providers"
    dates = f"as of {asked.oldest_as_of} to {asked.newest_as_of}"
    return f"market of {asked.accelerator}, {asked.pricing}: {offers}, {dates}; match {asked.match_rule}"


def _priced(priced: list[tuple[Cost, float]], name: str, unit: str) -> Cell:
    (cost, value), *others = priced
    share = f", attributed {cost.attribution}" if cost.headline == "attributed" and cost.attribution else ""
    notes = [_WHAT_IF] if cost.basis == "what_if" else []
    notes += [
        f"at {price_text(other.price)}: ${usd:.4g}" + (f"; {_WHAT_IF}" if other.basis == "what_if" else "")
        for other, usd in others
    ]
    return Cell(
        kind="derived",
        value=value,
        low=getattr(cost, f"{name}_low", None),
        high=getattr(cost, f"{name}_high", None),
        unit=unit,
        half_width=cost.rate_half_width,
        source=f"{price_text(cost.price)}{share}; match {cost.price.match_rule}",
        notes=tuple(notes),
    )


def _of_market(market: MarketCost, found: tuple[float, float, float], unit: str) -> Cell:
    low, median, high = found
    return Cell(
        kind="derived",
        low=low,
        high=high,
        unit=unit,
        source=market_text(market.market),
        notes=(f"no instance is known: range of the market, median ${median:.4g}",),
    )


def _reason(costs: list[Cost], name: str) -> str:
    if not costs:
        return "no price was given"
    if name == "usd_per_run":
        return costs[0].reason or costs[0].run_reason or "no length of a training run was given"
    return costs[0].reason or costs[0].attribution_reason or "it has no such rate"
