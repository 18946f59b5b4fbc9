"""What stands in the tables and CSV columns beside the cases, each for its own question."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from results.cost import CostQuestion, PlanTerms, RankTerms, RunPrices, cost_report
from results.cost_record import CostReport, CostTerms
from results.instance_record import Instance
from results.records import Work
from results.render_cost import MAX_ROWS, page_blocks, render_cost
from results.render_cost_own import own_cost
from results.render_cost_text import page_of
from tests.results.costed import (
    ONE_H100,
    OWNED,
    TODAY,
    changed,
    match,
    on_cpu,
    on_h100,
    price_row,
    report,
    run_of,
)  # fmt: skip
from tests.results.example_run import case
from tests.results.scorecard_example import imported_cost, result
from tests.results.test_cost_plan import MARKET
from tests.results.test_render_cost import mixed_run

EIGHT = match(price_row())


@pytest.fixture(autouse=True)
def no_prices_of_my_own(monkeypatch, tmp_path):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def flat(found: CostReport) -> str:
    return " ".join(render_cost(found, "table").split())


def csv_rows(found: CostReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_cost(found, "csv"))))


def over_market(summary, **changes):
    market = msgspec.structs.replace(MARKET, **changes)
    return cost_report([RunPrices(summary, (), (market,))], CostQuestion(), TODAY)


def test_columns_of_what_was_not_asked_for_are_not_there():
    (row,) = csv_rows(report(on_h100(1000), ONE_H100))
    assert not [name for name in row if name.startswith(("rank_", "owned_", "plan_"))]


def test_each_row_has_its_rank_its_owned_cost_and_its_projection():
    summary = changed(on_h100(1000, phase="train"), {"flops_per_s": 4e14})
    plan = PlanTerms(tokens=1e12, parameters=1e9, chips=10, efficiency=0.75)
    one = match(price_row(accelerator_count=1, price_usd_per_hour=3.6, instance_type="sxm-one"))
    found = report(summary, EIGHT, one, plan=plan, rank=RankTerms(), owned=OWNED)
    first, second = csv_rows(found)
    # $6.88 an hour and $3.6: the second is the cheaper.
    assert (first["rank_place"], second["rank_place"]) == ("2", "1")
    assert (first["rank_reason"], first["rank_tied_with_place"]) == ("assumes the measured speed there", "")
    # An eighth of $25.2 a busy hour, over 1000 items a second; see the tests of owned hardware.
    assert float(first["owned_usd_per_1m_items"]) == pytest.approx(3.15 / 3.6, rel=1e-14)
    assert float(first["owned_usd_per_busy_hour"]) == pytest.approx(3.15, rel=1e-14)
    assert float(first["owned_break_even_busy_fraction"]) == pytest.approx(1.5 / 6.73, rel=1e-14)
    # 6e21 FLOP at 3e15 a second.
    assert float(first["plan_time_s"]) == pytest.approx(2e6, rel=1e-14)
    assert (first["plan_num_units"], second["plan_num_units"]) == ("2", "10")
    assert float(second["plan_usd_billed"]) == pytest.approx(3.6 * 2e7 / 3600, rel=1e-14)


def test_each_row_has_the_warnings_of_its_price_and_run():
    old = match(price_row(as_of="unknown", instance_type="old-sxm"))
    first, second = csv_rows(report(on_h100(1000), old, ONE_H100))
    assert first["warnings"].startswith("the date of this price is unknown: check it before use; 2 instances are")
    assert second["warnings"].startswith("2 instances are named")


def test_a_row_of_the_market_says_what_it_is_of():
    (row,) = csv_rows(over_market(changed(on_h100(1000), {"steady_notes": "drift: 5 %"})))
    shown = (
        "basis",
        "workload",
        "phase",
        "precision",
        "status",
        "notes",
        "throughput_per_s",
        "usd_per_1m_items_billed",
    )
    assert [row[name] for name in shown] == [
        "market", "llm-decoder", "decode", "bf16", "ok", "drift: 5 %", "1000.0", "",
    ]  # fmt: skip
    assert float(row["market_usd_per_1m_tokens_median"]) == pytest.approx(1.0, rel=1e-12)
    (row,) = csv_rows(over_market(on_cpu(10)))
    assert (row["reason"], row["market_usd_per_1m_items_min"]) == (
        "measured on a CPU: the market is that of an accelerator", "",
    )  # fmt: skip


def test_the_market_table_says_who_asks_what_and_why_a_case_has_none():
    text = flat(over_market(on_cpu(10), least_offer="a x", most_offer="b y", note="3 of 4 say no form"))
    assert "[1] measured on a CPU: the market is that of an accelerator" in text
    assert "market of H100, on_demand: least is a x; most is b y; 3 of 4 say no form" in text


def test_the_market_table_has_the_uncertainty_of_the_rate():
    text = flat(over_market(changed(on_h100(1000), {"step_half_width": 0.02})))
    assert "1M token $0.500 $1.00 $2.00 2.0 %" in text
    assert "+-: 95 % half-width of the measured rate" in text
    assert "no +-: few" in flat(over_market(changed(on_h100(1000), {"step_half_width_reason": "few"})))


def test_electricity_that_nobody_metered_is_one_note_and_no_table():
    metered = {"energy_per_step_j": 7.2, "energy_per_item_j": 3.6, "energy_scope": "gpu_board"}
    terms = CostTerms(tariff_usd_per_kwh=0.1)
    none = flat(report(changed(on_h100(1000), {"energy_per_step_j_reason": "no meter"}), ONE_H100, terms=terms))
    assert "- no electricity: no meter" in none
    assert "electricity alone" not in none
    # Whatever the first price holds.
    cpu_only = match(price_row(accelerator=None, accelerator_count=0, accelerator_memory_gib=None))
    some = flat(report(changed(on_h100(1000), metered), cpu_only, terms=terms))
    assert "electricity alone, $0.1 per kWh" in some
    assert "$0.100" in some.partition("electricity alone")[2]  # 1 kWh for a million items


def test_owning_has_one_row_for_each_price_whatever_the_cases():
    found = report(mixed_run(10), EIGHT, owned=OWNED)
    (block,) = [block for block in page_blocks(page_of(found)) if block.heading.startswith("owned")]
    # 20 cases on the accelerator; 10 on the CPU, which nobody buys accelerators for.
    assert [row[1:4] for row in block.rows] == [["$6.88", "$3.15", "attributed, 1/8 and 1/8"]]
    assert len(found.owned) == 20


def test_a_long_table_beside_the_cases_is_cut_and_says_so():
    found = report(mixed_run(20), EIGHT, terms=CostTerms(run_steps=10), rank=RankTerms())
    blocks = {block.heading: block for block in page_blocks(page_of(found))}
    (heading,) = [heading for heading in blocks if heading.startswith("cheapest first: bert-encoder/tiny v1 train")]
    assert len(blocks[heading].rows) == MAX_ROWS == 40
    long = report(mixed_run(21), EIGHT, rank=RankTerms())
    blocks = {block.heading: block for block in page_blocks(page_of(long))}
    (heading,) = [heading for heading in blocks if heading.startswith("cheapest first: bert-encoder/tiny v1 train")]
    assert heading.endswith("(first 40 rows; 2 more in --format json)")
    assert len(blocks[heading].rows) == 40


def test_the_run_of_another_chip_than_its_instance_holds_says_so_in_its_own_table():
    summary = on_h100(1000)
    made = Instance(
        provider="aws", instance_type="g6.xlarge", region="us-east-1", pricing="on_demand", evidence="given"
    )
    summary = msgspec.structs.replace(summary, run=msgspec.structs.replace(summary.run, instance=made))
    found = own_cost(summary, TODAY)
    assert found.blocks == []
    assert found.notes == [
        "no cost on aws g6.xlarge: the run used NVIDIA H100 80GB HBM3, but g6.xlarge holds L4: another chip's price"
    ]


def test_ceilings_have_no_rows_of_their_own():
    spec = case("gemm", "infer", "bf16", device="cuda:0")
    summary = run_of(
        (spec, Work(items=1, item_unit="matmul", flops=1), 1000),
        (case("resnet", "infer", "bf16", device="cuda:0"), Work(items=1, item_unit="image", flops=1), 10),
    )
    text = flat(report(summary, ONE_H100))
    assert "no rows for 1 cases of gemm and memory-bandwidth" in text
    assert "gemm/tiny" not in text
    assert "resnet/tiny" in text


def imported(**changes):
    market = imported_cost(result(), **changes)
    late = imported_cost(
        result(quantity="latency", unit="s", value=0.1), market=None, usd_per_1m=None, accelerators=None,
        reason="latency: dollars are of throughput and of time to train alone",
    )  # fmt: skip
    return CostReport(runs=(), terms=CostTerms(), cases=(), imported=(market, market, late))


def test_dollars_of_others_have_their_provenance_once_and_the_rest_its_reason():
    text = flat(imported())
    assert text.count("market of H200, on_demand: $1.49 / $3 / $17.83 per accelerator-hour") == 1
    assert text.count("MLPerf is a trademark of MLCommons") == 1
    assert "as of 2026-05-24 to 2026-08-03" in text
    assert "market of H200: its oldest price: this price is of 2026-05-24" in text
    assert "imported: 2 of 3 results have dollars" in text
    assert "latency: dollars are of throughput and of time to train alone" in text.partition("without dollars")[2]


def test_one_price_has_one_column():
    price = match(price_row(accelerator="H200", accelerator_memory_gib=141.0))
    text = flat(imported(price=price, market=None, usd_per_1m=(0.5, 0.5, 0.5)))
    assert "median" not in text
    assert "price: aws sxm-big (8 x H200), " in text
    assert "on_demand: $55.04 per instance-hour, as of" in text


def test_each_imported_cost_is_a_row_of_csv():
    rows = csv_rows(imported())
    assert [row["basis"] for row in rows] == ["imported"] * 3
    first, _, late = rows
    assert first["imported_label"] == "derived by chipmark, same chip, different machine"
    assert [float(first[f"imported_usd_per_1m_{end}"]) for end in ("least", "median", "most")] == [0.25, 0.5, 1.0]
    assert (first["imported_result_id"], first["imported_submitter"]) == ("6.0-0099", "Somebody")
    assert late["imported_usd_per_1m_least"] == ""
    assert late["imported_reason"].startswith("latency: dollars are")
