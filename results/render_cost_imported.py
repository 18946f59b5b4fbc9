"""Results measured elsewhere, in a cost report: a block for each price or market, apart from what chipmark measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from results import units
from results.cost_record import CostReport
from results.imported_record import DERIVED, NOT_VERIFIED, ImportedCost, ImportedResult
from results.notes import one_line
from results.price_age import age_warning
from results.price_match import MarketRange, PriceMatch
from results.pricing import region_text
from results.records import Scalar
from results.render_cost_text import Page
from results.render_table import Block, TableColumn

HEADING = "measured elsewhere, not by chipmark"
_CITATION = (
    "publisher", "title", "submitter", "division", "category", "suite", "benchmark", "scenario", "result_id", "url",
    "retrieved",
)  # fmt: skip
_RESULT = (
    "row", "origin", "quantity", "value", "unit", "system", "accelerator", "device", "phase", "precision", "batch_size",
    "num_accelerators", "value_per_accelerator", "power_w", "power_scope", "inferred",
)  # fmt: skip
_ENDS = ("least", "median", "most")
# Columns of CSV, beside ``basis`` and those of prices and terms that all rows have.
CSV_COLUMNS = (
    "imported_label",
    *(f"imported_{name}" for name in _RESULT),
    *(f"imported_{name}" for name in _CITATION),
    "imported_doubts",
    "imported_priced_accelerators",
    "imported_price_of",
    *(f"imported_usd_per_1m_{end}" for end in _ENDS),
    *(f"imported_usd_per_run_{end}" for end in _ENDS),
    "imported_reason",
)


def imported_blocks(page: Page) -> list[Block]:
    """A block for each price or market, under its provenance; then what has no dollars."""
    groups: dict[str, list[ImportedCost]] = {}
    for cost in page.report.imported:
        groups.setdefault(price_text(cost), []).append(cost)
    without = groups.pop("", [])
    blocks = [_priced(page, text, costs) for text, costs in groups.items()]
    return [*blocks, *([_unpriced(page, without)] if without else [])]


def _priced(page: Page, text: str, costs: Sequence[ImportedCost]) -> Block:
    ends = ("$",) if costs[0].price is not None else _ENDS
    columns = [
        TableColumn("system and benchmark", 44 if len(ends) == 1 else 31, False),
        TableColumn("as published", 16, True),
        TableColumn("chips", 5, True),
        TableColumn("$ for", 9, False),
        *(TableColumn(end, 9, True) for end in ends),
        TableColumn("note", 5, False),
    ]
    rows = []
    for cost in costs:
        found, unit = (cost.usd_per_run, "run") if cost.usd_per_run else (cost.usd_per_1m, _per_million(cost.result))
        usd = [units.NOT_AVAILABLE] * len(ends) if found is None else [units.usd(value) for value in found[: len(ends)]]
        rows.append([*_what(cost), str(cost.accelerators), unit, *usd, _notes(page, cost)])
    return Block(f"{HEADING}; dollars: {DERIVED}; {text}", columns, rows)


def _unpriced(page: Page, costs: Sequence[ImportedCost]) -> Block:
    columns = [
        TableColumn("system and benchmark", 62, False),
        TableColumn("as published", 20, True),
        TableColumn("note", 12, False),
    ]
    return Block(f"{HEADING}; without dollars", columns, [[*_what(cost), _notes(page, cost)] for cost in costs])


def _what(cost: ImportedCost) -> list[str]:
    result, citation = cost.result, cost.result.citation
    phase = result.phase or ""
    what = " ".join(filter(None, (citation.benchmark, citation.scenario, phase, result.precision)))
    doubt = "!" if result.doubts else ""
    return [one_line(f"{result.system}: {what}"), f"{units.count(result.value)} {result.unit}{doubt}"]


def _per_million(result: ImportedResult) -> str:
    return f"1M {result.unit[:-2]}"


def _notes(page: Page, cost: ImportedCost) -> str:
    texts = [citation_text(cost.result), *cost.result.doubts, *([cost.reason] if cost.reason else [])]
    return page.notes.refer(texts)


def price_text(cost: ImportedCost) -> str:
    """What the dollars of a result are of, with its provenance; "" without dollars."""
    if cost.usd_per_1m is None and cost.usd_per_run is None:
        return ""
    return _price_text(cost.price) if cost.price is not None else _market_text(cost.market)


def _price_text(price: PriceMatch) -> str:
    row = price.row
    return (
        f"price: {row.provider} {row.instance_type} ({row.accelerator_count} x {row.accelerator}), "
        f"{region_text(row.region)}, {row.pricing}: ${row.price_usd_per_hour:g} per {row.unit}-hour, as of "
        f"{row.as_of}; {row.source}; {price.layer} table, sha256 {price.table_sha256[:12]}, match {price.match_rule}"
    )


def _market_text(market: MarketRange | None) -> str:
    if market is None:
        return "no price"
    ends = (market.usd_per_hour_min, market.usd_per_hour_median, market.usd_per_hour_max)
    prices = " / ".join(f"${usd:.4g}" for usd in ends)
    return (
        f"market of {market.accelerator}, {market.pricing}: {prices} per accelerator-hour (least / median / most of "
        f"{market.num_offers} offers of {market.num_providers} providers, as of {market.oldest_as_of} to "
        f"{market.newest_as_of}); match {market.match_rule}"
    )


def citation_text(result: ImportedResult) -> str:
    """Where a result can be looked up: publisher, title, submitter, and whether it was measured."""
    said = result.citation
    parts = (
        f"{said.publisher}, {said.title}, {said.submitter}", said.division, said.category, said.suite,
        f"entry {said.result_id}" if said.result_id else "", said.url, f"retrieved {said.retrieved}",
        "inferred by its publisher, not measured" if result.inferred else "",
        NOT_VERIFIED if result.computed else "",
    )  # fmt: skip
    return f"{result.origin}: {', '.join(filter(None, parts))}"


def imported_notes(report: CostReport, today: date | None = None) -> list[str]:
    """Trademarks once, ages of prices, and how many results have no dollars."""
    costs = report.imported
    if not costs:
        return []
    today = today or date.today()
    priced = [cost for cost in costs if price_text(cost)]
    doubtful = any(cost.result.doubts for cost in costs)
    return [
        f"imported: {len(priced)} of {len(costs)} results have dollars; none is compared with measurements of chipmark",
        *(["! something in the row does not fit together: see its notes"] if doubtful else []),
        *dict.fromkeys(c.result.citation.trademark for c in costs if c.result.citation.trademark),
        *dict.fromkeys(f"{name}: {text}" for cost in priced for name, text in _ages(cost, today)),
    ]


def _ages(cost: ImportedCost, today: date) -> Iterable[tuple[str, str]]:
    if cost.price is not None:
        row = cost.price.row
        text = age_warning(row.as_of, today)
        if text:
            yield f"{row.provider}:{row.instance_type}", text
    elif cost.market is not None:
        text = age_warning(cost.market.oldest_as_of, today)
        if text:
            yield f"market of {cost.market.accelerator}", f"its oldest price: {text}"


def csv_row(cost: ImportedCost) -> dict[str, Scalar]:
    """The cells of :data:`CSV_COLUMNS`, and ``basis``."""
    result = cost.result
    found: dict[str, Scalar] = {
        "basis": "imported",
        "imported_label": cost.label,
        **{f"imported_{name}": getattr(result, name) for name in _RESULT},
        **{f"imported_{name}": getattr(result.citation, name) for name in _CITATION},
        "imported_doubts": "; ".join(result.doubts),
        "imported_priced_accelerators": cost.accelerators,
        "imported_price_of": price_text(cost),
        "imported_reason": cost.reason,
    }
    for name in ("usd_per_1m", "usd_per_run"):
        values = getattr(cost, name)
        for end, value in zip(_ENDS, values or (None, None, None), strict=True):
            found[f"imported_{name}_{end}"] = value
    return found
