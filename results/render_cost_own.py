"""The dollars in a run's own table: what its cases cost on the instance that the run says it was made on.

A run on a machine that is not rented, or not known, has none; nothing that is wrong with prices may cost the table.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from results import units
from results.case_summary import RunSummary
from results.errors import ChipmarkError, PriceError
from results.notes import one_line
from results.price_match import PriceMatch
from results.render_table import Block, TableColumn


class OwnCost(NamedTuple):
    """A block of costs, if there are any, and what must be said beside it."""

    blocks: list[Block]
    notes: list[str]


def own_cost(summary: RunSummary, today: date | None = None) -> OwnCost:
    """The costs of a run at the price of its own instance; never an error.

    Args:
        summary: of the run.
        today: for the age of the price; None: now.
    """
    instance = summary.run.instance
    if instance is None or instance.instance_type is None:
        return OwnCost([], [])
    from results.price_layers import load_layers
    from results.run_prices import DEFAULT_PRICING, stored_price

    name = f"{instance.provider}:{instance.instance_type}"
    try:
        table = load_layers()
    except ChipmarkError as error:
        return OwnCost([], [one_line(f"no cost: the price table cannot be read: {error}")])
    try:
        price = stored_price(summary, table)
    except PriceError:
        kind = instance.pricing or DEFAULT_PRICING
        where = f", {instance.region}" if instance.region else ""
        why = f"no {kind} price for {name}{where} in the price table; add one with: chipmark prices import"
        return OwnCost([], [one_line(f"no cost: {why}")])
    return _at(summary, price, today or date.today())


def _at(summary: RunSummary, price: PriceMatch, today: date) -> OwnCost:
    from results.cost import cost_rows
    from results.cost_terms import CEILING_UNITS
    from results.cost_warnings import cost_warnings
    from results.render_cost_text import cost_cell, distinct, priced

    found = cost_rows(summary, price, "rented_here")
    costs = priced(found)
    row = price.row
    where = f"{row.region or 'no region stated'}, {row.pricing}"
    heading = f"cost on {row.provider} {row.instance_type}, {where}: ${row.price_usd_per_hour:g}/h as of {row.as_of}"
    columns = [
        TableColumn("case", 58, False),
        TableColumn("for", 16, False),
        TableColumn("dollars", 20, True),
    ]
    rows = []
    for cost in costs:
        tokens = cost.usd_per_1m_tokens_billed is not None
        name = "usd_per_1m_tokens" if tokens else "usd_per_1m_items"
        dollars = cost_cell(cost, name).replace("\n", " ")
        unit = "token" if tokens else cost.item_unit or "item"
        rows.append([one_line(cost.case.label), f"1M {unit}", dollars])
    if not rows:
        refused = distinct(c.reason for c in found if c.status == "ok" and c.item_unit not in CEILING_UNITS)
        why = refused[0] if refused else "no case of a workload ended ok"
        return OwnCost([], [one_line(f"no cost on {row.provider} {row.instance_type}: {why}")])
    notes = ["cost: at the measured rate all the time (utilisation 1); more with: chipmark cost"]
    shares = [cost for cost in costs if cost.usd_per_hour_attributed not in (None, cost.usd_per_hour_billed)]
    if shares:
        notes.append(
            f"headline: attributed {shares[0].attribution} of the instance, true only if its other accelerators are "
            f"kept as busy; in brackets billed: all of it, {units.usd(shares[0].usd_per_hour_billed)} per hour"
        )
    notes += [f"warning: {text}" for text in cost_warnings(summary, price, "rented_here", today)]
    return OwnCost([Block(one_line(heading), columns, rows)], [one_line(note) for note in notes])
