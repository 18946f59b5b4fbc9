from __future__ import annotations

import math

import msgspec
import pandas as pd
import pytest

from results.cost import cost_rows
from results.cost_frame import DOLLAR_COLUMNS, NO_INSTANCE, with_prices
from results.cost_record import CostTerms
from results.errors import UsageError
from results.frame import INSTANCE_COLUMNS, load
from results.instance_record import Instance
from results.price_row import PriceRow
from results.pricing import find, load_prices
from results.summary import run_summary
from tests.results.costed import cpu_row, match, price_row
from tests.results.example_run import CPU, H100, case, example_run, example_stored, measurement, run_info, store, timing
from tests.results.example_run import SEQUENCES as WORK

TABLE = load_prices()
TERMS = CostTerms(utilisation=0.5, lost_fraction=0.25, run_steps=1000, goodput=0.9)
PRICE = match(cpu_row(price_usd_per_hour=0.72, pricing="spot"), spot=0.72, on_demand=1.5)
SHARED = match(price_row(), on_demand=55.04, spot=20.0)


def h100_run(folder):
    specs = [
        case("bert-encoder", "train", "bf16", device="cuda:0"),
        case("bert-encoder", "infer", "bf16", device="cpu"),
    ]
    records = [(measurement(s, work=WORK, timing=timing([(1000, 10**9)], 0)), {}) for s in specs]
    return store(folder, run_info([(s, 1) for s in specs], (H100,)), records)


def test_frames_and_reports_give_the_same_dollars(tmp_path):
    headlines = set()
    for name, run in (("a", example_run(tmp_path / "a")), ("b", h100_run(tmp_path / "b"))):
        frame = with_prices(load(tmp_path / name), [PRICE, SHARED], TERMS)
        summary = run_summary(run)
        costs = [cost_rows(summary, price, "given", TERMS) for price in (PRICE, SHARED)]
        expected = [cost for pair in zip(*costs, strict=True) for cost in pair]
        assert len(frame) == len(expected) == 2 * len(summary.cases)
        for row, cost in zip(frame.to_dict("records"), expected, strict=True):
            for column in DOLLAR_COLUMNS:
                value = getattr(cost, column)
                assert math.isnan(row[column]) if value is None else row[column] == value, column
            assert row["cost_reason"] == cost.reason
            texts = [None if pd.isna(row[name]) else row[name] for name in ("headline", "attribution")]
            assert texts == [cost.headline, cost.attribution]
            headlines.add(cost.headline)
            assert row["run_reason"] == cost.run_reason
            assert row["price_price_usd_per_hour"] == cost.price.row.price_usd_per_hour
    assert headlines == {"attributed", "billed", None}  # all kinds were compared


def rented(folder, **instance):
    info, stored = example_stored()
    info = msgspec.structs.replace(info, instance=Instance(evidence="given", **instance) if instance else None)
    return store(folder, info, stored)


def test_each_run_is_priced_by_the_instance_it_names(tmp_path):
    rented(tmp_path / "a", provider="aws", instance_type="c7i.4xlarge", region="us-east-1", pricing="on_demand")
    rented(tmp_path / "b", provider="aws", instance_type="p5.48xlarge")
    rented(tmp_path / "c")
    rented(tmp_path / "d", provider="aws", instance_type="c7i.4xlarg")
    frame = load(tmp_path)
    assert set(INSTANCE_COLUMNS) <= set(frame)
    priced = with_prices(frame, TABLE)
    assert len(priced) == len(frame)
    all_ok = priced[priced["status"] == "ok"]
    runs = [group for _, group in all_ok.groupby(all_ok.index // (len(frame) // 4))]
    # 400 sequences a second.
    assert runs[0]["usd_per_1m_items_billed"].iloc[0] == pytest.approx(0.714 / (3600 * 400) * 1e6, rel=1e-14)
    assert runs[1]["price_price_usd_per_hour"].tolist() == [55.04] * len(runs[1])
    assert set(runs[2]["cost_reason"]) == {NO_INSTANCE}
    assert all("did you mean 'c7i.4xlarge'" in text for text in runs[3]["cost_reason"])
    assert runs[2]["usd_per_1m_items_billed"].isna().all()
    row = find(TABLE, "aws", "c7i.4xlarge", "us-east-1").row
    for name in PriceRow.__struct_fields__:
        value = getattr(row, name)
        found = runs[0][f"price_{name}"].iloc[0]
        assert found == value or (value is None and pd.isna(found)), name
    assert runs[0]["price_table_sha256"].iloc[0] == TABLE.sha256["shipped"]
    assert (runs[0]["price_layer"].iloc[0], runs[0]["price_match_rule"].iloc[0]) == ("shipped", "exact_type")


ASSUMED = "the run does not say how it was paid: on_demand is assumed"


def test_the_memory_of_the_device_chooses_among_offers_of_one_name(tmp_path):
    spec = case("bert-encoder", "infer", "bf16", device="cuda:0")
    record = measurement(spec, work=WORK, timing=timing([(1000, 10**9)], 0))
    # A run has one price: its case on the CPU is priced by the accelerator's memory too, as in a report.
    on_cpu = case("bert-encoder", "infer", "fp32", device="cpu")
    of_cpu = measurement(on_cpu, work=WORK, timing=timing([(1000, 10**9)], 0))
    sold = [price_row(accelerator="A100", accelerator_count=1, accelerator_memory_gib=gib, price_usd_per_hour=usd)
            for gib, usd in ((40.0, 2.0), (80.0, 3.0))]  # fmt: skip
    table = TABLE._replace(rows=sold, layers=["shipped", "shipped"], replaced={})
    for name, gib in (("small", 39.5), ("unknown", None)):
        device = msgspec.structs.replace(H100, memory_bytes=int(gib * 2**30) if gib else None)
        run = msgspec.structs.replace(
            run_info([(spec, 1), (on_cpu, 1)], (device, CPU)),
            run_id=name,
            instance=Instance(provider="aws", instance_type="sxm-big", evidence="given"),
        )
        store(tmp_path / name, run, [(record, {}), (of_cpu, {})])
    small, cpu, unknown, _ = with_prices(load(tmp_path), table).to_dict("records")
    assert (small["price_price_usd_per_hour"], small["price_note"]) == (2.0, ASSUMED)
    assert cpu["price_price_usd_per_hour"] == 2.0
    assert unknown["price_price_usd_per_hour"] == 3.0
    assert "the dearest was taken" in unknown["price_note"]


def test_another_chip_gets_no_dollars_elsewhere(tmp_path):
    h100_run(tmp_path / "run")
    elsewhere = [match(price_row()), match(price_row(accelerator="L4", accelerator_memory_gib=24.0))]
    frame = with_prices(load(tmp_path / "run"), elsewhere, basis="what_if")
    reasons = frame["cost_reason"].tolist()
    assert reasons[0] == ""
    assert "but sxm-big holds L4" in reasons[1]
    assert reasons[2] == reasons[3] == "the run does not say which device this is"  # the run lists no CPU
    assert frame["usd_per_1m_items_attributed"].notna().tolist() == [True, False, False, False]
    given = with_prices(load(tmp_path / "run"), elsewhere)
    assert given["usd_per_1m_items_billed"].notna().tolist() == [True, False, True, True]
    assert given["cost_reason"].tolist() == [*reasons[:2], "", ""]


def test_a_case_that_failed_says_so_before_its_price_does(tmp_path):
    rented(tmp_path / "run")
    priced = with_prices(load(tmp_path / "run"), TABLE)
    failed = priced[priced["status"] == "timeout"]["cost_reason"].tolist()
    assert failed == ["timeout: no progress for 60 s; killed"]


@pytest.mark.parametrize("prices", [TABLE, [PRICE], []])
def test_an_empty_frame_stays_empty(tmp_path, prices):
    example_run(tmp_path / "run")
    assert with_prices(load(tmp_path / "run").iloc[:0], prices).empty


def test_what_is_missing_in_two_ways_is_missing(tmp_path):
    rented(tmp_path / "a", provider="aws", instance_type="c7i.4xlarge", region="us-east-1")
    rented(tmp_path / "b")
    frame = load(tmp_path)
    frame["instance_pricing"] = pd.Series([None, float("nan")] * (len(frame) // 2), dtype=object)
    priced = with_prices(frame, TABLE)
    ok = priced[priced["status"] == "ok"]
    named = ok["instance_type"].notna()
    assert set(ok[named]["price_price_usd_per_hour"]) == {0.714}
    assert set(ok[~named]["cost_reason"]) == {NO_INSTANCE}


def test_no_prices_give_no_rows(tmp_path):
    example_run(tmp_path / "run")
    assert with_prices(load(tmp_path / "run"), []).empty


def test_the_frame_itself_is_left_alone(tmp_path):
    example_run(tmp_path / "run")
    frame = load(tmp_path / "run")
    before = frame.copy(deep=True)
    with_prices(frame, [PRICE])
    pd.testing.assert_frame_equal(frame, before)


def test_terms_that_cannot_be_are_refused(tmp_path):
    example_run(tmp_path / "run")
    with pytest.raises(UsageError, match="utilisation"):
        with_prices(load(tmp_path / "run"), [PRICE], CostTerms(utilisation=0.0))
