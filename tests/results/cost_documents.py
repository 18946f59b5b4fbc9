"""A cost report with every part in it, and what else is printed or stored beside, as JSON texts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from results.cost import CostQuestion, RunPrices, cost_report
from results.cost_plan import PlanTerms
from results.cost_rank import RankTerms
from results.cost_record import CostReport, CostTerms, OwnedTerms
from results.device_table import shipped_devices
from results.price_market import market
from results.pricing import find, load_prices
from results.render import json_text
from results.scorecard import scorecards
from tests.results.scorecard_example import h100_run, imported_cost, imported_file, result

OWNED = OwnedTerms(
    name="server", source="quotation", as_of="2026-11-01", price_usd=250_000.0, power_w=8_500.0,
    tariff_usd_per_kwh=0.12, accelerators=8,
)  # fmt: skip


def full_report(folder: Path) -> CostReport:
    summary, table = h100_run(folder / "h100"), load_prices()
    offers = market(table, "H100")
    assert offers is not None
    prices = ((find(table, "aws", "p5.48xlarge", "us-east-1"), "given"), (find(table, "oci", "H100"), "what_if"))
    question = CostQuestion(
        CostTerms(run_steps=1000, tariff_usd_per_kwh=0.1), OWNED, PlanTerms(1e9, 1e9, 64, 0.9), RankTerms()
    )
    report = cost_report(
        [RunPrices(summary, prices, (offers,))], question, date(2026, 11, 22), [imported_cost(result())]
    )
    for part in ("cases", "markets", "owned", "plans", "ranking", "imported"):
        assert getattr(report, part), part
    return report


def cost_documents(folder: Path) -> dict[str, list[str]]:
    report = full_report(folder)
    cards = scorecards(report, [h100_run(folder / "again")], [imported_file(result())], shipped_devices())
    return {
        "cost --format json": [json_text(report)],
        "cost --scorecards --format json": [json_text(cards)],
        "chipmark-imports/*.json": [json_text(imported_file(result()))],
    }
