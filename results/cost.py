"""What stored runs cost at chosen prices: rates per hour joined with measured rates.

The formulae, and all arithmetic on prices and rates, are in :mod:`results.cost_arithmetic`. Here a case and a price
become a :class:`results.cost_record.Cost` with everything that a buyer must read beside the dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import msgspec

from results.case_summary import CaseSummary, RunSummary
from results.cost_fit import price_fit
from results.cost_markets import market_costs, market_warnings
from results.cost_notes import ALONE, case_notes, rate_half_width
from results.cost_owned import fits, owned_costs
from results.cost_plan import PlanTerms as PlanTerms
from results.cost_plan import plan_warnings, training_plans
from results.cost_rank import RankTerms as RankTerms
from results.cost_rank import ranking
from results.cost_record import (
    Basis,
    Cost,
    CostReport,
    CostTerms,
    MarketCost,
    OwnedTerms,
    PricedRun,
    RankLimits,
    TrainingPlan,
)
from results.cost_requests import request_costs
from results.cost_terms import ACCELERATORS_PER_CASE as ACCELERATORS_PER_CASE
from results.cost_terms import CEILING_UNITS, NO_CEILING, NO_TERMS, checked_terms
from results.cost_terms import COST_COLUMNS as COST_COLUMNS
from results.cost_warnings import cost_warnings, on_accelerator
from results.electricity import Tariff, cost_of
from results.errors import UsageError
from results.imported_record import ImportedCost
from results.price_match import MarketRange, PriceMatch
from results.render import find_device

# Of a case and of a price, in their order in Cost; filled by results.cost_arithmetic.
_COMPUTED = tuple(
    f"{name}_{kind}"
    for name, kinds in (
        ("usd_per_hour", ("billed", "attributed")),
        ("usd_per_1m_items", ("billed", "attributed", "low", "high")),
        ("usd_per_1m_tokens", ("billed", "attributed", "low", "high")),
        ("usd_per_1k_steps", ("billed", "attributed", "low", "high")),
        ("usd_per_run", ("billed", "attributed")),
    )
    for kind in kinds
)


class RunPrices(NamedTuple):
    """One run, and what its cases are priced by."""

    summary: RunSummary
    prices: tuple[tuple[PriceMatch, Basis], ...]
    markets: tuple[MarketRange, ...] = ()  # where no instance is known


class CostQuestion(NamedTuple):
    """What is asked of the runs."""

    terms: CostTerms = NO_TERMS
    owned: OwnedTerms | None = None
    plan: PlanTerms | None = None
    rank: RankTerms | None = None


def cost_report(
    runs: Sequence[RunPrices], question: CostQuestion, today: date, imported: Sequence[ImportedCost] = ()
) -> CostReport:
    """Costs of every case of every run at every price, with provenance and warnings.

    Args:
        runs: with their prices.
        question: terms, and what else is asked for.
        today: for the age of prices.
        imported: costs of results that were measured elsewhere, taken over as they are.

    Raises:
        UsageError: a term cannot be, or a run is there twice.
        DeviceTableError: the shipped device table cannot be read.
    """
    tariff = checked_terms(question.terms)
    summaries = {run.summary.run.run_id: run.summary for run in runs}
    if len(summaries) < len(runs):
        raise UsageError("a run is there twice: its cases could not be told apart; name each run once")
    cases: list[Cost] = []
    markets: list[MarketCost] = []
    said: list[str] = []
    several = sum(len(run.prices) for run in runs) > 1
    for run in runs:
        of_run = [*_of_run(run), *(text for market in run.markets for text in market_warnings(market, today))]
        for price, basis in run.prices:
            of_price = cost_warnings(run.summary, price, basis, today)
            name = f"{price.row.provider}:{price.row.instance_type}: " if several else ""
            said += [f"{name}{text}" for text in of_price]
            costs = cost_rows(run.summary, price, basis, question.terms, tariff)
            cases += [msgspec.structs.replace(cost, warnings=(*of_price, *of_run)) for cost in costs]
        markets += market_costs(run.summary, run.markets, question.terms, of_run)
        said += of_run
    plans = list(training_plans(cases, summaries, question.plan, question.terms)) if question.plan else []
    warnings = [*said, *_further_warnings(cases, question, plans)]
    return CostReport(
        runs=tuple(
            PricedRun(run=run.summary.run, instance=run.summary.run.instance, counts=run.summary.counts) for run in runs
        ),
        terms=question.terms,
        cases=tuple(cases),
        requests=tuple(request_costs(cases, summaries)),
        markets=tuple(markets),
        owned_terms=question.owned,
        owned=tuple(owned_costs(cases, question.owned, question.terms)) if question.owned else (),
        plans=tuple(plans),
        rank_limits=_limits(question.rank),
        ranking=tuple(ranking(cases, summaries, question.rank)) if question.rank else (),
        imported=tuple(imported),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def cost_rows(
    summary: RunSummary,
    price: PriceMatch,
    basis: Basis = "given",
    terms: CostTerms = NO_TERMS,
    tariff: Tariff | None = None,
) -> list[Cost]:
    """One cost for each case, in the order of the plan; a case without a cost has a reason.

    Args:
        summary: the run.
        price: of the machine.
        basis: whether the run was made on it.
        terms: checked (:func:`results.cost_terms.checked_terms`).
        tariff: of electricity, if it is asked for.
    """
    if not summary.cases:
        return []
    import numpy as np
    import pandas as pd

    from results.cost_arithmetic import add_costs, price_fields, refusals

    frame = pd.DataFrame([_case_row(summary, case, price, basis) for case in summary.cases])
    frame = frame.assign(**price_fields(price, terms))
    frame = add_costs(frame.assign(no_cost=refusals(frame)), terms)
    names = [*_COMPUTED, "run_time_s"]
    values = frame[names].astype(object).where(np.isfinite(frame[names]), None)
    return [
        _cost(summary, case, price, basis, row, numbers, tariff)
        for case, row, numbers in zip(summary.cases, frame.to_dict("records"), values.to_dict("records"), strict=True)
    ]


def _case_row(summary: RunSummary, case: CaseSummary, price: PriceMatch, basis: Basis) -> dict[str, Any]:
    device, accelerated = find_device(summary.run.devices, case.case), on_accelerator(summary.run.devices, case.case)
    fit = price_fit(device, price.row, basis, accelerated)
    return {
        "status": case.status,
        "reason": case.reason,
        "item_unit": case.item_unit,
        "device": case.case.device,
        "phase": case.case.phase,
        "accelerated": accelerated,
        "throughput_per_s": _float(case.throughput_per_s),
        "throughput_per_s_reason": case.throughput_per_s_reason,
        "tokens_per_s": _float(case.tokens_per_s),
        "training_steps_per_s": _float(case.steps_per_s if case.case.phase == "train" else None),
        "functional_only": case.functional_only,
        "mismatch": fit.refusal,
        "doubt": fit.doubt,
    }


def _cost(
    summary: RunSummary,
    case: CaseSummary,
    price: PriceMatch,
    basis: Basis,
    row: dict[Any, Any],
    numbers: dict[Any, Any],
    tariff: Tariff | None,
) -> Cost:
    has_share = numbers["usd_per_hour_attributed"] is not None
    half_width, why = rate_half_width(case)
    return Cost(
        run_id=summary.run.run_id,
        case_id=case.case_id,
        case=case.case,
        status=case.status,
        support=case.support,
        basis=basis,
        reason=row["no_cost"],
        notes=(*case_notes(case), *([row["doubt"]] if row["doubt"] and not row["no_cost"] else [])),
        item_unit=case.item_unit,
        token_kind=case.token_kind,
        throughput_per_s=case.throughput_per_s,
        tokens_per_s=case.tokens_per_s,
        training_steps_per_s=case.steps_per_s if case.case.phase == "train" else None,
        latency_p50_s=case.latency_p50_s,
        latency_p99_s=case.latency_p99_s,
        latency_p99_s_reason=case.latency_p99_s_reason,
        rate_half_width=half_width,
        rate_half_width_reason=why,
        price=price,
        headline=None if row["no_cost"] else "attributed" if has_share else "billed",
        attribution=f"{ACCELERATORS_PER_CASE}/{price.row.accelerator_count}" if has_share else None,
        attribution_reason="" if has_share else row["attribution_reason"],
        run_reason=row["run_reason"],
        **numbers,
        **_electricity(case, tariff),
    )


def _electricity(case: CaseSummary, tariff: Tariff | None) -> dict[str, Any]:
    """The electricity of a case: metered, so whatever the price; never part of the rent, never added to it."""
    if tariff is None:
        return {}
    if case.item_unit in CEILING_UNITS:
        return {"electricity_reason": NO_CEILING}
    found = cost_of(case, tariff)
    return {
        "electricity_usd_per_1m_items": found.usd_per_1m_items,
        "electricity_usd_per_1m_tokens": found.usd_per_1m_tokens,
        "electricity_usd_per_1k_steps": found.usd_per_1k_steps if case.case.phase == "train" else None,
        "electricity_scope": found.energy_scope,
        "electricity_half_width": found.half_width,
        "electricity_reason": found.reason,
    }


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def _of_run(run: RunPrices) -> list[str]:
    """Warnings that go with each of its prices."""
    named = len({(p.row.provider, p.row.instance_type) for p, basis in run.prices if basis != "what_if"})
    text = (
        f"{named} instances are named for one run, which was made on one at most: dollars of the others assume its "
        "speed"
    )
    return [*([text] if named > 1 else []), *_alone(run), *run.summary.warnings]


def _alone(run: RunPrices) -> list[str]:
    """Half-widths that cannot tell how processes differ."""
    known = [case for case in run.summary.cases if case.status == "ok" and case.step_half_width is not None]
    alone = sum(case.num_processes == 1 for case in known)
    return [f"+-: {alone} of {len(known)} rates are {ALONE}"] if alone else []


def _further_warnings(cases: Sequence[Cost], question: CostQuestion, plans: Sequence[TrainingPlan]) -> list[str]:
    """Of what is asked beside the rent."""
    warnings = []
    if question.terms.tariff_usd_per_kwh is not None:
        warnings.append("electricity is for the metered energy only, and part of a rent already: never to be added")
        if question.terms.pue == 1:
            warnings.append("PUE 1: cooling and losses of the building are left out of the electricity")
    if question.owned:
        warnings.append(f"owned: {question.owned.name} is taken to be as fast as what was measured")
        left_out = [cost for cost in cases if cost.headline and not fits(cost, question.owned)]
        if left_out:
            holds = f"{question.owned.accelerators} accelerators" if question.owned.accelerators else "no accelerator"
            ran = "an accelerator" if left_out[0].attribution else "the CPU"
            warnings.append(f"owned: {question.owned.name} holds {holds}: cases that ran on {ran} have no cost there")
    return warnings + (plan_warnings(plans, cases) if question.plan else [])


def _limits(rank: RankTerms | None) -> RankLimits | None:
    return RankLimits(**rank._asdict()) if rank else None


def headline_usd(cost: Cost, name: str) -> float | None:
    """The cost to quote, attributed or billed; None where there is none.

    Args:
        cost: of a case.
        name: ``usd_per_1m_items``, ``usd_per_1m_tokens``, ``usd_per_1k_steps``, ``usd_per_hour`` or ``usd_per_run``.
    """
    value: float | None = getattr(cost, f"{name}_{cost.headline}") if cost.headline else None
    return value


def attributed_cases(cases: Sequence[Cost]) -> list[Cost]:
    """The cases whose attributed price is less than the billed one (k < N)."""
    return [c for c in cases if c.attribution is not None and c.usd_per_hour_attributed != c.usd_per_hour_billed]
