from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.cost import CostQuestion, RunPrices, cost_report, cost_rows, headline_usd
from results.cost_record import CostReport, CostTerms
from results.errors import UsageError
from results.pricing import find, load_prices
from results.records import Guard, Work
from results.store import StoredRun
from results.summary import run_summary
from tests.results.costed import (
    ONE_H100,
    TODAY,
    TOKENS,
    changed,
    cpu_row,
    match,
    on_cpu,
    on_h100,
    price_row,
    report,
    run_of,
)
from tests.results.example_run import H100, case, example_run, measurement, run_info, timing

TABLE = load_prices()
L4_DEVICE = msgspec.structs.replace(H100, name="NVIDIA L4", memory_bytes=22 * 2**30)


def one(summary, price, basis="given", **terms):
    (cost,) = report(summary, price, basis=basis, terms=CostTerms(**terms)).cases
    return cost


def test_one_gpu_of_eight_is_attributed_an_eighth_and_billed_the_whole():
    cost = one(on_h100(2500), find(TABLE, "aws", "p5.48xlarge"))
    assert round(cost.usd_per_1m_tokens_attributed, 4) == 0.7644
    assert round(cost.usd_per_1m_tokens_billed, 4) == 6.1156
    assert cost.usd_per_1m_tokens_billed == 55.04 / (3600 * 2500) * 1e6
    assert cost.usd_per_1m_items_billed == cost.usd_per_1m_tokens_billed
    assert (cost.usd_per_hour_billed, cost.usd_per_hour_attributed) == (55.04, 6.88)
    assert (cost.attribution, cost.headline, cost.basis) == ("1/8", "attributed", "given")
    assert headline_usd(cost, "usd_per_1m_tokens") == cost.usd_per_1m_tokens_attributed


def test_half_the_utilisation_doubles_the_dollars_and_leaves_the_hour():
    cost = one(on_h100(2500), find(TABLE, "aws", "p5.48xlarge"), utilisation=0.5)
    assert round(cost.usd_per_1m_tokens_attributed, 4) == 1.5289
    assert (cost.usd_per_hour_billed, cost.usd_per_hour_attributed) == (55.04, 6.88)


def test_one_gpu_of_one_is_billed_what_it_is_attributed():
    spec = case("resnet", "infer", "fp16", device="cuda:0")
    cost = one(
        run_of((spec, Work(items=1, item_unit="image", flops=1), 1000), devices=(L4_DEVICE,)),
        find(TABLE, "aws", "g6.xlarge"),
    )
    assert round(cost.usd_per_1m_items_billed, 4) == 0.2236
    assert cost.usd_per_1m_items_attributed == cost.usd_per_1m_items_billed
    assert cost.attribution == "1/1"
    assert (cost.usd_per_1m_tokens_billed, cost.usd_per_1k_steps_billed) == (None, None)


def test_a_cpu_case_is_billed_the_whole_instance():
    cost = one(on_cpu(1000), find(TABLE, "aws", "c7i.4xlarge"))
    assert cost.usd_per_1m_items_billed == 0.714 / (3600 * 1000) * 1e6
    assert (cost.usd_per_1m_items_attributed, cost.attribution, cost.headline) == (None, None, "billed")
    assert (cost.attribution_reason, cost.reason) == ("", "")


def test_a_cpu_case_has_no_share_of_the_accelerators():
    cost = one(on_cpu(1000), price_row())
    assert (cost.usd_per_hour_billed, cost.usd_per_hour_attributed, cost.headline) == (55.04, None, "billed")
    assert cost.attribution_reason == "a case on the CPU has no share of the accelerators"


@pytest.mark.parametrize("unit", ["accelerator", "chip"])
def test_a_single_accelerator_is_billed_by_itself(unit):
    cost = one(on_h100(1000), price_row(unit=unit, accelerator_count=1, price_usd_per_hour=3.6))
    assert cost.usd_per_1m_tokens_billed == cost.usd_per_1m_tokens_attributed == 1.0
    assert cost.attribution == "1/1"


def test_an_accelerator_case_has_no_price_on_an_instance_without_one():
    cost = one(on_h100(1000), cpu_row())
    assert cost.reason == "measured on cuda:0, but sxm-big holds no accelerator"
    assert (cost.headline, cost.usd_per_hour_billed, cost.usd_per_1m_items_billed) == (None, None, None)


def test_training_has_a_price_a_step_and_training_tokens():
    summary = on_cpu(50, phase="train", items=8, item_unit="sequence", tokens=512)
    cost = one(summary, cpu_row(price_usd_per_hour=3.6))
    # $0.001 a second: 50 steps, 400 sequences, 25,600 tokens.
    assert cost.usd_per_1k_steps_billed == pytest.approx(0.001 / 50 * 1000, rel=1e-14)
    assert cost.usd_per_1m_items_billed == pytest.approx(0.001 / 400 * 1e6, rel=1e-14)
    assert cost.usd_per_1m_tokens_billed == pytest.approx(0.001 / 25_600 * 1e6, rel=1e-14)
    assert (cost.token_kind, cost.item_unit) == ("training", "sequence")
    assert (cost.run_time_s, cost.usd_per_run_billed, cost.run_reason) == (None, None, "")


def test_spot_time_that_is_lost_is_paid_and_no_other_time():
    spot = one(on_h100(1000), price_row(accelerator_count=1, price_usd_per_hour=2.0, pricing="spot"),
               utilisation=0.8, lost_fraction=0.2)  # fmt: skip
    assert spot.usd_per_1m_tokens_billed == pytest.approx(2e6 / 2_304_000, rel=1e-14)
    on_demand = one(on_h100(1000), price_row(accelerator_count=1, price_usd_per_hour=2.0), lost_fraction=0.2)
    assert on_demand.usd_per_1m_tokens_billed == pytest.approx(2e6 / 3_600_000, rel=1e-14)


def test_the_range_is_over_the_kinds_of_pricing_that_are_known():
    row = price_row(accelerator_count=4, price_usd_per_hour=4.0)
    price = match(row, on_demand=4.0, spot=1.0, reserved_1y=3.0, reserved_3y=None)
    cost = one(on_h100(1000), price, lost_fraction=0.5)
    # A quarter of it each; spot counts double, because half of its time is lost: $2 a useful hour.
    assert cost.usd_per_1m_tokens_attributed == pytest.approx(1.0 / 3.6, rel=1e-14)
    assert cost.usd_per_1m_tokens_low == pytest.approx(0.5 / 3.6, rel=1e-14)
    assert cost.usd_per_1m_tokens_high == cost.usd_per_1m_tokens_attributed
    assert (cost.usd_per_1k_steps_low, cost.usd_per_1k_steps_high) == (None, None)


def test_one_kind_of_pricing_is_no_range():
    cost = one(on_h100(1000), match(price_row(), on_demand=55.04, spot=None))
    assert (cost.usd_per_1m_tokens_low, cost.usd_per_1m_tokens_high) == (None, None)


@settings(deadline=None)
@given(st.floats(0.01, 999.0), st.integers(1, 10**6), st.integers(1, 16), st.floats(0.01, 1.0))
def test_price_times_rate_gives_the_dollars_of_an_hour_back(usd_per_hour, items_per_s, count, utilisation):
    row = price_row(price_usd_per_hour=usd_per_hour, accelerator_count=count)
    cost = one(on_h100(items_per_s), match(row, spot=usd_per_hour / 3), utilisation=utilisation)
    used_per_hour = cost.throughput_per_s * 3600 * utilisation
    assert cost.usd_per_1m_items_billed * used_per_hour / 1e6 == pytest.approx(usd_per_hour, rel=1e-12)
    assert cost.usd_per_1m_items_attributed * count == pytest.approx(cost.usd_per_1m_items_billed, rel=1e-12)
    assert cost.attribution == f"1/{count}"
    assert cost.usd_per_1m_items_low * 3 == pytest.approx(cost.usd_per_1m_items_attributed, rel=1e-12)
    assert cost.usd_per_1m_items_low <= cost.usd_per_1m_items_attributed <= cost.usd_per_1m_items_high


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.floats(1.01, 1.5))
def test_more_utilisation_never_costs_more(utilisation, factor):
    less = one(on_h100(1000), ONE_H100, utilisation=utilisation)
    more = one(on_h100(1000), ONE_H100, utilisation=min(1.0, utilisation * factor))
    assert more.usd_per_1m_tokens_attributed < less.usd_per_1m_tokens_attributed


def test_only_ok_cases_have_a_cost_and_all_others_a_reason(tmp_path):
    summary = run_summary(example_run(tmp_path / "run"))
    costs = report(summary, cpu_row(), terms=CostTerms(tariff_usd_per_kwh=0.1, run_steps=10)).cases
    assert [c.case_id for c in costs] == [c.case_id for c in summary.cases]
    for cost in costs:
        assert (cost.usd_per_1m_items_billed is not None) == (cost.status == "ok") == (not cost.reason)
        assert (cost.headline is None) == bool(cost.reason)
        assert cost.electricity_reason
        assert (cost.usd_per_run_billed is not None) == (cost.run_time_s is not None) == (not cost.run_reason)


def test_an_ok_case_without_throughput_has_the_reason():
    spec = case("resnet", "infer", "fp32", scenarios=("latency",))
    record = measurement(spec, work=TOKENS, timing=timing([], 0))
    cost = one(run_summary(StoredRun(None, run_info([(spec, 1)]), [record], [])), cpu_row())
    assert cost.reason == cost.rate_half_width_reason == "scenario throughput was not planned"
    assert cost.usd_per_hour_billed is None


@pytest.mark.parametrize("unit", ["matmul", "byte"])
def test_a_ceiling_is_no_workload_and_has_no_price(unit):
    cost = one(on_cpu(1000, item_unit=unit), cpu_row(), tariff_usd_per_kwh=0.1)
    assert cost.reason == cost.electricity_reason == "a ceiling of the device, not a workload: it has no price"
    assert cost.usd_per_hour_billed is None


def test_a_training_run_takes_its_steps_and_what_is_not_spent_on_steps():
    summary = on_cpu(50, phase="train", items=8, item_unit="sequence", tokens=512)
    row = cpu_row(price_usd_per_hour=3.6)
    by_steps = one(summary, row, run_steps=180_000, startup_s=1800.0, checkpoint_s=1800.0, goodput=0.9)
    # One hour of steps and one of the rest, over 0.9: the machine is held, and paid, for 8000 s.
    assert by_steps.run_time_s == pytest.approx(8000, rel=1e-14)
    assert by_steps.usd_per_run_billed == pytest.approx(8.0, rel=1e-14)
    by_tokens = one(summary, row, run_tokens=512 * 180_000.0, utilisation=0.5)  # does not enter a run
    assert by_tokens.run_time_s == pytest.approx(3600, rel=1e-14)
    assert by_tokens.usd_per_run_billed == pytest.approx(3.6, rel=1e-14)
    assert by_tokens.run_reason == ""


def test_spot_time_that_is_lost_is_in_a_training_run():
    summary = on_cpu(50, phase="train", items=8, item_unit="sequence", tokens=512)
    cost = one(summary, cpu_row(price_usd_per_hour=3.6, pricing="spot"), run_steps=180_000, lost_fraction=0.25)
    assert cost.usd_per_run_billed == pytest.approx(4.8, rel=1e-14)


@pytest.mark.parametrize(("summary", "reason"), [
    (on_h100(50), "not a training case"),
    (on_cpu(50, phase="train"), "the workload has no tokens: give steps"),
])  # fmt: skip
def test_no_training_run_has_a_reason(summary, reason):
    cost = one(summary, price_row(), run_tokens=1e9)
    assert (cost.run_time_s, cost.usd_per_run_billed, cost.run_reason) == (None, None, reason)


def test_electricity_is_priced_apart():
    metered = {"energy_per_step_j": 7.2, "energy_per_item_j": 3.6, "energy_scope": "gpu_board",
               "energy_uncertainty": 0.05}  # fmt: skip
    with_it = one(changed(on_h100(1000), metered), ONE_H100, tariff_usd_per_kwh=0.12, pue=1.5)
    # A million items take 3.6e6 J: 1 kWh, 1.5 kWh into the building.
    assert with_it.electricity_usd_per_1m_items == pytest.approx(0.18, rel=1e-14)
    assert with_it.electricity_usd_per_1k_steps is None  # of training alone
    assert (with_it.electricity_scope, with_it.electricity_half_width) == ("gpu_board", 0.05)
    assert with_it.usd_per_1m_items_billed == one(on_h100(1000), ONE_H100).usd_per_1m_items_billed
    # What was metered does not depend on the price.
    refused = one(changed(on_h100(1000), metered), cpu_row(), tariff_usd_per_kwh=0.12, pue=1.5)
    assert refused.headline is None
    assert refused.electricity_usd_per_1m_items == pytest.approx(0.18, rel=1e-14)


@pytest.mark.parametrize(("fields", "width"), [
    ({"step_half_width": 0.02}, 0.02),
    # t(3 degrees of freedom) = 3.18245: over four processes 3.18245 * 0.02 / 2.
    ({"step_half_width": 0.02, "step_process_sd": 0.02, "num_processes": 4}, 0.0318245),
    ({"step_half_width": 0.04, "step_process_sd": 0.02, "num_processes": 4}, 0.04),
    ({"step_process_sd": 0.02, "num_processes": 4}, 0.0318245),
])  # fmt: skip
def test_the_half_width_is_the_larger_of_within_and_over_processes(fields, width):
    cost = one(changed(on_h100(1000), fields), ONE_H100)
    assert cost.rate_half_width == pytest.approx(width, rel=1e-5)
    assert cost.rate_half_width_reason == ""


def test_what_a_buyer_must_read_is_in_the_notes():
    guards = (
        Guard(name="clocks", value=1.0, threshold=0.5, verdict="FAIL", reason="throttled"),
        Guard(name="clocks", value=2.0, threshold=0.5, verdict="FAIL", reason="again"),
        Guard(name="load", value=1.0, threshold=0.5, verdict="WARN", reason="busy"),
        Guard(name="energy_window", value=1.0, threshold=5.0, verdict="FAIL", reason="short"),
    )
    fields = {"guards": guards, "support": "emulated", "support_reason": "no FP8 units", "steady_notes": "drift: 5 %"}
    cost = one(changed(on_h100(1000), fields), ONE_H100)
    assert cost.notes == ("guard FAIL: clocks: throttled", "drift: 5 %", "emulated precision: no FP8 units")
    assert cost.usd_per_1m_tokens_attributed == 1.0


@pytest.mark.parametrize(("terms", "words"), [
    ({"utilisation": 0.0}, "utilisation 0"), ({"utilisation": 1.01}, "utilisation"),
    ({"utilisation": float("nan")}, "utilisation nan"), ({"lost_fraction": 1.0}, "lost_fraction"),
    ({"lost_fraction": -0.1}, "lost_fraction"), ({"goodput": 0.0}, "goodput"), ({"startup_s": -1.0}, "startup_s"),
    ({"checkpoint_s": float("inf")}, "checkpoint_s"), ({"run_steps": 0}, "run_steps"),
    ({"run_tokens": float("nan")}, "run_tokens"), ({"run_steps": 1, "run_tokens": 1.0}, "not both"),
    ({"pue": 1.2}, "pue needs tariff"), ({"tariff_usd_per_kwh": -1.0}, "tariff"),
])  # fmt: skip
def test_terms_that_cannot_be_are_refused(terms, words):
    with pytest.raises(UsageError, match=words):
        report(on_h100(1), ONE_H100, terms=CostTerms(**terms))


def test_a_report_holds_every_run_and_price_and_can_be_read_again():
    first = on_h100(1000)
    second = msgspec.structs.replace(on_cpu(10), run=msgspec.structs.replace(on_cpu(10).run, run_id="other"))
    prices = ((ONE_H100, "given"), (match(price_row()), "what_if"))
    found = cost_report([RunPrices(first, prices), RunPrices(second, prices[1:])], CostQuestion(), TODAY)
    assert [(c.run_id == "other", c.basis) for c in found.cases] == [
        (False, "given"),
        (False, "what_if"),
        (True, "what_if"),
    ]
    assert [run.run.run_id for run in found.runs] == [first.run.run_id, "other"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=CostReport) == found
    assert all(warning.startswith("aws:sxm-big: ") for warning in found.warnings)
    with pytest.raises(UsageError, match="twice"):
        cost_report([RunPrices(first, prices), RunPrices(first, prices)], CostQuestion(), TODAY)


def test_an_empty_run_costs_nothing():
    summary = run_summary(StoredRun(None, run_info([], (H100,)), [], []))
    assert cost_rows(summary, ONE_H100) == []
    assert report(summary, ONE_H100).cases == ()
