"""A cost report as CSV: one row for each cost, which carries its whole price, so that it can be copied anywhere."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from results.cost_record import Cost, CostReport, CostTerms, MarketCost
from results.price_row import PriceRow
from results.records import Scalar
from results.render import csv_text

_CASE_COLUMNS = ("workload", "workload_version", "phase", "preset", "precision", "batch_size", "backend", "device")
_COST_FIELDS = tuple(name for name in Cost.__struct_fields__ if name not in ("run_id", "case_id", "case", "price"))
_PRICE_FIELDS = PriceRow.__struct_fields__
_MARKET_FIELDS = (
    "accelerator", "provider", "pricing", "num_offers", "num_providers", "usd_per_hour_min", "usd_per_hour_median",
    "usd_per_hour_max", "oldest_as_of", "newest_as_of",
)  # fmt: skip
_MARKET_DOLLARS = ("usd_per_1m_items", "usd_per_1m_tokens", "usd_per_1k_steps")
_ENDS = ("min", "median", "max")
# Basis of a row whose dollars are a range of the market: the columns market_*.
MARKET = "market"
CSV_COLUMNS = (
    "run_id",
    "case_id",
    *_CASE_COLUMNS,
    "shape",
    "options",
    *_COST_FIELDS,
    *(f"price_{name}" for name in _PRICE_FIELDS),
    "price_layer",
    "price_table_sha256",
    "price_match_rule",
    "price_note",
    *(f"terms_{name}" for name in CostTerms.__struct_fields__),
    *(f"market_{name}" for name in _MARKET_FIELDS),
    *(f"market_{name}_{end}" for name in _MARKET_DOLLARS for end in _ENDS),
)


def cost_csv(report: CostReport) -> str:
    """All costs, then the ranges of the market; requests, plans, ranking and owned hardware are in JSON alone."""
    terms = {f"terms_{name}": getattr(report.terms, name) for name in CostTerms.__struct_fields__}
    return csv_text(CSV_COLUMNS, [row | terms for row in _rows(report)])


def _rows(report: CostReport) -> Iterable[dict[str, Scalar]]:
    for cost in report.cases:
        yield _of_cost(cost)
    for market in report.markets:
        yield _of_market(market)


def _of_cost(cost: Cost) -> dict[str, Scalar]:
    price = cost.price
    return {
        "run_id": cost.run_id,
        "case_id": cost.case_id,
        **{name: getattr(cost.case, name) for name in _CASE_COLUMNS},
        "shape": msgspec.json.encode(cost.case.shape, order="sorted").decode(),
        "options": msgspec.json.encode(cost.case.options, order="sorted").decode(),
        **{name: getattr(cost, name) for name in _COST_FIELDS},
        "notes": "; ".join(cost.notes),
        **{f"price_{name}": getattr(price.row, name) for name in _PRICE_FIELDS},
        "price_layer": price.layer,
        "price_table_sha256": price.table_sha256,
        "price_match_rule": price.match_rule,
        "price_note": price.note,
    }


def _of_market(cost: MarketCost) -> dict[str, Scalar]:
    market = cost.market
    dollars: dict[str, Scalar] = {}
    for name in _MARKET_DOLLARS:
        found: tuple[float, float, float] | None = getattr(cost, name)
        dollars |= {f"market_{name}_{end}": usd for end, usd in zip(_ENDS, found or (None,) * 3, strict=True)}
    return {
        "run_id": cost.run_id,
        "case_id": cost.case_id,
        "basis": MARKET,
        "item_unit": cost.item_unit,
        **{f"market_{name}": getattr(market, name) for name in _MARKET_FIELDS},
        **dollars,
        "price_table_sha256": " ".join(f"{layer}:{sha256}" for layer, sha256 in market.table_sha256.items()),
        "price_match_rule": market.match_rule,
    }
