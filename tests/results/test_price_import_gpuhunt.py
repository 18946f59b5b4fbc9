"""What is known to be wrong in gpuhunt's catalogues."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from results.errors import PriceError, UsageError
from results.price_import import DEAREST, import_prices
from results.price_table import load_prices, price_csv

TODAY = date(2026, 11, 25)
CELLS = {
    "instance_name": "p5.48xlarge", "location": "us-east-1", "price": "55.04", "cpu": "192", "memory": "2048.0",
    "gpu_count": "8", "gpu_name": "H100", "gpu_memory": "80.0", "spot": "False", "disk_size": "", "gpu_vendor": "nvidia",
    "flags": "", "cpu_arch": "x86", "provider_data": "{}",
}  # fmt: skip


@pytest.fixture
def take(tmp_path):
    """Import rows that differ from CELLS: (rows, {reason: lines}); a provider in a row makes it a column."""

    def taken(*rows, provider="aws", columns=tuple(CELLS), **terms):
        if any("provider" in row for row in rows):
            columns = (*columns, "provider")
        file = tmp_path / "catalogue.csv"
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([{**CELLS, "provider": "", **row}[name] for name in columns] for row in rows)
        found = import_prices(file, terms.pop("as_of", "2026-11-20"), TODAY, provider=provider, **terms)
        return found.rows, {refusal.reason: refusal.lines for refusal in found.refused}

    return taken


def reason(refused, word):
    return [lines for text, lines in refused.items() if word in text]


def test_rows_are_stored_as_they_stand_and_read_back(take, tmp_path):
    cpu = {"instance_name": "c7i.4xlarge", "price": "0.714", "cpu": "16", "memory": "32.0", "gpu_count": "0",
           "gpu_name": "", "gpu_memory": ""}  # fmt: skip
    rows, refused = take({}, {"spot": "True", "price": "20.25"}, cpu)
    assert refused == {}
    assert [(row.instance_type, row.accelerator, row.accelerator_count, row.pricing, row.price_usd_per_hour) for row in rows] == [
        ("p5.48xlarge", "H100", 8, "on_demand", 55.04),
        ("p5.48xlarge", "H100", 8, "spot", 20.25),
        ("c7i.4xlarge", None, 0, "on_demand", 0.714),
    ]  # fmt: skip
    assert (rows[0].vcpus, rows[0].memory_gib, rows[0].unit, rows[0].as_of) == (192, 2048.0, "instance", "2026-11-20")
    file = tmp_path / "table.csv"
    file.write_text(price_csv(rows))
    assert load_prices(file, today=TODAY).rows == rows


def test_tpu_slices_are_counted_in_chips_and_spot_above_on_demand_is_dropped(take):
    slice_of = {"gpu_count": "1", "gpu_vendor": "google"}
    rows, refused = take(
        {**slice_of, "instance_name": "v5p-8", "gpu_name": "v5p-8", "gpu_memory": "95.0", "location": "us-east5-a", "price": "16.8"},
        {**slice_of, "instance_name": "v2-8", "gpu_name": "tpu-v2-8", "gpu_memory": "64.0", "location": "us-central1-b", "price": "4.5"},
        {**slice_of, "instance_name": "v2-8", "gpu_name": "v2-8", "gpu_memory": "64.0", "location": "us-central1-b", "price": "5.5", "spot": "True"},
        {**slice_of, "instance_name": "v9-8", "gpu_name": "v9-8", "gpu_memory": "64.0"},
        {**slice_of, "instance_name": "v5p-8", "gpu_name": "v5p-8", "gpu_count": "3"},
        provider="gcp",
    )  # fmt: skip
    assert [(row.region, row.accelerator, row.accelerator_count, row.accelerator_memory_gib, row.price_usd_per_hour) for row in rows] == [
        ("us-east5", "TPU-v5p", 4, 95.0, 16.8), ("us-central1", "TPU-v2", 4, 16.0, 4.5),
    ]  # fmt: skip
    assert reason(refused, "spot price above") == [[4]]
    assert reason(refused, "number of chips") == [[5]]
    assert reason(refused, "does not go with the TPU slice") == [[6]]


def test_a_v100_is_no_tpu(take):
    rows, _ = take({"gpu_name": "V100", "gpu_memory": "16.0"}, {"gpu_name": "V100", "gpu_memory": "32.0"})
    assert [(row.accelerator, row.accelerator_memory_gib) for row in rows] == [("V100", 16.0), ("V100-32GB", 32.0)]


def test_runpods_community_price_is_no_spot_price_of_a_secure_one(take):
    one = {"instance_name": "NVIDIA GeForce RTX 4090", "gpu_name": "RTX4090", "gpu_count": "1", "gpu_memory": "24.0"}
    rows, refused = take(
        {**one, "location": "US-KS-2", "price": "0.69"},
        {**one, "location": "CA", "price": "0.77", "spot": "True"},  # above the secure price elsewhere
        {**one, "location": "SE", "price": "0.34", "spot": "True"},
        provider="runpod",
    )
    assert [(row.region, row.pricing, row.price_usd_per_hour) for row in rows] == [
        ("US-KS-2", "on_demand", 0.69), ("SE", "spot", 0.34),
    ]  # fmt: skip
    assert reason(refused, "spot price above") == [[3]]


def test_runpods_counts_of_one_type_are_types_of_their_own(take):
    one = {"instance_name": "NVIDIA H200", "gpu_name": "H200", "gpu_memory": "141.0", "location": "US-KS-2"}
    rows, _ = take(
        {**one, "gpu_count": "1", "price": "3.99"}, {**one, "gpu_count": "2", "price": "7.98"}, provider="runpod"
    )
    assert [(row.instance_type, row.accelerator_count) for row in rows] == [("NVIDIA H200", 1), ("2x NVIDIA H200", 2)]


def test_zones_of_google_are_one_region_at_the_dearest_price(take):
    zone = {"instance_name": "a3-highgpu-8g", "spot": "True"}
    rows, refused = take(
        *({**zone, "location": f"us-central1-{z}", "price": price} for z, price in (("a", "30.5"), ("b", "31.25"), ("c", "29"))),
        provider="gcp",
    )  # fmt: skip
    assert [(row.region, row.price_usd_per_hour, refused) for row in rows] == [("us-central1", 31.25, {})]
    assert rows[0].source.endswith(DEAREST)


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ({"price": ""}, "not sold"),
        ({"price": "0.0"}, "not sold"),
        ({"price": "-2"}, "negative"),
        ({"price": "free"}, "column price"),
        ({"gpu_count": "0.5"}, "share of an accelerator"),
        ({"instance_name": "gr6f.4xlarge", "gpu_count": "1"}, "share of an accelerator"),
        ({"gpu_name": ""}, "gpu_name"),
        ({"spot": "maybe"}, "column spot"),
        ({"spot": ""}, "column spot"),
        ({"instance_name": ""}, "instance_name"),
    ],
)
def test_a_wrong_row_costs_that_row_alone(take, cells, word):
    rows, refused = take({}, cells, {"location": "b"})
    assert [row.region for row in rows] == ["us-east-1", "b"]
    assert reason(refused, word) == [[3]]


def test_a_column_of_providers_is_used_and_can_be_chosen_from(take):
    rows = ({"provider": "aws"}, {"provider": "lambdalabs", "location": "us-west-1"}, {"provider": ""})
    taken, refused = take(*rows, provider=None)
    assert [row.provider for row in taken] == ["aws", "lambda"]
    assert reason(refused, "provider") == [[4]]
    taken, refused = take(*rows[:2], provider="lambdalabs")
    assert [row.provider for row in taken] == ["lambda"]
    assert reason(refused, "another provider") == [[2]]


def test_without_such_a_column_the_provider_must_be_given(take):
    with pytest.raises(UsageError, match="--provider"):
        take({}, provider=None)
    with pytest.raises(UsageError, match="--provider 'a b': a provider is written in small letters"):
        take({}, provider="a b")


def test_other_currencies_are_refused(take):
    rows, refused = take(
        {"Currency": "EUR"}, {"Currency": "usd", "location": "b"}, {"Currency": "", "location": "c"},
        columns=(*CELLS, "Currency"),
    )  # fmt: skip
    assert [row.region for row in rows] == ["b", "c"]
    assert reason(refused, "USD") == [[2]]


@pytest.mark.parametrize("as_of", ["2026-11-27", "2027", "yesterday", "unknown", "", "2026-02-30", "20261120"])
def test_a_date_that_is_none_or_yet_to_come_is_refused(take, as_of):
    with pytest.raises(UsageError, match="--as-of"):
        take({}, as_of=as_of)


def test_a_file_of_which_nothing_can_be_taken_says_why(take):
    with pytest.raises(PriceError, match=r"no price can be taken: 2: no price .*\(rows 2, 3\)"):
        take({"price": ""}, {"price": "0"})
