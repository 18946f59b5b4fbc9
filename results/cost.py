"""What a stored run costs on an instance type: rates per hour joined with measured rates.

With P the price per hour of the billed unit, N the accelerators in it and k = 1 the number a
case uses:

* billed = P for an instance: all of it is rented. P * k where single accelerators or chips
  are sold.
* attributed = P * k / N for a case on an accelerator: true only if the other N - k are kept
  equally busy. A case on the CPU has no share of the accelerators and is billed only.
* usd_per_1m_x = rate / (3600 * x_per_s) * 1e6, and usd_per_1k_steps likewise with 1e3.

Measured rates are never scaled to N accelerators: contention between them was not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from results.case_summary import SUMMARY_SCHEMA_VERSION, CaseSummary, RunHeader, RunSummary, SummaryStatus, TokenKind
from results.cost_warnings import cost_warnings, on_accelerator
from results.price_match import PriceMatch
from results.price_row import PriceRow
from results.records import CaseSpec, Record, SupportLevel

ACCELERATORS_PER_CASE = 1

# Column of a cost -> (the measured rate it divides by, how many of it are priced).
COST_COLUMNS = {
    "usd_per_1m_items": ("throughput_per_s", 1e6),
    "usd_per_1m_tokens": ("tokens_per_s", 1e6),
    "usd_per_1k_steps": ("training_steps_per_s", 1e3),
}


class Cost(Record, frozen=True, kw_only=True):
    """What one case costs; only an ``ok`` case has a cost, all others a reason.

    ``*_billed``: the whole rented unit. ``*_attributed``: the case's share ``attribution`` of its
    accelerators. ``headline`` names the one to quote.
    """

    case_id: str
    case: CaseSpec
    status: SummaryStatus
    support: SupportLevel | None
    reason: str = ""  # why there is no cost
    item_unit: str | None
    token_kind: TokenKind | None
    throughput_per_s: float | None
    tokens_per_s: float | None
    training_steps_per_s: float | None
    headline: Literal["attributed", "billed"] | None = None
    attribution: str | None = None  # k/N
    attribution_reason: str = ""
    usd_per_hour_billed: float | None = None
    usd_per_hour_attributed: float | None = None
    usd_per_1m_items_billed: float | None = None
    usd_per_1m_items_attributed: float | None = None
    usd_per_1m_tokens_billed: float | None = None
    usd_per_1m_tokens_attributed: float | None = None
    usd_per_1k_steps_billed: float | None = None
    usd_per_1k_steps_attributed: float | None = None


class CostReport(Record, frozen=True, kw_only=True):
    """What ``chipmark cost --format json`` prints."""

    schema_version: int = SUMMARY_SCHEMA_VERSION
    run: RunHeader
    price: PriceMatch
    utilisation: float = 1.0  # the measured rates, kept up all the time
    cases: tuple[Cost, ...]
    counts: dict[str, int]
    warnings: tuple[str, ...] = ()


def cost_report(summary: RunSummary, price: PriceMatch, today: date) -> CostReport:
    """Costs of every case, with provenance and warnings. ``today`` is for the price's age."""
    return CostReport(
        run=summary.run,
        price=price,
        cases=tuple(cost_rows(summary, price.row)),
        counts=summary.counts,
        warnings=(*cost_warnings(summary, price, today), *summary.warnings),
    )


def cost_rows(summary: RunSummary, price: PriceRow) -> list[Cost]:
    """One cost for each case, in the order of the plan; a case without a cost has a reason."""
    import numpy as np
    import pandas as pd

    cases = pd.DataFrame([_case_row(summary, case, price) for case in summary.cases])
    if cases.empty:
        return []
    prices = pd.DataFrame([{"price_usd_per_hour": price.price_usd_per_hour}])
    merged = cases.merge(prices, how="cross")
    merged["usd_per_hour_billed"] = merged["price_usd_per_hour"].where(merged["reason"] == "")
    merged["usd_per_hour_attributed"] = merged["usd_per_hour_billed"] * merged["share"]
    for name, (rate_name, number) in COST_COLUMNS.items():
        rate = merged[rate_name].astype("float64")
        for kind in ("billed", "attributed"):
            merged[f"{name}_{kind}"] = merged[f"usd_per_hour_{kind}"] / (3600 * rate) * number
    computed = [f"{name}_{kind}" for name in ("usd_per_hour", *COST_COLUMNS) for kind in ("billed", "attributed")]
    values = merged[computed].astype(object).where(np.isfinite(merged[computed].astype("float64")), None)
    return [
        _cost(case, row, numbers)
        for case, row, numbers in zip(summary.cases, merged.to_dict("records"), values.to_dict("records"), strict=True)
    ]


def _case_row(summary: RunSummary, case: CaseSummary, price: PriceRow) -> dict[str, Any]:
    accelerated = on_accelerator(summary.run.devices, case.case)
    share, why = _share(accelerated, price)
    return {
        "throughput_per_s": _float(case.throughput_per_s),
        "tokens_per_s": _float(case.tokens_per_s),
        "training_steps_per_s": _float(case.steps_per_s if case.case.phase == "train" else None),
        "share": _float(share),
        "attribution_reason": why,
        "reason": _no_cost_reason(case, accelerated, price),
    }


def _share(accelerated: bool, price: PriceRow) -> tuple[float | None, str]:
    """k/N, or None with the reason."""
    if not accelerated:
        return None, "a case on the CPU has no share of the accelerators" if price.accelerator_count else ""
    if price.accelerator_count == 0:
        return None, "the instance holds no accelerator"
    return ACCELERATORS_PER_CASE / price.accelerator_count, ""


def _no_cost_reason(case: CaseSummary, accelerated: bool, price: PriceRow) -> str:
    if case.status == "missing":
        return case.reason
    if case.status != "ok":
        return f"{case.status}: {case.reason or 'no reason was given'}"
    if accelerated and price.accelerator_count == 0:
        return f"measured on {case.case.device}, but {price.instance_type} holds no accelerator"
    return case.throughput_per_s_reason


def _cost(case: CaseSummary, row: dict[Any, Any], numbers: dict[Any, Any]) -> Cost:
    has_share = numbers["usd_per_hour_attributed"] is not None
    headline: Literal["attributed", "billed"] | None = None
    if numbers["usd_per_hour_billed"] is not None:
        headline = "attributed" if has_share else "billed"
    return Cost(
        case_id=case.case_id,
        case=case.case,
        status=case.status,
        support=case.support,
        reason=row["reason"],
        item_unit=case.item_unit,
        token_kind=case.token_kind,
        throughput_per_s=case.throughput_per_s,
        tokens_per_s=case.tokens_per_s,
        training_steps_per_s=case.steps_per_s if case.case.phase == "train" else None,
        headline=headline,
        attribution=f"{ACCELERATORS_PER_CASE}/{round(ACCELERATORS_PER_CASE / row['share'])}" if has_share else None,
        attribution_reason="" if has_share else row["attribution_reason"],
        **numbers,
    )


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def attributed_cases(cases: Sequence[Cost]) -> list[Cost]:
    """The cases whose attributed price is less than the billed one (k < N)."""
    return [c for c in cases if c.attribution is not None and c.usd_per_hour_attributed != c.usd_per_hour_billed]
