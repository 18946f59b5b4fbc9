from __future__ import annotations

import csv
import io
import json
from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from results.cost import CostReport, cost_report, cost_rows
from results.price_row import PriceRow
from results.pricing import PriceMatch, find, load_prices
from results.records import Work
from results.render import FORMATS
from results.render_cost import CSV_COLUMNS, render_cost
from results.store import StoredRun
from results.summary import run_summary
from tests.results.example_run import CPU, H100, case, example_run, measurement, run_info, timing

TODAY = date(2026, 11, 22)
TABLE = load_prices()
TOKENS = Work(items=1, item_unit="token", tokens=1, flops=1)


def run_of(spec, work, steps_per_s, devices):
    """A run of one case with exactly so many steps a second."""
    record = measurement(spec, work=work, timing=timing([(round(steps_per_s * 1000), 1000 * 10**9)], 0))
    return run_summary(StoredRun(None, run_info([(spec, 1)], devices), [record], []))


def on_h100(tokens_per_s):
    spec = case("llm-decoder", "decode", "bf16", device="cuda:0")
    return run_of(spec, TOKENS, tokens_per_s, (H100,))


def on_cpu(items_per_s, phase="infer", **work):
    spec = case("resnet", phase, "fp32")
    return run_of(spec, Work(**{"items": 1, "item_unit": "image", "flops": 1, **work}), items_per_s, (CPU,))


def price_row(**changes):
    fields = {
        "provider": "aws", "region": None, "instance_type": "big", "accelerator": "H100", "accelerator_count": 8,
        "accelerator_memory_gib": 80.0, "vcpus": 192, "memory_gib": 2048.0, "pricing": "on_demand",
        "price_usd_per_hour": 55.04, "unit": "instance", "as_of": "2026-11-01", "source": "somewhere",
    }  # fmt: skip
    return PriceRow(**{**fields, **changes})


CPU_INSTANCE = price_row(accelerator=None, accelerator_count=0, accelerator_memory_gib=None, vcpus=16)


def match(row):
    return PriceMatch(row=row, table_sha256="0" * 64, match_rule="exact_type", prices_by_pricing={})


def test_one_gpu_of_eight_is_attributed_an_eighth_and_billed_the_whole():
    price = find(TABLE, "aws", "p5.48xlarge")
    (cost,) = cost_rows(on_h100(2500), price.row)
    assert round(cost.usd_per_1m_tokens_attributed, 4) == 0.7644
    assert round(cost.usd_per_1m_tokens_billed, 4) == 6.1156
    assert cost.usd_per_1m_tokens_billed == 55.04 / (3600 * 2500) * 1e6
    assert cost.usd_per_1m_items_billed == cost.usd_per_1m_tokens_billed
    assert (cost.usd_per_hour_billed, cost.usd_per_hour_attributed) == (55.04, 6.88)
    assert (cost.attribution, cost.headline) == ("1/8", "attributed")


def test_one_gpu_of_one_is_billed_what_it_is_attributed():
    spec = case("resnet", "infer", "fp16", device="cuda:0")
    summary = run_of(spec, Work(items=1, item_unit="image", flops=1), 1000, (H100,))
    (cost,) = cost_rows(summary, find(TABLE, "aws", "g6.xlarge").row)
    assert round(cost.usd_per_1m_items_billed, 4) == 0.2236
    assert cost.usd_per_1m_items_attributed == cost.usd_per_1m_items_billed
    assert cost.attribution == "1/1"
    assert (cost.usd_per_1m_tokens_billed, cost.usd_per_1k_steps_billed) == (None, None)


def test_a_cpu_case_is_billed_the_whole_instance():
    (cost,) = cost_rows(on_cpu(1000), find(TABLE, "aws", "c7i.4xlarge").row)
    assert cost.usd_per_1m_items_billed == 0.714 / (3600 * 1000) * 1e6
    assert (cost.usd_per_1m_items_attributed, cost.attribution, cost.headline) == (None, None, "billed")
    assert (cost.attribution_reason, cost.reason) == ("", "")


def test_a_cpu_case_has_no_share_of_the_accelerators():
    (cost,) = cost_rows(on_cpu(1000), price_row())
    assert (cost.usd_per_hour_billed, cost.usd_per_hour_attributed) == (55.04, None)
    assert cost.attribution_reason == "a case on the CPU has no share of the accelerators"


def test_a_single_accelerator_is_billed_by_itself():
    (cost,) = cost_rows(on_h100(1000), price_row(unit="accelerator", accelerator_count=1, price_usd_per_hour=3.6))
    assert cost.usd_per_1m_tokens_billed == cost.usd_per_1m_tokens_attributed == 1.0
    assert cost.attribution == "1/1"


def test_an_accelerator_case_has_no_price_on_an_instance_without_one():
    (cost,) = cost_rows(on_h100(1000), CPU_INSTANCE)
    assert cost.reason == "measured on cuda:0, but big holds no accelerator"
    assert (cost.headline, cost.usd_per_hour_billed, cost.usd_per_1m_items_billed) == (None, None, None)


def test_training_has_a_price_a_step_and_training_tokens():
    summary = on_cpu(50, phase="train", items=8, item_unit="sequence", tokens=512)
    (cost,) = cost_rows(summary, price_row(**{**msgspec.structs.asdict(CPU_INSTANCE), "price_usd_per_hour": 3.6}))
    # $0.001 a second: 50 steps, 400 sequences, 25,600 tokens.
    assert cost.usd_per_1k_steps_billed == pytest.approx(0.001 / 50 * 1000, rel=1e-14)
    assert cost.usd_per_1m_items_billed == pytest.approx(0.001 / 400 * 1e6, rel=1e-14)
    assert cost.usd_per_1m_tokens_billed == pytest.approx(0.001 / 25_600 * 1e6, rel=1e-14)
    assert cost.token_kind == "training"


@settings(deadline=None)
@given(st.floats(0.01, 999.0), st.integers(1, 10**6), st.integers(1, 16))
def test_price_times_rate_gives_the_dollars_of_an_hour_back(usd_per_hour, items_per_s, count):
    row = price_row(price_usd_per_hour=usd_per_hour, accelerator_count=count)
    (cost,) = cost_rows(on_h100(items_per_s), row)
    assert cost.usd_per_1m_items_billed * cost.throughput_per_s * 3600 / 1e6 == pytest.approx(usd_per_hour, rel=1e-12)
    assert cost.usd_per_1m_items_attributed * count == pytest.approx(cost.usd_per_1m_items_billed, rel=1e-12)
    assert cost.attribution == f"1/{count}"


def test_only_ok_cases_have_a_cost_and_all_others_a_reason(tmp_path):
    summary = run_summary(example_run(tmp_path / "run"))
    costs = cost_rows(summary, CPU_INSTANCE)
    assert [c.case_id for c in costs] == [c.case_id for c in summary.cases]
    for cost in costs:
        assert (cost.usd_per_1m_items_billed is not None) == (cost.status == "ok") == (not cost.reason)
        assert (cost.headline is None) == bool(cost.reason)


def test_an_ok_case_without_throughput_has_the_reason():
    spec = case("resnet", "infer", "fp32", scenarios=("latency",))
    record = measurement(spec, work=TOKENS, timing=timing([], 0))
    summary = run_summary(StoredRun(None, run_info([(spec, 1)]), [record], []))
    (cost,) = cost_rows(summary, CPU_INSTANCE)
    assert cost.reason == "scenario throughput was not planned"
    assert cost.usd_per_hour_billed is None


@pytest.mark.parametrize(("summary", "row", "warning"), [
    (on_cpu(1), price_row(), "cases on the CPU are priced on an instance whose price is for its accelerators (8 H100)"),
    (on_cpu(1), msgspec.structs.replace(CPU_INSTANCE, vcpus=4), "the run saw 16 logical CPUs, but big has 4"),
    (on_h100(1), price_row(accelerator="L4"), "used NVIDIA H100 80GB HBM3, but big holds L4: another chip's price"),
    (on_h100(1), price_row(accelerator_memory_gib=141.0), "with 79.0 GiB, but big holds H100 with 141 GiB"),
    (on_h100(1), CPU_INSTANCE, "the run used NVIDIA H100 80GB HBM3, but big holds no accelerator"),
    (on_h100(1), price_row(as_of="2026-07-20"), "125 days ago (more than 90)"),
    (on_h100(1), price_row(as_of="unknown"), "the date of this price is unknown"),
    (on_h100(1), price_row(source="list (VM is extra)"), "the host is billed on top"),
])  # fmt: skip
def test_warnings(summary, row, warning):
    (found,) = cost_report(summary, match(row), TODAY).warnings
    assert warning in found


@pytest.mark.parametrize(("summary", "row"), [(on_cpu(1), CPU_INSTANCE), (on_h100(1), price_row())])
def test_what_fits_gives_no_warning(summary, row):
    assert cost_report(summary, match(row), TODAY).warnings == ()


SUFFIX = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}
# A price of its own, so that an update of the shipped table does not change the golden files.
GOLDEN_PRICE = PriceMatch(
    row=msgspec.structs.replace(CPU_INSTANCE, instance_type="c.example", region="us-east-1", price_usd_per_hour=0.72,
                                as_of="2026-07-20"),
    table_sha256="ab" * 32,
    match_rule="type_any_region",
    note="no --region was given: us-east-1 was chosen; 2 other regions ask $0.8 to $0.9 per hour",
    prices_by_pricing={"on_demand": 0.72, "spot": 0.31},
)  # fmt: skip


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(tmp_path, golden, output_format):
    report = cost_report(run_summary(example_run(tmp_path / "run")), GOLDEN_PRICE, TODAY)
    golden(f"cost.{SUFFIX[output_format]}", render_cost(report, output_format))


def mixed_run():
    """CPU and GPU cases in training and decoding, so that every column is there."""
    specs = [
        case("bert-encoder", "train", "bf16", device="cuda:0", options={"compile": True}),
        case("bert-encoder", "train", "fp32", device="cpu"),
        case("bert-encoder", "infer", "bf16", device="cuda:0", batch_size=65536),
    ]
    work = Work(items=8, item_unit="sequence", tokens=512, flops=1)
    records = [measurement(s, work=work, timing=timing([(1000, 10**9)], 0)) for s in specs]
    return run_summary(StoredRun(None, run_info([(s, 1) for s in specs], (H100, CPU)), records, []))


def test_golden_of_a_share(golden):
    report = cost_report(mixed_run(), match(price_row()), TODAY)
    text = render_cost(report, "table")
    golden("cost-share.txt", text)
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    assert "1/8 of the instance" in " ".join(text.split())


def test_table_fits_and_names_the_price(tmp_path):
    report = cost_report(run_summary(example_run(tmp_path / "run")), GOLDEN_PRICE, TODAY)
    text = render_cost(report, "table")
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    for words in ("$0.72 per instance-hour", "as of 2026-07-20", "here also: spot $0.31", "source: somewhere"):
        assert words in text


def test_json_carries_the_whole_provenance(tmp_path):
    report = cost_report(run_summary(example_run(tmp_path / "run")), find(TABLE, "aws", "c7i.4xlarge"), TODAY)
    text = render_cost(report, "json")
    assert msgspec.json.decode(text, type=CostReport) == report
    price = json.loads(text)["price"]
    assert set(price["row"]) == set(PriceRow.__struct_fields__)
    assert (price["table_sha256"], price["match_rule"]) == (TABLE.sha256, "exact_type")


def test_csv_carries_the_whole_provenance_in_each_row(tmp_path):
    report = cost_report(run_summary(example_run(tmp_path / "run")), GOLDEN_PRICE, TODAY)
    rows = list(csv.DictReader(io.StringIO(render_cost(report, "csv"))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert {(r["price_instance_type"], r["price_table_sha256"], r["run_id"]) for r in rows} == {
        ("c.example", "ab" * 32, "20261122-101112-quick")
    }
    assert len(rows) == len(report.cases)


def test_an_empty_run_costs_nothing_and_says_so():
    summary = run_summary(StoredRun(None, run_info([]), [], []))
    report = cost_report(summary, match(CPU_INSTANCE), TODAY)
    assert report.cases == ()
    assert all(render_cost(report, output_format) for output_format in FORMATS)
