"""Runs of known rates and prices of round numbers, so that dollars can be worked out by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from results.case_summary import CaseSummary, RunSummary
from results.cost import CostQuestion, RunPrices, cost_report
from results.cost_record import Basis, CostReport, CostTerms, OwnedTerms
from results.price_match import PriceMatch
from results.price_row import PriceRow
from results.records import CaseSpec, Device, Work
from results.store import StoredRun
from results.summary import run_summary
from tests.results.example_run import CPU, H100, case, measurement, run_info, timing

TODAY = date(2026, 11, 22)
TOKENS = Work(items=1, item_unit="token", tokens=1, flops=1)


def run_of(*measured: tuple[CaseSpec, Work, float], devices: tuple[Device, ...] = (H100, CPU)) -> RunSummary:
    """A run of cases, each with exactly so many steps a second."""
    records = [
        measurement(spec, work=work, timing=timing([(round(steps_per_s * 1000), 1000 * 10**9)], 0))
        for spec, work, steps_per_s in measured
    ]
    plan = [(spec, 1) for spec, _, _ in measured]
    return run_summary(StoredRun(None, run_info(plan, devices), records, []))  # type: ignore[arg-type]


def on_h100(tokens_per_s: float, phase: str = "decode", precision: str = "bf16", **changes: Any) -> RunSummary:
    spec = case("llm-decoder", phase, precision, device="cuda:0", **changes)
    return run_of((spec, TOKENS, tokens_per_s), devices=(H100,))


def on_cpu(items_per_s: float, phase: str = "infer", **work: Any) -> RunSummary:
    fields: dict[str, Any] = {"items": 1, "item_unit": "image", "flops": 1, **work}
    return run_of((case("resnet", phase, "fp32"), Work(**fields), items_per_s), devices=(CPU,))


def changed(summary: RunSummary, *changes: dict[str, Any]) -> RunSummary:
    """The run with fields of its cases replaced, one dict a case."""
    cases: list[CaseSummary] = [
        msgspec.structs.replace(case, **change) for case, change in zip(summary.cases, changes, strict=True)
    ]
    return msgspec.structs.replace(summary, cases=tuple(cases))


def price_row(**changes: Any) -> PriceRow:
    fields: dict[str, Any] = {
        "provider": "aws", "region": None, "instance_type": "sxm-big", "accelerator": "H100", "accelerator_count": 8,
        "accelerator_memory_gib": 80.0, "vcpus": 16, "memory_gib": 2048.0, "pricing": "on_demand",
        "price_usd_per_hour": 55.04, "unit": "instance", "as_of": "2026-11-01", "source": "somewhere",
    }  # fmt: skip
    return PriceRow(**{**fields, **changes})


def cpu_row(**changes: Any) -> PriceRow:
    return price_row(**{"accelerator": None, "accelerator_count": 0, "accelerator_memory_gib": None, **changes})


def match(row: PriceRow, **prices_by_pricing: float | None) -> PriceMatch:
    return PriceMatch(row=row, table_sha256="0" * 64, match_rule="exact_type", prices_by_pricing=prices_by_pricing)


# $0.001 a second for one H100.
ONE_H100 = match(price_row(accelerator_count=1, price_usd_per_hour=3.6))


def report(
    summary: RunSummary,
    *prices: PriceMatch | PriceRow,
    basis: Basis = "given",
    terms: CostTerms | None = None,
    **question: Any,
) -> CostReport:
    """The costs of one run; a bare row is a match without other kinds of pricing."""
    matches = [price if isinstance(price, PriceMatch) else match(price) for price in prices]
    asked = CostQuestion(terms or CostTerms(), **question)
    return cost_report([RunPrices(summary, tuple((m, basis) for m in matches))], asked, TODAY)


# $10 a calendar hour of capital, $2 of hosting, $1.2 of electricity a busy hour, eight accelerators.
OWNED = OwnedTerms(
    name="8 x H100 server", source="quotation 4711", as_of="2026-11-01", price_usd=360_400.0, residual_usd=10_000.0,
    life_years=4.0, accelerators=8, power_w=10_000.0, pue=1.2, tariff_usd_per_kwh=0.1, hosting_usd_per_hour=2.0,
    busy_fraction=0.5,
)  # fmt: skip
