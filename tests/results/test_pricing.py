from __future__ import annotations

import hashlib
from datetime import date

import msgspec
import pytest

from results.configs import config_path
from results.cost_warnings import names_match
from results.errors import PriceError, UsageError
from results.price_age import age_warning, parse_date
from results.price_row import PriceRow
from results.pricing import find, load_prices, same_memory

HEADER = ",".join(PriceRow.__struct_fields__)
ONLY_REGION = "no region was given: us-east-1 is the only one in the table"
GOOD = "aws,us-east-1,big,H100,8,80,192,2048,on_demand,55.04,instance,2026-07-20,somewhere"


def table(tmp_path, *rows, header=HEADER):
    file = tmp_path / "prices.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return load_prices(file)


def changed(**cells):
    values = dict(zip(PriceRow.__struct_fields__, GOOD.split(","), strict=True))
    return ",".join({**values, **cells}.values())


def test_a_row_is_read_as_it_stands(tmp_path):
    read = table(tmp_path, GOOD)
    assert msgspec.structs.asdict(read.rows[0]) == {
        "provider": "aws", "region": "us-east-1", "instance_type": "big", "accelerator": "H100",
        "accelerator_count": 8, "accelerator_memory_gib": 80.0, "vcpus": 192, "memory_gib": 2048.0,
        "pricing": "on_demand", "price_usd_per_hour": 55.04, "unit": "instance", "as_of": "2026-07-20",
        "source": "somewhere",
    }  # fmt: skip
    assert read.sha256 == {"given": hashlib.sha256((tmp_path / "prices.csv").read_bytes()).hexdigest()}


def test_empty_cells_are_none_and_columns_may_be_in_any_order(tmp_path):
    cells = {"region": "", "accelerator": "", "accelerator_count": "0", "accelerator_memory_gib": "", "vcpus": "",
             "memory_gib": ""}  # fmt: skip
    row = table(tmp_path, changed(**cells)).rows[0]
    assert (row.region, row.accelerator, row.vcpus, row.memory_gib, row.accelerator_count) == (
        None,
        None,
        None,
        None,
        0,
    )
    backwards = ",".join(reversed(GOOD.split(",")))
    assert table(tmp_path, backwards, header=",".join(reversed(HEADER.split(",")))).rows[0].price_usd_per_hour == 55.04


@pytest.mark.parametrize(("cells", "message"), [
    ({"price_usd_per_hour": "much"}, "row 3: column price_usd_per_hour: 'much' is not a number"),
    ({"price_usd_per_hour": "0"}, "row 3: column price_usd_per_hour: '0' is not a positive number"),
    ({"price_usd_per_hour": "5e-324"}, "row 3: column price_usd_per_hour: 4.94066e-324 cannot be: nothing is rented"),
    ({"unit": "accelerator", "accelerator": "", "accelerator_count": "0"},
     "row 3: column unit: accelerator, but no accelerator is named"),
    ({"price_usd_per_hour": "nan"}, "row 3: column price_usd_per_hour: 'nan' is not a positive number"),
    ({"price_usd_per_hour": "inf"}, "row 3: column price_usd_per_hour: 'inf' is not a positive number"),
    ({"price_usd_per_hour": ""}, "row 3: column price_usd_per_hour: '' is not a number"),
    ({"unit": "hour"}, "row 3: column unit: 'hour' is none of instance, accelerator, chip"),
    ({"pricing": "cheap"}, "row 3: column pricing: 'cheap' is none of on_demand, spot"),
    ({"as_of": "20 July"}, "row 3: column as_of: '20 July' is not a date"),
    ({"as_of": "2026-13"}, "row 3: column as_of: '2026-13' is not a date"),
    ({"vcpus": "-4"}, "row 3: column vcpus: '-4' is not a whole number"),
    ({"vcpus": "4.5"}, "row 3: column vcpus: '4.5' is not a whole number"),
    ({"provider": ""}, "row 3: column provider: must not be empty"),
    ({"accelerator": ""}, "row 3: column accelerator_count: must be 0 if and only if"),
    ({"accelerator_count": "0"}, "row 3: column accelerator_count: must be 0 if and only if"),
    ({"price_usd_per_hour": "99"}, "row 3: column instance_type: repeats row 2"),
    ({"source": "a,b"}, "row 3: has another number of cells"),
])  # fmt: skip
def test_a_wrong_cell_is_named_by_row_and_column(tmp_path, cells, message):
    with pytest.raises(PriceError) as error:
        table(tmp_path, GOOD, changed(**cells))
    assert str(error.value).startswith(f"{tmp_path / 'prices.csv'}: {message}")


def test_a_missing_column_is_named(tmp_path):
    header = HEADER.replace(",unit", "").replace(",as_of", "")
    with pytest.raises(PriceError, match="row 1: missing column unit, as_of"):
        table(tmp_path, header=header)


def test_a_file_that_is_no_table(tmp_path):
    with pytest.raises(PriceError, match="cannot be read: No such file"):
        load_prices(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"provider\xff")
    with pytest.raises(PriceError, match="not UTF-8"):
        load_prices(tmp_path / "bytes.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PriceError, match="missing column provider"):
        load_prices(tmp_path / "empty.csv")


def test_the_newest_wins_and_unknown_is_the_oldest(tmp_path):
    rows = [changed(as_of=as_of, price_usd_per_hour=price, source=as_of) for as_of, price in
            [("unknown", "90"), ("2026-07-20", "55"), ("2024-12", "80"), ("2026-07-19", "70")]]  # fmt: skip
    match = find(table(tmp_path, *rows), "aws", "big")
    assert (match.row.price_usd_per_hour, match.match_rule, match.note) == (55.0, "type_any_region", ONLY_REGION)


def test_of_several_offers_the_dearest_is_taken_and_all_are_named(tmp_path):
    prices = table(tmp_path, GOOD, changed(vcpus="96", price_usd_per_hour="60"), changed(vcpus="48", memory_gib="9"))
    match = find(prices, "aws", "big", "us-east-1")
    assert match.row.price_usd_per_hour == 60.0
    assert match.note.startswith("several offers have this name, the dearest was taken: $55.04 (80.0 GiB")


def test_accelerator_memory_tells_offers_apart(tmp_path):
    prices = table(tmp_path, GOOD, changed(accelerator_memory_gib="40", price_usd_per_hour="30"))
    assert find(prices, "aws", "big", "us-east-1").row.price_usd_per_hour == 55.04
    assert find(prices, "aws", "big", "us-east-1", accelerator_memory_gib=39.4).row.price_usd_per_hour == 30.0
    assert find(prices, "aws", "big", "us-east-1", accelerator_memory_gib=79.6).note == ""


@pytest.mark.parametrize(("listed", "actual", "same"), [(80.0, 79.2, True), (80.0, 40.0, False), (None, 40.0, False)])
def test_same_memory(listed, actual, same):
    assert same_memory(listed, actual) is same


def test_region_is_stated_when_it_was_not_given(tmp_path):
    prices = table(tmp_path, *(changed(region=region, price_usd_per_hour=usd) for region, usd in
                               [("eu-1", "50"), ("us-east-2", "60"), ("us-east-1", "70"), ("", "10")]))  # fmt: skip
    match = find(prices, "aws", "big")
    assert (match.row.region, match.match_rule) == ("us-east-1", "type_any_region")
    assert match.note == "no --region was given: us-east-1 was chosen; 3 other regions ask $10 to $60 per hour"
    chosen = find(prices, "aws", "big", region="eu-1")
    assert (chosen.row.price_usd_per_hour, chosen.match_rule, chosen.note) == (50.0, "exact_type", "")


def test_region_outside_the_default_order_is_the_first_by_name_not_the_cheapest(tmp_path):
    prices = table(tmp_path, changed(region="zz", price_usd_per_hour="1"), changed(region="aa"), changed(region=""))
    assert find(prices, "aws", "big").row.region == "aa"


@pytest.mark.parametrize(("arguments", "message"), [
    (("aws", "c7i.4xlrge"), "unknown aws instance 'c7i.4xlrge'; did you mean 'c7i.4xlarge'"),
    (("amazon", "c7i.4xlarge"), "unknown provider 'amazon'"),
    (("aws", "c7i.4xlarge", None, "spot"), "aws:c7i.4xlarge has no spot price in prices.csv; it has: on_demand"),
    (("aws", "p5.48xlarge", None, "reserved_1y"), "it has: capacity_block, on_demand"),
    (("aws", "c7i.4xlarge", "eu-west-1"), "no on_demand price in region 'eu-west-1'; it has: us-east-1"),
])  # fmt: skip
def test_what_is_not_there_is_named_with_what_is(arguments, message):
    with pytest.raises(PriceError) as error:
        find(load_prices(), *arguments)
    assert message in str(error.value)


def test_other_kinds_of_pricing_are_kept_beside_the_price():
    match = find(load_prices(), "aws", "p5.48xlarge", "us-east-1")
    assert match.prices_by_pricing == {
        "on_demand": 55.04, "spot": None, "reserved_1y": None, "reserved_3y": None, "capacity_block": 39.33,
    }  # fmt: skip


@pytest.mark.parametrize(("as_of", "today", "words"), [
    ("2026-07-20", date(2026, 10, 18), ""), ("2026-07-20", date(2026, 10, 19), "91 days ago"),
    ("2026-07", date(2026, 9, 29), ""), ("2026-07", date(2026, 9, 30), "91 days ago"),
    ("unknown", date(2026, 1, 1), "unknown"), ("2026-07-20", date(2026, 1, 1), "yet to come"),
])  # fmt: skip
def test_age(as_of, today, words):
    warning = age_warning(as_of, today)
    assert words in warning
    assert bool(warning) == bool(words)


def test_a_month_is_its_first_day():
    assert parse_date("2024-12") == date(2024, 12, 1)


@pytest.mark.parametrize(("accelerator", "device", "same"), [
    ("H100", "NVIDIA H100 80GB HBM3", True), ("L4", "NVIDIA L4", True), ("L4", "NVIDIA L40S", False),
    ("L40", "NVIDIA L40S", False), ("A100-80GB", "NVIDIA A100-SXM4-80GB", True), ("A100", "NVIDIA A10G", False),
    ("RTX4090", "NVIDIA GeForce RTX 4090", True), ("RTX4090", "NVIDIA GeForce RTX 3090", False),
    ("RTXPRO6000", "NVIDIA RTX PRO 6000 Blackwell Server Edition", True), ("MI300X", "AMD Instinct MI300X", True),
    ("H100-PCIe", "NVIDIA H100 PCIe", True), ("H100-PCIe", "NVIDIA H100 80GB HBM3", False),
    ("H200", "NVIDIA H100 80GB HBM3", False), ("Inferentia2", "NeuronCore Inferentia2", True),
])  # fmt: skip
def test_accelerator_names(accelerator, device, same):
    assert names_match(accelerator, device) is same


def test_config_path_finds_the_checkout_and_complains_about_others(tmp_path, monkeypatch):
    assert config_path("prices.csv").is_file()
    with pytest.raises(UsageError, match="configs/nonsense.csv is missing"):
        config_path("nonsense.csv")


def test_config_path_finds_an_installed_copy(tmp_path, monkeypatch):
    monkeypatch.setattr("results.configs._HERE", tmp_path / "results")
    installed = tmp_path / "results" / "data" / "configs" / "prices.csv"
    installed.parent.mkdir(parents=True)
    installed.write_text("x")
    assert config_path("prices.csv") == installed


@pytest.mark.parametrize("text", ["20260720", "2026-7-20", "2026-W30-1", "2026-07-20T00:00", ""])
def test_dates_have_one_form_because_they_are_compared_as_text(text):
    with pytest.raises(ValueError, match="is not a date"):
        parse_date(text)
