from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.cost import CostQuestion, PlanTerms, RunPrices, cost_report
from results.cost_record import CostTerms
from results.errors import UsageError
from results.price_match import MarketRange
from results.records import Work
from tests.results.costed import TODAY, changed, cpu_row, on_cpu, on_h100, price_row, report, run_of
from tests.results.example_run import H100, case

PLAN = PlanTerms(tokens=1e12, parameters=1e9, chips=10, efficiency=0.75)


def trained(**fields):
    return changed(on_h100(1000, phase="train"), {"flops_per_s": 4e14, "mfu": 0.4, **fields})


def test_a_plan_is_six_flop_a_parameter_and_token():
    (plan,) = report(trained(step_half_width=0.02), price_row(), plan=PLAN).plans
    # 6e21 FLOP over 10 * 0.75 * 4e14 = 3e15 a second: 2e6 s. Ten chips are two instances of eight.
    assert plan.time_s == pytest.approx(2e6, rel=1e-14)
    assert plan.chip_hours == pytest.approx(2e7 / 3600, rel=1e-14)
    assert plan.num_units == 2
    assert plan.usd_attributed == pytest.approx(38_222.2222, abs=1e-4)
    assert plan.usd_billed == pytest.approx(61_155.5556, abs=1e-4)
    assert (plan.flops_per_s, plan.mfu, plan.half_width, plan.label) == (4e14, 0.4, 0.02, "projection")


def test_a_plan_leaves_the_utilisation_out_and_takes_lost_spot_time_in():
    row = price_row(pricing="spot")
    (plan,) = report(trained(), row, plan=PLAN, terms=CostTerms(utilisation=0.5, lost_fraction=0.5)).plans
    assert plan.usd_billed == pytest.approx(2 * 61_155.5556, abs=1e-3)


def test_single_chips_are_billed_singly():
    (plan,) = report(trained(), price_row(unit="chip", accelerator_count=1, price_usd_per_hour=3.6), plan=PLAN).plans
    assert plan.num_units == 10
    assert plan.usd_billed == plan.usd_attributed == pytest.approx(3.6 * 2e7 / 3600, rel=1e-14)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 100_000), st.floats(0.01, 1.0))
def test_what_is_billed_is_whole_units_and_never_less_than_what_is_used(chips, efficiency):
    plan_terms = PlanTerms(1e12, 1e9, chips, efficiency)
    (plan,) = report(trained(), price_row(), plan=plan_terms).plans
    assert plan.num_units == math.ceil(chips / 8)
    assert plan.usd_billed >= plan.usd_attributed * (1 - 1e-12)
    assert plan.time_s * chips * efficiency * 4e14 == pytest.approx(6e21, rel=1e-12)


def test_what_a_plan_assumes_is_said():
    (warning,) = report(trained(), price_row(), plan=PLAN).warnings
    assert "a model of 1e+09 parameters is taken to keep the FLOP/s" in warning
    assert "llm-decoder/tiny" in warning


@pytest.mark.parametrize(("summary", "reason"), [
    (trained(flops_per_s=None, flops_per_s_reason="no matrix products"), "no matrix products"),
    (trained(status="invalid", reason="numerics"), "invalid: numerics"),
    (on_cpu(10, phase="train"), "measured on a CPU: there is no chip to take more of"),
])  # fmt: skip
def test_no_plan_has_a_reason(summary, reason):
    found = report(summary, price_row() if summary.run.devices == (H100,) else cpu_row(), plan=PLAN)
    (plan,) = found.plans
    assert (plan.time_s, plan.usd_billed, plan.reason) == (None, None, reason)
    assert found.warnings[-1] == f"no projection of a training: {reason}"


def test_without_training_there_is_no_plan():
    found = report(on_h100(10), price_row(), plan=PLAN)
    assert (found.plans, found.warnings) == ((), ("no projection of a training: no training case was measured",))


@pytest.mark.parametrize("plan", [
    PlanTerms(0, 1e9, 1), PlanTerms(float("nan"), 1e9, 1), PlanTerms(1e9, float("inf"), 1), PlanTerms(1e9, 1e9, 0),
    PlanTerms(1e9, 1e9, 1, 0.0), PlanTerms(1e9, 1e9, 1, 1.1), PlanTerms(1e9, 1e9, 1, float("nan")),
])  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(plan):
    with pytest.raises(UsageError, match="plan"):
        report(trained(), price_row(), plan=plan)


MARKET = MarketRange(
    accelerator="H100", pricing="on_demand", num_offers=3, num_providers=2, usd_per_hour_min=1.8,
    usd_per_hour_median=3.6, usd_per_hour_max=7.2, oldest_as_of="2026-01-01", newest_as_of="2026-11-01",
    table_sha256={"shipped": "0" * 64},
)  # fmt: skip


def market_costs(summary, market=MARKET, **terms):
    return cost_report([RunPrices(summary, (), (market,))], CostQuestion(CostTerms(**terms)), TODAY).markets


def test_a_market_gives_a_range_for_one_accelerator():
    spec = case("bert-encoder", "train", "bf16", device="cuda:0")
    work = Work(items=8, item_unit="sequence", tokens=512, flops=1)
    (found,) = market_costs(run_of((spec, work, 100)), utilisation=0.5)
    # $0.0005, 0.001 and 0.002 a second; 50 steps, 400 sequences, 25,600 tokens a rented second.
    assert found.usd_per_1k_steps == pytest.approx((0.01, 0.02, 0.04), rel=1e-12)
    assert found.usd_per_1m_items == pytest.approx((1.25, 2.5, 5.0), rel=1e-12)
    assert found.usd_per_1m_tokens == pytest.approx((500 / 25_600, 1000 / 25_600, 2000 / 25_600), rel=1e-12)
    assert (found.item_unit, found.market) == ("sequence", MARKET)


def test_a_market_of_spot_offers_pays_for_lost_time():
    spot = msgspec.structs.replace(MARKET, pricing="spot")
    (found,) = market_costs(on_h100(1000), spot, lost_fraction=0.5)
    assert found.usd_per_1m_tokens == pytest.approx((1.0, 2.0, 4.0), rel=1e-12)
    (found,) = market_costs(on_h100(1000), lost_fraction=0.5)
    assert found.usd_per_1m_tokens == pytest.approx((0.5, 1.0, 2.0), rel=1e-12)


@pytest.mark.parametrize(("summary", "reason"), [
    (on_cpu(10), "measured on a CPU: the market is that of an accelerator"),
    (changed(on_h100(10), {"status": "invalid", "reason": "numerics"}), "invalid: numerics"),
    (changed(on_h100(10), {"item_unit": "matmul"}), "a ceiling of the device, not a workload: it has no price"),
    (changed(on_h100(10), {"throughput_per_s": None, "throughput_per_s_reason": "too short"}), "too short"),
])  # fmt: skip
def test_a_market_has_no_dollars_for_what_is_not_of_its_accelerator_or_no_workload(summary, reason):
    (found,) = market_costs(summary)
    assert found.reason == reason
    assert (found.usd_per_1m_items, found.usd_per_1m_tokens, found.usd_per_1k_steps) == (None, None, None)


def test_a_market_of_another_accelerator_has_no_dollars():
    (found,) = market_costs(on_h100(10), msgspec.structs.replace(MARKET, accelerator="L4"))
    assert found.reason == "measured on NVIDIA H100 80GB HBM3, and this is the market of L4"


def test_a_cost_over_the_market_has_the_notes_and_the_uncertainty_of_its_case():
    summary = changed(on_h100(1000), {"step_half_width": 0.02, "steady_notes": "drift: 5 %"})
    (found,) = market_costs(summary)
    assert (found.notes, found.rate_half_width) == (("drift: 5 %",), 0.02)
    assert (found.status, found.case) == ("ok", summary.cases[0].case)


@pytest.mark.parametrize(("oldest", "words"), [
    ("2026-01-01", "market of H100, oldest offer: this price is of 2026-01-01, 325 days ago (more than 90)"),
    ("unknown", "market of H100: some offers are of unknown date"),
    ("2026-11-01", None),
])  # fmt: skip
def test_the_age_of_a_market_is_that_of_its_oldest_offer(oldest, words):
    market = msgspec.structs.replace(MARKET, oldest_as_of=oldest)
    found = cost_report([RunPrices(on_h100(1000), (), (market,))], CostQuestion(), TODAY)
    assert [warning.startswith(words or "never") for warning in found.warnings] == ([True] if words else [])
    assert found.markets[0].warnings == found.warnings


def test_a_plan_has_the_notes_of_its_case():
    (plan,) = report(trained(steady_notes="drift: 5 %"), price_row(), plan=PLAN).plans
    assert plan.notes == ("drift: 5 %",)
