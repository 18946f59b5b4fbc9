"""Blocks of a cost report beside its cases: requests, training runs, electricity and hardware that is owned."""

from __future__ import annotations

from results import units
from results.cost_record import Cost, CostReport, OwnedCost, RequestCost
from results.cost_terms import CEILING_UNITS
from results.notes import one_line
from results.render_cost_text import Page, cost_cell, distinct, duration, labels, price_key, row_label
from results.render_table import Block, TableColumn


def request_blocks(page: Page) -> list[Block]:
    """Requests of prefill and decode: the dollars of a request split by the device's time."""
    if not page.report.requests:
        return []
    columns = [
        TableColumn("prefill and decode", 19, False),
        *_price_column(page),
        TableColumn("tokens", 8, True),
        TableColumn("$/1M prompt", 10, True),
        TableColumn("$/1M generated", 10, True),
        TableColumn("$/1M total", 10, True),
        TableColumn("$/1k requests", 10, True),
        TableColumn("prefill time", 7, True),
        TableColumn("+-", 6, True),
        TableColumn("note", 4, False),
    ]
    rows = [
        [
            row_label(page.report, cost.run_id, cost.label),
            *_letter(page, cost),
            f"{cost.prompt_tokens}+{cost.generated_tokens}",
            units.usd(cost.usd_per_1m_prompt_tokens),
            units.usd(cost.usd_per_1m_generated_tokens),
            units.usd(cost.usd_per_1m_total_tokens),
            units.usd(cost.usd_per_1k_requests),
            units.percent(cost.prefill_time_share),
            units.half_width(cost.rate_half_width),
            page.notes.refer([*cost.notes]),
        ]
        for cost in page.report.requests
    ]
    kinds = distinct(cost.headline for cost in page.report.requests)
    return [Block(f"requests, at the {' or '.join(kinds)} cost", columns, rows)]


def request_notes(report: CostReport) -> list[str]:
    """What the dollars of requests are of."""
    if not report.requests:
        return []
    return [
        "requests: tokens are prompt + generated of one request; prompt and generated dollars are shares of the same "
        "paid time and add up, $/1M total is over both together and is neither; the two phases were measured apart"
    ]


def training_blocks(page: Page) -> list[Block]:
    """Time and dollars of the training run that the terms ask for."""
    terms = page.report.terms
    if terms.run_steps is None and terms.run_tokens is None:
        return []
    of_training = [cost for cost in page.report.cases if cost.case.phase == "train" and cost.headline]
    if not of_training:
        return []
    length = f"{terms.run_steps:,} steps" if terms.run_steps is not None else f"{units.count(terms.run_tokens)} tokens"
    names = labels(page.report)
    columns = [
        TableColumn("case", 50, False),
        *_price_column(page),
        TableColumn("held for", 10, True),
        TableColumn("$/run attributed (billed)", 16, True),
        TableColumn("note", 5, False),
    ]
    rows = [
        [
            names[cost.run_id, cost.case_id],
            *_letter(page, cost),
            duration(cost.run_time_s),
            cost_cell(cost, "usd_per_run"),
            page.notes.refer([*([cost.run_reason] if cost.run_reason else []), *cost.notes]),
        ]
        for cost in of_training
    ]
    return [Block(f"one training run of {length}", columns, rows)]


def training_notes(report: CostReport) -> list[str]:
    """What is in the time of a training run, and what was left out."""
    terms = report.terms
    if terms.run_steps is None and terms.run_tokens is None:
        return []
    if not any(cost.case.phase == "train" and cost.headline for cost in report.cases):
        return ["a training run was asked for, but no training case of these runs has a cost"]
    return [
        f"training run: the machine is held for the steps at the measured rate, {units.seconds(terms.startup_s)} to "
        f"start and {units.seconds(terms.checkpoint_s)} for checkpoints, all over goodput {terms.goodput:g}; spot time "
        "that is lost is paid on top; time to a quality target is not in it"
    ]


def electricity_blocks(page: Page) -> list[Block]:
    """The metered energy at the tariff of the terms; the same at every price, so once for each case."""
    terms = page.report.terms
    if terms.tariff_usd_per_kwh is None:
        return []
    if not _has_electricity(page.report):
        return []
    once = {(cost.run_id, cost.case_id): cost for cost in page.report.cases}
    names = labels(page.report)
    columns = [
        TableColumn("case", 42, False),
        TableColumn("$/1M items", 12, True),
        TableColumn("$/1M token", 12, True),
        TableColumn("$/1k steps", 12, True),
        TableColumn("+-", 6, True),
        TableColumn("note", 5, False),
    ]
    rows = [
        [
            names[key],
            units.usd(cost.electricity_usd_per_1m_items),
            units.usd(cost.electricity_usd_per_1m_tokens),
            units.usd(cost.electricity_usd_per_1k_steps),
            units.half_width(cost.electricity_half_width),
            page.notes.refer(_electricity_notes(cost)),
        ]
        for key, cost in once.items()
        if cost.status == "ok" and cost.item_unit not in CEILING_UNITS
    ]
    tariff = f"${terms.tariff_usd_per_kwh:g} per kWh, PUE {terms.pue:g}"
    return [Block(f"electricity alone, {tariff}: part of the rent, not added to it", columns, rows)]


def _has_electricity(report: CostReport) -> bool:
    names = ("electricity_usd_per_1m_items", "electricity_usd_per_1m_tokens", "electricity_usd_per_1k_steps")
    return any(getattr(cost, name) is not None for cost in report.cases for name in names)


def electricity_notes(report: CostReport) -> list[str]:
    """Why there is none, where it was asked for and no case has any."""
    if report.terms.tariff_usd_per_kwh is None or not report.cases or _has_electricity(report):
        return []
    reasons = distinct(cost.electricity_reason for cost in report.cases if cost.status == "ok")
    reasons = reasons or distinct(cost.electricity_reason for cost in report.cases)
    more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
    return [f"no electricity: {reasons[0] if reasons else 'nothing was metered'}{more}"]


def _electricity_notes(cost: Cost) -> list[str]:
    if cost.electricity_reason:
        return [f"no electricity: {cost.electricity_reason}"]
    return [f"electricity of: {cost.electricity_scope}"] if cost.electricity_scope else []


def owned_blocks(page: Page) -> list[Block]:
    """Hardware that is bought, and from which use on it beats renting: a row for each price, as no case is in it."""
    terms = page.report.owned_terms
    if terms is None or not page.report.owned:
        return []
    columns = [
        TableColumn("rented", 34, False),
        TableColumn("rent per hour", 12, True),
        TableColumn("owned, per busy hour", 12, True),
        TableColumn("share of each", 18, False),
        TableColumn("break-even", 10, True),
        TableColumn("note", 5, False),
    ]
    once = {(price_key(cost.price), cost.attribution): cost for cost in page.report.owned}
    rows = [
        [
            one_line(" ".join(filter(None, (page.letter(cost.price), _price_name(cost))))),
            units.usd(cost.rent_usd_per_hour),
            units.usd(cost.usd_per_busy_hour),
            _shares(cost),
            units.percent(cost.break_even_busy_fraction),
            page.notes.refer([cost.break_even_reason] if cost.break_even_reason else []),
        ]
        for cost in once.values()
    ]
    heading = f"owned: {terms.name}, {units.usd(terms.price_usd)} over {terms.life_years:g} years"
    return [Block(heading, columns, rows)]


def _price_name(cost: OwnedCost) -> str:
    row = cost.price.row
    return f"{row.provider} {row.instance_type}, {row.pricing}"


def _shares(cost: OwnedCost) -> str:
    """What the two figures of a row are of: rented, then owned."""
    if cost.attribution is None:
        return "billed, all of it"
    return f"attributed, 1/{cost.price.row.accelerator_count} and {cost.attribution}"


def owned_notes(report: CostReport) -> list[str]:
    """What owning assumes."""
    terms = report.owned_terms
    if terms is None:
        return []
    return [
        f"owned: figures of {terms.source}, as of {terms.as_of}; residual {units.usd(terms.residual_usd)}, busy "
        f"{units.percent(terms.busy_fraction)} of the calendar, {terms.power_w:g} W at PUE {terms.pue:g} and "
        f"${terms.tariff_usd_per_kwh:g} per kWh, hosting ${terms.hosting_usd_per_hour:g} per hour",
        "owned: what each case costs there is in --format json and csv",
        "break-even: the busy share of the calendar from which owning costs less than this rent; above 100 % never",
    ]


def _price_column(page: Page) -> list[TableColumn]:
    return [TableColumn("price", 5, False)] if len(page.prices) > 1 else []


def _letter(page: Page, cost: Cost | RequestCost) -> list[str]:
    return [page.letter(cost.price)] if len(page.prices) > 1 else []
