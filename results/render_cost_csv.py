"""A cost report as CSV: one row for each cost, which carries its whole price, so that it can be copied anywhere.

Requests are of two cases each and have no row; they are in JSON and in the tables. Imported results likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from results.cost_record import Cost, CostReport, CostTerms, MarketCost
from results.price_match import MarketRange, PriceMatch
from results.price_row import PriceRow
from results.records import CaseSpec, Scalar
from results.render import csv_text
from results.render_cost_imported import CSV_COLUMNS as IMPORTED_COLUMNS
from results.render_cost_imported import csv_row as imported_row

_CASE_COLUMNS = ("workload", "workload_version", "phase", "preset", "precision", "batch_size", "backend", "device")
_COST_FIELDS = tuple(name for name in Cost.__struct_fields__ if name not in ("run_id", "case_id", "case", "price"))
_PRICE_FIELDS = PriceRow.__struct_fields__
_MARKET_FIELDS = tuple(name for name in MarketRange.__struct_fields__ if name not in ("table_sha256", "match_rule"))
# Fields of a cost that a cost over the market has as well.
_SHARED_FIELDS = tuple(name for name in _COST_FIELDS if name in MarketCost.__struct_fields__ and "usd" not in name)
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
# What is asked for beside -> field of its record -> column. Only there when it is asked for.
_RANK = {name: f"rank_{name}" for name in ("place", "usd", "unit", "reason", "tied_with_place")}
_OWNED = {
    "attribution": "owned_attribution",
    "rent_usd_per_hour": "owned_rent_usd_per_hour",
    "usd_per_busy_hour": "owned_usd_per_busy_hour",
    "usd_per_1m_items": "owned_usd_per_1m_items",
    "usd_per_1m_tokens": "owned_usd_per_1m_tokens",
    "usd_per_1k_steps": "owned_usd_per_1k_steps",
    "break_even_busy_fraction": "owned_break_even_busy_fraction",
    "break_even_reason": "owned_reason",
}
_PLAN = {
    name: f"plan_{name}"
    for name in (
        "tokens", "parameters", "chips", "efficiency", "flops_per_s", "mfu", "time_s", "chip_hours", "num_units",
        "usd_attributed", "usd_billed", "half_width", "reason",
    )
}  # fmt: skip


def csv_columns(report: CostReport) -> tuple[str, ...]:
    """The columns of a report: :data:`CSV_COLUMNS`, and those of what was asked for beside."""
    return (
        *CSV_COLUMNS,
        *(_RANK.values() if report.ranking else ()),
        *(_OWNED.values() if report.owned_terms else ()),
        *(_PLAN.values() if report.plans else ()),
        *(IMPORTED_COLUMNS if report.imported else ()),
    )


def cost_csv(report: CostReport) -> str:
    """All costs, each with its rank, owned hardware and projection where they were asked for; then the market's."""
    terms = {f"terms_{name}": getattr(report.terms, name) for name in CostTerms.__struct_fields__}
    return csv_text(csv_columns(report), [row | terms for row in _rows(report)])


def _rows(report: CostReport) -> Iterable[dict[str, Scalar]]:
    ranks = {rank.index: rank for rank in report.ranking}
    owned = {_key(cost.run_id, cost.case_id, cost.price): cost for cost in report.owned}
    plans = {_key(plan.run_id, plan.case_id, plan.price): plan for plan in report.plans}
    for index, cost in enumerate(report.cases):
        key = _key(cost.run_id, cost.case_id, cost.price)
        yield (
            _of_cost(cost)
            | _fields(ranks.get(index), _RANK)
            | _fields(owned.get(key), _OWNED)
            | _fields(plans.get(key), _PLAN)
        )
    for market in report.markets:
        yield _of_market(market)
    for imported in report.imported:
        yield imported_row(imported)


def _key(run_id: str, case_id: str, price: PriceMatch) -> object:
    return run_id, case_id, price.row, price.layer, price.table_sha256


def _fields(record: msgspec.Struct | None, columns: Mapping[str, str]) -> dict[str, Scalar]:
    return {column: getattr(record, name) for name, column in columns.items()} if record else {}


def _of_case(run_id: str, case_id: str, case: CaseSpec | None) -> dict[str, Scalar]:
    named: dict[str, Scalar] = {"run_id": run_id, "case_id": case_id}
    if case is None:
        return named
    return named | {
        **{name: getattr(case, name) for name in _CASE_COLUMNS},
        "shape": msgspec.json.encode(case.shape, order="sorted").decode(),
        "options": msgspec.json.encode(case.options, order="sorted").decode(),
    }


def _of_cost(cost: Cost) -> dict[str, Scalar]:
    price = cost.price
    return {
        **_of_case(cost.run_id, cost.case_id, cost.case),
        **{name: getattr(cost, name) for name in _COST_FIELDS},
        "notes": "; ".join(cost.notes),
        "warnings": "; ".join(cost.warnings),
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
        **_of_case(cost.run_id, cost.case_id, cost.case),
        **{name: getattr(cost, name) for name in _SHARED_FIELDS},
        "basis": MARKET,
        "notes": "; ".join(cost.notes),
        "warnings": "; ".join(cost.warnings),
        **{f"market_{name}": _scalar(getattr(market, name)) for name in _MARKET_FIELDS},
        **dollars,
        "price_table_sha256": " ".join(f"{layer}:{sha256}" for layer, sha256 in market.table_sha256.items()),
        "price_match_rule": market.match_rule,
    }


def _scalar(value: object) -> Scalar:
    """A record within a record, such as an offer, as JSON."""
    return value if value is None or isinstance(value, str | int | float) else msgspec.json.encode(value).decode()
