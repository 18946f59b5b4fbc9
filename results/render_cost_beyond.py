"""Blocks of a cost report that go beyond what was measured or priced: plans, ranking, market, imported results."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.cost_record import CostReport, MarketCost, Rank, RankLimits
from results.price_match import MarketRange
from results.render_cost_text import Page, duration, labels, pair_cell
from results.render_table import Block, TableColumn

_Range = tuple[float, float, float] | None


def plan_blocks(page: Page) -> list[Block]:
    """The projected training, by the case that it is projected from."""
    plans = page.report.plans
    if not plans:
        return []
    first, names = plans[0], labels(page.report)
    several = len(page.prices) > 1
    columns = [
        TableColumn("measured case", 21, False),
        *([TableColumn("price", 5, False)] if several else []),
        TableColumn("MFU", 8, True),
        TableColumn("FLOP/s", 12, True),
        TableColumn("time", 8, True),
        TableColumn("chip-hours", 10, True),
        TableColumn("units", 5, True),
        TableColumn("attributed (billed)", 12, True),
        TableColumn("+-", 6, True),
        TableColumn("note", 4, False),
    ]
    rows = [
        [
            names.get((plan.run_id, plan.case_id), plan.case_id),
            *([page.letter(plan.price)] if several else []),
            units.percent(plan.mfu),
            units.flops(plan.flops_per_s),
            duration(plan.time_s),
            units.number(plan.chip_hours),
            units.NOT_AVAILABLE if plan.num_units is None else str(plan.num_units),
            pair_cell(plan.usd_attributed, plan.usd_billed),
            units.half_width(plan.half_width),
            page.notes.refer([*([plan.reason] if plan.reason else []), *plan.notes]),
        ]
        for plan in plans
    ]
    what = f"{units.count(first.tokens)} tokens, {units.count(first.parameters)} parameters, {first.chips} chips"
    return [Block(f"PROJECTION, not measured: training on {what}, efficiency {first.efficiency:g}", columns, rows)]


def plan_notes(report: CostReport) -> list[str]:
    """What a projection assumes."""
    if not report.plans:
        return []
    plan = report.plans[0]
    return [
        "projection: 6 FLOP a parameter and token, at the FLOP/s that one accelerator was measured to keep; "
        f"{plan.chips} chips at an efficiency of {plan.efficiency:g} are assumed, not measured; start-up, checkpoints "
        "and time to a quality target are not in it; +- is that of the measured rate alone"
    ]


def rank_blocks(page: Page) -> list[Block]:
    """Places, cheapest first, and apart from them what was not ranked, each with its reason."""
    blocks = []
    for group in dict.fromkeys(rank.group for rank in page.report.ranking):
        ranks = [rank for rank in page.report.ranking if rank.group == group]
        placed = sorted((rank for rank in ranks if rank.place is not None), key=lambda rank: rank.place or 0)
        others = [rank for rank in ranks if rank.place is None]
        unit = next((rank.unit for rank in ranks if rank.unit), "$")
        if placed:
            blocks.append(_rank_block(page, f"cheapest first: {group}", placed, unit))
        if others:
            blocks.append(_rank_block(page, f"not ranked: {group}", others, unit))
    return blocks


def _rank_block(page: Page, heading: str, ranks: Sequence[Rank], unit: str) -> Block:
    names = labels(page.report)
    several = len(page.prices) > 1
    with_place = ranks[0].place is not None
    columns = [
        *([TableColumn("place", 5, True)] if with_place else []),
        TableColumn("case", 34, False),
        *([TableColumn("price", 5, False)] if several else []),
        TableColumn(unit, 14, True),
        TableColumn("of", 10, False),
        TableColumn("+-", 6, True),
        *([TableColumn("tied", 9, False)] if with_place else []),
        TableColumn("note", 5, False),
    ]
    rows = []
    for rank in ranks:
        cost = page.report.cases[rank.index]
        tied = f"with {rank.tied_with_place}" if rank.tied_with_place else ""
        rows.append(
            [
                *([str(rank.place)] if with_place else []),
                names[cost.run_id, cost.case_id],
                *([page.letter(cost.price)] if several else []),
                units.usd(rank.usd),
                (cost.headline or "") if rank.usd is not None else "",
                units.half_width(cost.rate_half_width),
                *([tied] if with_place else []),
                page.notes.refer([rank.reason] if rank.reason else []),
            ]
        )
    return Block(heading, columns, rows)


def rank_notes(report: CostReport) -> list[str]:
    """What a tie is."""
    if not report.ranking:
        return []
    return [
        _limits_text(report.rank_limits),
        "tied with N: the best place before this one whose 95 % interval overlaps this one's; which of them is cheaper "
        "nobody can tell; equal dollars share a place",
    ]


def _limits_text(limits: RankLimits | None) -> str:
    """What was asked of a case to be ranked."""
    asked = []
    if limits and limits.max_latency_s is not None:
        asked.append(
            f"{limits.latency_percentile} of at most {units.seconds(limits.max_latency_s)} (a step in train and infer, "
            "the first token in prefill, one generated token in decode; where the samples do not support it a case "
            "is not ranked)"
        )
    if limits and limits.min_throughput_per_s is not None:
        asked.append(f"at least {units.count(limits.min_throughput_per_s)} items/s")
    return f"ranked: {' and '.join(asked) if asked else 'no limit of latency or throughput was given'}"


def market_blocks(page: Page) -> list[Block]:
    """Cases over the range of the market, where no instance is known."""
    blocks = []
    names = labels(page.report)
    keys = dict.fromkeys((cost.run_id, _market_text(cost.market)) for cost in page.report.markets)
    for run_id, text in keys:
        costs = [c for c in page.report.markets if (c.run_id, _market_text(c.market)) == (run_id, text)]
        columns = [
            TableColumn("case", 36, False),
            TableColumn("dollars for", 13, False),
            TableColumn("least", 10, True),
            TableColumn("median", 10, True),
            TableColumn("most", 10, True),
            TableColumn("+-", 6, True),
            TableColumn("note", 5, False),
        ]
        rows = [
            [
                names[run_id, cost.case_id],
                unit,
                *_three(found),
                units.half_width(cost.rate_half_width) if found else units.NOT_AVAILABLE,
                page.notes.refer([*([cost.reason] if cost.reason else []), *cost.notes]),
            ]
            for cost in costs
            for unit, found in _market_rows(cost)
        ]
        blocks.append(Block(text, columns, rows))
    return blocks


def market_notes(report: CostReport) -> list[str]:
    """Why there is a range and no price."""
    if not report.markets:
        return []
    found = dict.fromkeys(
        f"{layer} table, sha256 {sha256[:12]}"
        for cost in report.markets
        for layer, sha256 in cost.market.table_sha256.items()
    )
    return [
        "market: no instance is known for the run, so there is a range over what others ask for the accelerator and no "
        "single price; an instance's price is divided by its accelerators; name one with --instance for a cost; "
        f"{'; '.join(found)}; match accelerator_only",
        *dict.fromkeys(text for cost in report.markets for text in _offer_notes(cost.market)),
    ]


def _offer_notes(market: MarketRange) -> list[str]:
    """Who asks the least and the most, and what the range mixes."""
    parts = (
        f"least is {market.least_offer}" if market.least_offer else "",
        f"most is {market.most_offer}" if market.most_offer else "",
        market.note,
    )
    text = "; ".join(filter(None, parts))
    return [f"market of {market.accelerator}, {market.pricing}: {text}"] if text else []


def _market_text(market: MarketRange) -> str:
    who = f"{market.provider} alone" if market.provider else f"{market.num_providers} providers"
    ends = (market.usd_per_hour_min, market.usd_per_hour_median, market.usd_per_hour_max)
    prices = " / ".join(f"${usd:.4g}" for usd in ends)
    return (
        f"market of {market.accelerator}, {market.pricing}: {prices} per accelerator-hour (least / median / most of "
        f"{market.num_offers} offers, {who}, as of {market.oldest_as_of} to {market.newest_as_of})"
    )


def _market_rows(cost: MarketCost) -> list[tuple[str, _Range]]:
    unit = cost.item_unit or "item"
    rows = [(f"1M {unit}", cost.usd_per_1m_items)]
    if unit != "token" and cost.usd_per_1m_tokens is not None:
        rows.append(("1M token", cost.usd_per_1m_tokens))
    if cost.usd_per_1k_steps is not None:
        rows.append(("1k steps", cost.usd_per_1k_steps))
    return rows


def _three(found: _Range) -> list[str]:
    return [units.usd(usd) for usd in (found or (None, None, None))]
