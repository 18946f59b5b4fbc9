"""A cost report as a table, Markdown, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.cost_record import Cost, CostReport, MarketCost
from results.notes import one_line
from results.render import TABLE_WIDTH, counts_line, header_lines, json_text
from results.render_cost_beyond import (
    market_blocks,
    market_notes,
    plan_blocks,
    plan_notes,
    rank_blocks,
    rank_notes,
)
from results.render_cost_cases import case_blocks, ceiling_notes, has_half_widths, side_by_side
from results.render_cost_csv import CSV_COLUMNS as CSV_COLUMNS
from results.render_cost_csv import cost_csv
from results.render_cost_imported import imported_blocks, imported_notes
from results.render_cost_parts import (
    electricity_blocks,
    electricity_notes,
    owned_blocks,
    owned_notes,
    request_blocks,
    request_notes,
    training_blocks,
    training_notes,
)
from results.render_cost_text import Page, distinct, page_of, price_lines, priced
from results.render_table import Block, compose

MAX_ROWS = 40  # of a table beside the cases
_BESIDE = (
    market_blocks, request_blocks, training_blocks, electricity_blocks, owned_blocks, plan_blocks,
    rank_blocks, imported_blocks,
)  # fmt: skip


def render_cost(report: CostReport, output_format: str, width: int = TABLE_WIDTH, color: bool = False) -> str:
    """A cost report as text in one of :data:`results.render.FORMATS`, ending in a newline."""
    if output_format == "json":
        return json_text(report)
    if output_format == "csv":
        return cost_csv(report)
    page = page_of(report)
    blocks = page_blocks(page)
    header, general, last = [*_run_lines(report), *price_lines(page)], general_notes(page), _last_line(report)
    if output_format == "markdown":
        from results.render_markdown_blocks import markdown_blocks

        return markdown_blocks(header, blocks, page.notes, general, last)
    return compose(header, blocks, page.notes, general, last, width, color)


def page_blocks(page: Page) -> list[Block]:
    """All tables of a report, in order; collects their notes."""
    cases = case_blocks(page)
    beside = [_shortened(block) for part in _BESIDE for block in part(page)]
    return [*cases, *beside]


def _shortened(block: Block) -> Block:
    """The first rows of a long table beside the cases, and how many are left out."""
    left_out = len(block.rows) - MAX_ROWS
    if left_out <= 0:
        return block
    return block._replace(
        heading=f"{block.heading} (first {MAX_ROWS} rows; {left_out} more in --format json)", rows=block.rows[:MAX_ROWS]
    )


def _run_lines(report: CostReport) -> list[str]:
    lines = []
    for run in report.runs:
        cases = [cost.case for cost in report.cases if cost.run_id == run.run.run_id]
        # Of the lines of a run, its versions and common options only where it stands alone.
        found = header_lines(run.run, list({case.id: case for case in cases}.values()))
        devices = len({case.device for case in cases})
        lines += found if len(report.runs) == 1 else found[: 1 + devices]
        if not cases:
            lines += [f"{device.id}: {device.name}" for device in run.run.devices]
    return [one_line(line) for line in lines] or ["results measured elsewhere"]


def _last_line(report: CostReport) -> str:
    if not report.runs:
        return f"{len(report.imported)} imported results"
    named = len(report.runs) > 1
    return "; ".join((f"{run.run.run_id}: " if named else "") + counts_line(run.counts) for run in report.runs)


def general_notes(page: Page) -> list[str]:
    """What is true of many rows, said once; warnings last."""
    report = page.report
    return [
        *map(one_line, (
            *_rate_notes(page),
            *ceiling_notes(page),
            *_attribution_notes(report.cases),
            *_token_notes(report),
            *market_notes(report),
            *request_notes(report),
            *training_notes(report),
            *electricity_notes(report),
            *owned_notes(report),
            *plan_notes(report),
            *rank_notes(report),
            *imported_notes(report),
        )),
        *(one_line(f"warning: {text}") for text in report.warnings),
    ]  # fmt: skip


def _rate_notes(page: Page) -> list[str]:
    terms, found = page.report.terms, priced(page.report.cases)
    notes = []
    if found or page.report.markets:
        kept = "all the time" if terms.utilisation == 1 else f"{units.percent(terms.utilisation)} of the time"
        notes.append(f"costs assume that the measured rate is kept up {kept} (utilisation {terms.utilisation:g})")
    if any(cost.price.row.pricing == "spot" for cost in found) or terms.lost_fraction:
        notes.append(f"spot: {units.percent(terms.lost_fraction)} of the time is taken to be lost (--lost-fraction)")
    shown = [cost for cost in page.report.markets if not cost.reason]
    if has_half_widths(page) or any(cost.rate_half_width is not None for cost in shown):
        notes.append("+-: 95 % half-width of the measured rate, and so of its dollars; prices are taken as given")
    rates: list[Cost | MarketCost] = [*found, *shown]
    reasons = distinct(cost.rate_half_width_reason for cost in rates if cost.rate_half_width is None)
    if reasons:
        more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
        notes.append(f"no +-: {reasons[0]}{more}")
    if side_by_side(page):
        notes.append("one kind of dollars for each price: name one price, or use --format csv or json, for all kinds")
    return notes


def _attribution_notes(costs: Sequence[Cost]) -> list[str]:
    shares = distinct(
        cost.attribution or "" for cost in costs if cost.usd_per_hour_attributed != cost.usd_per_hour_billed
    )
    if not shares:
        return []
    return [
        f"headline: attributed, {' or '.join(shares)} of the instance, true only if its other accelerators are kept as "
        "busy; in brackets the cost if the whole instance is billed to this case"
    ]


def _token_notes(report: CostReport) -> list[str]:
    kinds = {cost.case.phase: cost.token_kind for cost in report.cases if cost.token_kind}
    return ["tokens: " + ", ".join(f"{kind} in {phase}" for phase, kind in kinds.items())] if kinds else []
