"""A cost report as a table, Markdown, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from results import units
from results.cost import COST_COLUMNS, Cost, CostReport, attributed_cases
from results.notes import Notes, one_line
from results.price_row import PriceRow
from results.pricing import region_text
from results.records import Scalar
from results.render import (
    TABLE_WIDTH,
    Shared,
    backend_text,
    counts_line,
    csv_text,
    header_lines,
    json_text,
    precision_text,
    shape_text,
    shared_by,
)
from results.render_table import Block, TableColumn, compose


def render_cost(report: CostReport, output_format: str, width: int = TABLE_WIDTH, color: bool = False) -> str:
    """A cost report as text in one of :data:`results.render.FORMATS`, ending in a newline."""
    if output_format == "json":
        return json_text(report)
    rows = [_flat(report, cost) for cost in report.cases]
    if output_format == "csv":
        return csv_text(CSV_COLUMNS, rows)
    notes = Notes()
    header = [*header_lines(report.run, [cost.case for cost in report.cases]), *price_lines(report)]
    if output_format == "markdown":
        from results.render_markdown import markdown_page

        columns = _markdown_columns(report.cases)
        cells = [_markdown_row(report, cost, notes) for cost in report.cases]
        general = _general(report)
        return markdown_page(header, columns, cells, notes, general, counts_line(report.counts))
    blocks = [_block(report, costs, notes) for costs in _grouped(report.cases)]
    return compose(header, blocks, notes, _general(report), counts_line(report.counts), width, color)


def price_lines(report: CostReport) -> list[str]:
    """The price, what it is for, and where it is from."""
    row, price = report.price.row, report.price
    what = f"{row.accelerator_count} x {row.accelerator}" if row.accelerator else f"{row.vcpus or 'n/a'} vCPU"
    others = [f"{kind} ${usd:g}" for kind, usd in price.prices_by_pricing.items() if kind != row.pricing]
    return [
        f"price: {row.provider} {row.instance_type} ({what}), {region_text(row.region)}, {row.pricing}: "
        f"${row.price_usd_per_hour:g} per {row.unit}-hour, as of {row.as_of}"
        + (f" (here also: {', '.join(others)})" if others else ""),
        f"source: {row.source}; table sha256 {price.table_sha256[:12]}, match {price.match_rule}",
    ]


def _general(report: CostReport) -> list[str]:
    notes = ["costs assume that the measured rate is kept up all the time (utilisation 1)"]
    shared = attributed_cases(report.cases)
    if shared:
        notes.append(
            f"first the attributed cost, {shared[0].attribution} of the instance, true only if its other accelerators "
            "are kept as busy; in brackets the cost if the whole instance is billed to this case"
        )
    kinds = {cost.case.phase: cost.token_kind for cost in report.cases if cost.token_kind}
    if kinds:
        notes.append("tokens: " + ", ".join(f"{kind} in {phase}" for phase, kind in kinds.items()))
    return notes + [one_line(f"warning: {text}") for text in report.warnings]


def _grouped(costs: Sequence[Cost]) -> list[list[Cost]]:
    groups: dict[tuple[object, ...], list[Cost]] = {}
    for cost in costs:
        spec = cost.case
        key = (spec.workload, spec.workload_version, spec.preset, tuple(spec.shape.items()))
        groups.setdefault(key, []).append(cost)
    return list(groups.values())


def _heading(cost: Cost) -> str:
    spec, shape = cost.case, shape_text(cost.case)
    return f"{spec.workload}/{spec.preset} v{spec.workload_version}" + (f", {shape}" if shape else "")


def _cost_columns(costs: Sequence[Cost]) -> list[tuple[str, str]]:
    """(attribute, title) of the cost columns that say something about ``costs``."""
    unit = next((cost.item_unit for cost in costs if cost.item_unit), "item")
    columns = [("usd_per_1m_items", f"$/1M {unit}")]
    if unit != "token" and any(cost.token_kind for cost in costs):
        columns.append(("usd_per_1m_tokens", "$/1M token"))
    if any(cost.case.phase == "train" for cost in costs):
        columns.append(("usd_per_1k_steps", "$/1k steps"))
    return columns


def _cost_cell(cost: Cost, name: str, separator: str) -> str:
    billed: float | None = getattr(cost, f"{name}_billed")
    attributed: float | None = getattr(cost, f"{name}_attributed")
    if attributed is None or billed is None or attributed == billed:
        return units.usd(billed)
    return f"{units.usd(attributed)}{separator}({units.usd(billed)})"


def _notes(cost: Cost) -> list[str]:
    reason = cost.reason or cost.attribution_reason
    return [reason] if reason else []


def _shared(report: CostReport) -> Shared:
    return shared_by([cost.case for cost in report.cases])


def _block(report: CostReport, costs: Sequence[Cost], notes: Notes) -> Block:
    unit = next((cost.item_unit for cost in costs if cost.item_unit), "items")
    named = _cost_columns(costs)
    columns = [
        TableColumn("phase", 7, False),
        TableColumn("precision", 9, False),
        TableColumn("batch", 5, True),
        TableColumn("backend", 11, False),
        TableColumn(f"{unit}/s", 10, True),
        *(TableColumn(title, 10, True) for _, title in named),
        TableColumn("status", 13, False),
        TableColumn("note", 5, False),
    ]
    rows = [
        [
            cost.case.phase,
            precision_text(cost.case, cost.support),
            str(cost.case.batch_size),
            backend_text(cost.case, _shared(report)),
            units.count(cost.throughput_per_s),
            *(_cost_cell(cost, name, "\n") for name, _ in named),
            cost.status,
            notes.refer(_notes(cost)),
        ]
        for cost in costs
    ]
    return Block(_heading(costs[0]), columns, rows)


def _markdown_columns(costs: Sequence[Cost]) -> list[tuple[str, bool]]:
    named = ["$/1M items", "$/1M tokens", "$/1k steps"]
    return [
        *((title, False) for title in ("workload", "phase", "precision")),
        ("batch", True),
        ("backend", False),
        ("throughput", True),
        *((title, True) for title in named),
        ("status", False),
        ("note", False),
    ]


def _markdown_row(report: CostReport, cost: Cost, notes: Notes) -> list[str]:
    rate = units.NOT_AVAILABLE
    if cost.throughput_per_s is not None:
        rate = f"{units.count(cost.throughput_per_s)} {cost.item_unit}/s"
    return [
        _heading(cost),
        cost.case.phase,
        precision_text(cost.case, cost.support),
        str(cost.case.batch_size),
        backend_text(cost.case, _shared(report)),
        rate,
        *(_cost_cell(cost, name, " ") for name in COST_COLUMNS),
        cost.status,
        notes.refer(_notes(cost)),
    ]


_CASE_COLUMNS = ("workload", "workload_version", "phase", "preset", "precision", "batch_size", "backend", "device")
_COST_FIELDS = tuple(name for name in Cost.__struct_fields__ if name not in ("case_id", "case"))
# Every row carries the whole price row, so that a cost can be traced wherever it is copied to.
CSV_COLUMNS = (
    "run_id",
    "case_id",
    *_CASE_COLUMNS,
    "shape",
    "options",
    *_COST_FIELDS,
    *(f"price_{name}" for name in PriceRow.__struct_fields__),
    "price_match_rule",
    "price_table_sha256",
)


def _flat(report: CostReport, cost: Cost) -> dict[str, Scalar]:
    price = report.price
    return {
        "run_id": report.run.run_id,
        "case_id": cost.case_id,
        **{name: getattr(cost.case, name) for name in _CASE_COLUMNS},
        "shape": msgspec.json.encode(cost.case.shape, order="sorted").decode(),
        "options": msgspec.json.encode(cost.case.options, order="sorted").decode(),
        **{name: getattr(cost, name) for name in _COST_FIELDS},
        **{f"price_{name}": getattr(price.row, name) for name in PriceRow.__struct_fields__},
        "price_match_rule": price.match_rule,
        "price_table_sha256": price.table_sha256,
    }
