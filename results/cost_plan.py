"""Projections: time and dollars to train another model on many chips, from the rate that one was measured to keep.

    time = 6 * parameters * tokens / (chips * efficiency * FLOP/s of one chip)

6 FLOP per parameter and token is the count for forward and backward passes of dense models (J. Kaplan et al., Scaling
Laws for Neural Language Models, 2020, arXiv:2001.08361, section 2.1); attention over the sequence is not in it. The
measured FLOP/s are those of the measured model, at its sizes; that another model keeps them is an assumption.

    dollars = price per hour * time / 3600 / (1 - lost fraction of spot), of chips / N units, or of whole units

The utilisation is not in it: a training holds its machines from start to end, and what they lose is the efficiency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import Cost, CostTerms, TrainingPlan
from results.cost_terms import kept_fraction
from results.errors import UsageError

FLOPS_PER_PARAMETER_AND_TOKEN = 6


class PlanTerms(NamedTuple):
    """What is to be trained, and on how much."""

    tokens: float
    parameters: float
    chips: int
    efficiency: float = 1.0  # of scaling to the chips; not measured


def training_plans(
    costs: Sequence[Cost], summaries: Mapping[str, RunSummary], plan: PlanTerms, terms: CostTerms
) -> Iterator[TrainingPlan]:
    """A projection for each training case at each price; one without a rate has a reason.

    Args:
        costs: of all cases.
        summaries: run id -> run.
        plan: what is to be trained.
        terms: only the lost fraction of spot time is read.

    Raises:
        UsageError: a number of the plan cannot be.
    """
    _check(plan)
    cases = {(run_id, case.case_id): case for run_id, s in summaries.items() for case in s.cases}
    for cost in costs:
        if cost.case.phase == "train":
            yield _plan(cost, cases[cost.run_id, cost.case_id], plan, terms)


def _plan(cost: Cost, case: CaseSummary, plan: PlanTerms, terms: CostTerms) -> TrainingPlan:
    empty = TrainingPlan(
        run_id=cost.run_id,
        case_id=cost.case_id,
        price=cost.price,
        tokens=plan.tokens,
        parameters=plan.parameters,
        chips=plan.chips,
        efficiency=plan.efficiency,
        flops_per_s=case.flops_per_s if cost.headline else None,
        mfu=case.mfu if cost.headline else None,
        reason=cost.reason or _no_rate(cost, case),
        notes=cost.notes,
    )
    if empty.reason or not empty.flops_per_s:
        return empty
    flops = FLOPS_PER_PARAMETER_AND_TOKEN * plan.parameters * plan.tokens
    time_s = flops / (plan.chips * plan.efficiency * empty.flops_per_s)
    row = cost.price.row
    units = math.ceil(plan.chips / row.accelerator_count)
    hours = time_s / 3600
    paid = row.price_usd_per_hour * hours / kept_fraction(row.pricing, terms)
    return TrainingPlan(
        **{
            **{name: getattr(empty, name) for name in TrainingPlan.__struct_fields__},
            "time_s": time_s,
            "chip_hours": hours * plan.chips,
            "num_units": units,
            "usd_attributed": paid * plan.chips / row.accelerator_count,
            "usd_billed": paid * units,
            "half_width": cost.rate_half_width,
        }
    )


def _no_rate(cost: Cost, case: CaseSummary) -> str:
    if cost.attribution is None:
        return "measured on a CPU: there is no chip to take more of"
    return "" if case.flops_per_s else case.flops_per_s_reason or "no FLOP are counted"


def _check(plan: PlanTerms) -> None:
    for name in ("tokens", "parameters"):
        value = getattr(plan, name)
        if not 0 < value < math.inf:
            raise UsageError(f"{name} of the plan, {value:g}: give a number above 0")
    if plan.chips < 1:
        raise UsageError(f"chips of the plan, {plan.chips}: give 1 or more")
    if not 0 < plan.efficiency <= 1:
        raise UsageError(f"efficiency of the plan, {plan.efficiency:g}: give a share above 0 and at most 1")


def plan_warnings(plans: Sequence[TrainingPlan], costs: Sequence[Cost]) -> list[str]:
    """What a projection assumes, and that there is none where there is no training case."""
    projected = [plan for plan in plans if plan.time_s is not None]
    if not projected:
        why = plans[0].reason if plans else "no training case was measured"
        return [f"no projection of a training: {why}"]
    labels = {(cost.run_id, cost.case_id): f"{cost.case.workload}/{cost.case.preset}" for cost in costs}
    models = ", ".join(dict.fromkeys(labels[plan.run_id, plan.case_id] for plan in projected))
    plan = projected[0]
    return [
        f"projection: a model of {plan.parameters:g} parameters is taken to keep the FLOP/s that were measured on "
        f"{models}, and {plan.chips} chips to scale with efficiency {plan.efficiency:g}; neither was measured"
    ]
