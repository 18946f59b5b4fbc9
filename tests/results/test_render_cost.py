"""A cost report as text: what a reader finds in it, and that it fits."""

from __future__ import annotations

import csv
import io
from datetime import date

import msgspec
import pytest
from rich.cells import cell_len

from results.cost import CostQuestion, RunPrices, cost_report
from results.cost_record import (
    CostReport,
    CostTerms,
    MarketCost,
    OwnedCost,
    OwnedTerms,
    Rank,
    RankLimits,
    RequestCost,
    TrainingPlan,
)
from results.price_row import PriceRow
from results.records import Work
from results.render import FORMATS
from results.render_cost import page_blocks, render_cost
from results.render_cost_csv import csv_columns
from results.render_cost_text import letter, page_of
from results.store import StoredRun
from results.summary import run_summary
from tests.results.example_run import CPU, H100, case, example_run, measurement, run_info, timing
from tests.results.scorecard_example import MARKET, imported_cost, priced, result

TODAY = date(2026, 11, 22)
NO_TERMS = CostTerms()
SUFFIX = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}
# A price of its own, so that an update of the shipped table does not change the golden files.
CPU_PRICE = msgspec.structs.replace(
    priced(instance_type="c.example", accelerator=None, accelerator_count=0, accelerator_memory_gib=None, vcpus=16,
           price_usd_per_hour=0.72, as_of="2026-07-20"),
    match_rule="type_any_region",
    note="no --region was given: us-east-1 was chosen; 2 other regions ask $0.8 to $0.9 per hour",
    prices_by_pricing={"on_demand": 0.72, "spot": 0.31, "reserved_1y": None},
)  # fmt: skip
EIGHT = priced()
ONE = priced(provider="oci", instance_type="one", accelerator_count=1, price_usd_per_hour=10.0, unit="accelerator")


def at(summary, *prices, terms=NO_TERMS, basis="given"):
    return cost_report([RunPrices(summary, tuple((p, basis) for p in prices))], CostQuestion(terms), TODAY)


def mixed_run(number=1):
    """CPU and GPU cases in training and inference, so that every column is there: 8,000 sequences/s each."""
    specs = []
    for batch in range(number):
        specs += [
            case("bert-encoder", "train", "bf16", device="cuda:0", batch_size=8 + batch, options={"compile": True}),
            case("bert-encoder", "train", "fp32", device="cpu", batch_size=8 + batch),
            case("bert-encoder", "infer", "bf16", device="cuda:0", batch_size=65536 + batch),
        ]
    work = Work(items=8, item_unit="sequence", tokens=512, flops=1)
    records = [measurement(s, work=work, timing=timing([(1000, 10**9)], 0)) for s in specs]
    return run_summary(StoredRun(None, run_info([(s, 1) for s in specs], (H100, CPU)), records, []))


def everything():
    """A report with every part, its numbers made up: what is tested is that each is shown as what it is."""
    report = at(mixed_run(), EIGHT, ONE, terms=CostTerms(utilisation=0.5, tariff_usd_per_kwh=0.12, run_steps=3_600_000))
    train, _, infer = report.cases[:3]
    ids = {"run_id": train.run_id, "case_id": train.case_id, "price": EIGHT}
    request = RequestCost(
        run_id=train.run_id, prefill_case_id="a", decode_case_id="b", label="llm-decoder/tiny bf16 b4 torch@cuda:0",
        price=EIGHT, headline="attributed", prompt_tokens=512, generated_tokens=128, prefill_time_share=0.25,
        usd_per_1m_prompt_tokens=0.5, usd_per_1m_generated_tokens=6.0, usd_per_1m_total_tokens=1.6,
        usd_per_1k_requests=1.024, rate_half_width=0.02,
    )  # fmt: skip
    owned_terms = OwnedTerms(name="8 x H100 server", source="quotation 4711", as_of="2026-11-01", price_usd=250_000,
                             power_w=8500, tariff_usd_per_kwh=0.12, accelerators=8)  # fmt: skip
    owned = OwnedCost(**ids, attribution="1/8", usd_per_busy_hour=1.25, usd_per_1m_items=0.04, usd_per_1m_tokens=0.0007,
                      usd_per_1k_steps=None, break_even_busy_fraction=0.182)  # fmt: skip
    plan = TrainingPlan(**ids, tokens=140e9, parameters=7e9, chips=64, efficiency=0.9, flops_per_s=4e14, mfu=0.404,
                        time_s=360_000, chip_hours=6400, num_units=8, usd_attributed=44_032, usd_billed=44_100,
                        half_width=0.01)  # fmt: skip
    ranks = (
        Rank(group="bert-encoder/tiny v1 train", place=None, index=1, usd=None, unit="$/1M token", reason="too slow"),
        Rank(group="bert-encoder/tiny v1 train", place=2, index=3, usd=0.2, unit="$/1M token", tied_with_place=1),
        Rank(group="bert-encoder/tiny v1 train", place=1, index=0, usd=0.1, unit="$/1M token"),
    )
    market = MarketCost(run_id=train.run_id, case_id=infer.case_id, label=infer.case.label, item_unit="sequence",
                        market=MARKET, usd_per_1m_items=(1.0, 2.0, 3.0), usd_per_1m_tokens=None, usd_per_1k_steps=None)  # fmt: skip
    return msgspec.structs.replace(
        report, requests=(request,), owned_terms=owned_terms, owned=(owned,), plans=(plan,), ranking=ranks,
        markets=(market,), imported=(imported_cost(result()),), warnings=("a warning",),
    )  # fmt: skip


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(tmp_path, golden, output_format):
    report = at(run_summary(example_run(tmp_path / "run")), CPU_PRICE)
    golden(f"cost.{SUFFIX[output_format]}", render_cost(report, output_format))


def test_golden_of_a_share(golden):
    golden("cost-share.txt", render_cost(at(mixed_run(), EIGHT), "table"))


@pytest.mark.parametrize("output_format", ["table", "markdown"])
def test_golden_of_everything(golden, output_format):
    golden(f"cost-everything.{SUFFIX[output_format]}", render_cost(everything(), output_format))


def test_tables_fit_and_are_ascii(tmp_path):
    for report in (everything(), at(mixed_run(), EIGHT), at(run_summary(example_run(tmp_path / "run")), CPU_PRICE)):
        text = render_cost(report, "table")
        assert max(map(cell_len, text.splitlines())) <= 100
        assert text.isascii()


def test_no_column_is_squeezed():
    """A table that is too wide loses letters of its headers."""
    for report in (everything(), at(mixed_run(), EIGHT), at(mixed_run(), EIGHT, ONE, CPU_PRICE)):
        blocks = page_blocks(page_of(report))
        assert blocks
        for block in blocks:
            assert sum(column.width for column in block.columns) + len(block.columns) - 1 <= 100, block.heading


def row_of(text, *words):
    """The first line that holds all words, its runs of blanks as one."""
    return next(" ".join(line.split()) for line in text.splitlines() if all(word in line for word in words))


def test_a_share_in_exact_dollars():
    """55.04/8 = 6.88 per hour over 3600 * 8000 sequences = $0.2389 a million; 8 of them are $1.9111."""
    text = render_cost(at(mixed_run(), EIGHT), "table")
    assert "8.00k $0.239 $0.00373 $0.00191" in row_of(text, "train", "bf16")
    assert "($1.91)" in text
    # The CPU's case is billed the whole: no second number.
    assert "8.00k $1.91 $0.0299 $0.0153" in row_of(text, "train", "fp32")
    assert "headline: attributed, 1/8 of the instance" in " ".join(text.split())


def test_prices_stand_side_by_side_under_their_letters():
    text = render_cost(at(mixed_run(), EIGHT, ONE), "table")
    assert "price A: aws big (8 x H100), us-east-1, on_demand: $55.04 per instance-hour" in text
    assert "price B: oci one (1 x H100)" in text
    # Tokens: 512,000 a second. 6.88 and 10 dollars an hour.
    assert "$0.00373 $0.00543" in row_of(text, "train", "bf16")


def test_a_note_that_is_true_of_one_price_names_it():
    text = render_cost(at(mixed_run(), EIGHT, CPU_PRICE), "table")
    flat = " ".join(text.split())
    assert "price B: measured on cuda:0, but c.example holds no accelerator" in flat
    assert "price A: a case on the CPU has no share of the accelerators" in flat
    assert "$0.00373 n/a" in row_of(text, "train", "bf16")


def test_many_prices_have_blocks_of_their_own():
    prices = [priced(instance_type=f"big{number}", price_usd_per_hour=8.0 * number) for number in (1, 2, 3, 4)]
    text = render_cost(at(mixed_run(), *prices), "table")
    assert [name for name in "ABCD" if f"bert-encoder/tiny v1, price {name}" in text] == list("ABCD")
    assert text.count("a case on the CPU has no share") == 1


def test_thirty_cases_at_three_prices_do_not_repeat_themselves():
    prices = [priced(instance_type=f"big{number}") for number in (1, 2, 3)]
    text = render_cost(at(mixed_run(10), *prices), "table")
    assert max(map(cell_len, text.splitlines())) <= 100
    assert text.count("\ntrain ") == 20
    assert text.count("a case on the CPU has no share") == 1


def test_range_over_kinds_of_pricing_is_said_once(tmp_path):
    text = render_cost(at(run_summary(example_run(tmp_path / "run")), CPU_PRICE), "table")
    flat = " ".join(text.split())
    # 0.31/0.72 = 0.4306
    assert flat.count("over the kinds of pricing here, 0.431 to 1.00 times each cost") == 1
    assert "(here also: spot $0.31)" in flat


def test_a_projection_is_labelled_with_what_it_assumes():
    flat = " ".join(render_cost(everything(), "table").split())
    assert "PROJECTION, not measured: training on 140G tokens, 7.00G parameters, 64 chips, efficiency 0.9" in flat
    assert "are assumed, not measured" in flat
    assert "100 h" in flat  # 360,000 s


def test_places_ties_and_what_is_not_ranked():
    text = render_cost(everything(), "table")
    ranks, _, others = text.partition("cheapest first: bert-encoder/tiny v1 train")[2].partition("not ranked: ")
    places = [line.split()[0] for line in ranks.splitlines()[1:] if "bert-encoder/tiny train" in line]
    assert places == ["1", "2"]
    assert "with 1" in next(line for line in ranks.splitlines() if line.split()[:1] == ["2"])
    assert others.startswith("bert-encoder/tiny v1 train")
    assert "too slow" in text


def test_the_limits_of_a_ranking_are_said():
    limits = RankLimits(max_latency_s=0.05, latency_percentile="p90", min_throughput_per_s=1000.0)
    text = render_cost(msgspec.structs.replace(everything(), rank_limits=limits), "table")
    assert "ranked: p90 of at most 50.0 ms (a step in train and infer, the first token in prefill," in text.replace(
        "\n  ", " "
    )
    assert "and at least 1.00k items/s" in text.replace("\n  ", " ")


def test_others_results_stand_apart_with_their_citation():
    flat = " ".join(render_cost(everything(), "table").split())
    assert "measured elsewhere, not by chipmark; dollars: derived by chipmark, same chip, different machine" in flat
    assert "MLCommons, MLPerf Inference v6.0, Somebody" in flat
    assert "MLPerf is a trademark of MLCommons" in flat


def test_json_is_the_whole_report():
    report = everything()
    assert msgspec.json.decode(render_cost(report, "json"), type=CostReport) == report


def test_csv_carries_the_whole_price_in_each_row():
    report = everything()
    rows = list(csv.DictReader(io.StringIO(render_cost(report, "csv"))))
    assert tuple(rows[0]) == csv_columns(report)
    assert len(rows) == len(report.cases) + len(report.markets) + len(report.imported) == 8
    for row, cost in zip(rows, report.cases, strict=False):
        for name in PriceRow.__struct_fields__:
            value = getattr(cost.price.row, name)
            assert row[f"price_{name}"] == ("" if value is None else str(value))
        assert (row["price_layer"], row["price_table_sha256"]) == ("shipped", cost.price.table_sha256)
        assert row["terms_utilisation"] == "0.5"
        assert (float(row["usd_per_hour_billed"]) if cost.headline else None) == cost.usd_per_hour_billed
        assert row["warnings"] == "; ".join(cost.warnings)
    assert (rows[-2]["basis"], rows[-2]["market_usd_per_1m_items_median"]) == ("market", "2.0")
    assert rows[-2]["usd_per_1m_items_billed"] == ""


def test_formulae_and_control_characters_are_text():
    price = priced(source='=HYPERLINK("x")', instance_type="big\x1b[31m")
    report = at(mixed_run(), price)
    assert "\x1b" not in render_cost(report, "table")
    (source,) = {row["price_source"] for row in csv.DictReader(io.StringIO(render_cost(report, "csv")))}
    assert source == '\'=HYPERLINK("x")'


def test_an_empty_run_costs_nothing_and_says_so():
    summary = run_summary(StoredRun(None, run_info([]), [], []))
    assert all(render_cost(at(summary, CPU_PRICE), output_format) for output_format in FORMATS)


@pytest.mark.parametrize(("index", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA")])
def test_letters(index, name):
    assert letter(index) == name
