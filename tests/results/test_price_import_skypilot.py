"""What is known to be wrong in SkyPilot's catalogues: repaired where it is sure, else refused or left blank."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from results.errors import PriceError
from results.price_import import DEAREST, import_prices
from results.price_import_skypilot import MAX_INFO_CHARS

TODAY = date(2026, 11, 25)
CELLS = {
    "InstanceType": "p5.48xlarge", "AcceleratorName": "H100", "AcceleratorCount": "8.0", "vCPUs": "192.0",
    "MemoryGiB": "2048.0", "GpuInfo": "", "Price": "55.04", "SpotPrice": "", "Region": "us-east-1",
    "AvailabilityZone": "us-east-1a", "Arch": "x86_64",
}  # fmt: skip


def info(size, total=None, quote="'"):
    """A GpuInfo as most clouds write it; with double quotes it is JSON."""
    text = (
        f"{{'Gpus': [{{'Name': 'x', 'MemoryInfo': {{'SizeInMiB': {size}}}}}], 'TotalGpuMemoryInMiB': {total or size}}}"
    )
    return text.replace("'", quote)


@pytest.fixture
def take(tmp_path):
    """Import rows that differ from CELLS: (rows, {reason: lines})."""

    def taken(*rows, provider="aws", columns=tuple(CELLS)):
        file = tmp_path / "vms.csv"
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([{**CELLS, **row}[name] for name in columns] for row in rows)
        found = import_prices(file, "2026-11-20", TODAY, provider=provider)
        return found.rows, {refusal.reason: refusal.lines for refusal in found.refused}

    return taken


def only(result):
    rows, refused = result
    assert (len(rows), refused) == (1, {})
    return rows[0]


def reason(refused, word):
    return [lines for text, lines in refused.items() if word in text]


def test_a_row_is_stored_as_it_stands(take):
    row = only(take({"GpuInfo": info(81920, 8 * 81920)}))
    assert [getattr(row, name) for name in row.__struct_fields__] == [
        "aws", "us-east-1", "p5.48xlarge", "H100", 8, 80.0, 192, 2048.0, "on_demand", 55.04, "instance",
        "2026-11-20", "skypilot catalogue vms.csv, fetched 2026-11-20",
    ]  # fmt: skip


def test_the_order_of_columns_is_free(take):
    columns = ("Region", "SpotPrice", "Price", "AcceleratorCount", "InstanceType", "AcceleratorName")
    rows, _ = take({"SpotPrice": "20.5"}, columns=columns)
    assert [(row.pricing, row.price_usd_per_hour, row.region, row.vcpus) for row in rows] == [
        ("on_demand", 55.04, "us-east-1", None), ("spot", 20.5, "us-east-1", None),
    ]  # fmt: skip


def test_trainium2_at_524288_mib_has_96_gib(take):
    trn2 = {"InstanceType": "trn2.48xlarge", "AcceleratorName": "Trainium2", "AcceleratorCount": "16"}
    assert only(take({**trn2, "GpuInfo": info(524_288)})).accelerator_memory_gib == 96.0
    # Another wrong figure is not the known one.
    row = only(take({**trn2, "GpuInfo": info(262_144)}))
    assert row.accelerator_memory_gib is None
    assert "memory left blank: 256 GiB is not that of Trainium2" in row.source


def test_shadeform_holds_gb_for_mib(take):
    row = only(take({"GpuInfo": info(80, 640)}, provider="shadeform"))
    assert row.accelerator_memory_gib == 80.0
    # 80 MiB elsewhere is no H100.
    row = only(take({"GpuInfo": info(80, 640)}))
    assert row.accelerator_memory_gib is None
    assert "memory left blank" in row.source


def test_vast_holds_the_memory_of_all_gpus_and_the_host_that_was_asked_for(take):
    wanted = {
        "AcceleratorName": "RTX4090",
        "AcceleratorCount": "4",
        "vCPUs": "32",
        "MemoryGiB": "64",
        "SpotPrice": "0.00",
    }
    row = only(take({**wanted, "GpuInfo": info(98_256, 98_256)}, provider="vast"))  # 4 x 24,564 MiB
    assert (row.accelerator_memory_gib, row.vcpus, row.memory_gib, row.pricing) == (24.0, None, None, "on_demand")
    row = only(take({**wanted, "GpuInfo": info(24_564, 98_256)}, provider="vast"))
    assert row.accelerator_memory_gib is None
    assert "of one or of all" in row.source


@pytest.mark.parametrize("quote", ["'", '"'])
def test_gpu_info_is_a_python_literal_or_json(take, quote):
    assert only(take({"GpuInfo": info(81920, quote=quote)})).accelerator_memory_gib == 80.0


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('false')",
        "{'Gpus': [{'MemoryInfo': {'SizeInMiB': __import__('os').getpid()}}]}",
        "[" * 4000,
        "-" * 4000 + "1",
        "{'Gpus': []}",
        "{'Gpus': 3}",
        "nan",
        "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 1e999}}]}",
        "{'Gpus': [{'MemoryInfo': {'SizeInMiB': True}}]}",
        "{'Gpus': [{'MemoryInfo': {'SizeInMiB': -81920}}]}",
        info(81920) + " " * MAX_INFO_CHARS,
        "'\\d'",
    ],
)
def test_other_gpu_info_says_nothing_and_runs_nothing(take, text):
    row = only(take({"GpuInfo": text}))
    assert (row.accelerator_memory_gib, row.price_usd_per_hour) == (None, 55.04)


def test_blank_and_zero_prices_are_not_sold(take):
    rows, refused = take({}, {"Price": ""}, {"Price": "0.00", "SpotPrice": "0"})
    assert len(rows) == 1
    assert reason(refused, "not sold") == [[3, 4]]


def test_a_blank_price_does_not_cost_the_spot_price(take):
    row = only(take({"Price": "", "SpotPrice": "12.5"}))
    assert (row.pricing, row.price_usd_per_hour) == ("spot", 12.5)


def test_a_spot_price_above_the_on_demand_price_is_dropped(take):
    rows, refused = take({"SpotPrice": "55.05"}, {"Region": "b", "SpotPrice": "55.04"})
    assert [(row.region, row.pricing) for row in rows] == [
        ("us-east-1", "on_demand"),
        ("b", "on_demand"),
        ("b", "spot"),
    ]
    assert reason(refused, "spot price above") == [[2]]


def test_a_wrong_spot_price_of_one_zone_does_not_cost_that_of_another(take):
    rows, refused = take({"SpotPrice": "60"}, {"SpotPrice": "20.5", "AvailabilityZone": "us-east-1b"})
    assert [(row.pricing, row.price_usd_per_hour) for row in rows] == [("on_demand", 55.04), ("spot", 20.5)]
    assert reason(refused, "spot price above") == [[2]]


def test_one_mistake_is_one_reason_whatever_its_values(take):
    rows, refused = take({}, *({"Price": str(price)} for price in (8000, 8001.5, 1e9)))
    assert (len(rows), list(refused.values())) == (1, [[3, 4, 5]])


@pytest.mark.parametrize(
    "cells",
    [
        {"AcceleratorCount": "0.5"},
        {"InstanceType": "g6f.xlarge", "AcceleratorCount": "1"},
        {"InstanceType": "gr6f.4xlarge", "AcceleratorCount": "1"},
        {"InstanceType": "g4-standard-24", "AcceleratorCount": "1"},
        {"InstanceType": "Standard_NV6ads_A10_v5", "AcceleratorCount": "1"},
    ],
)
def test_shares_of_an_accelerator_are_refused(take, cells):
    rows, refused = take({}, cells)
    assert (len(rows), reason(refused, "share of an accelerator")) == (1, [[3]])


def test_the_whole_of_a_family_with_shares_is_taken(take):
    whole = {"AcceleratorName": "A10", "AcceleratorCount": "1"}
    assert only(take({"InstanceType": "Standard_NV36ads_A10_v5", **whole})).accelerator == "A10"


def test_of_several_zones_the_dearest_is_taken_and_said(take):
    rows, refused = take(*({"SpotPrice": spot, "AvailabilityZone": spot} for spot in ("20", "25.5", "22")))
    assert [(row.pricing, row.price_usd_per_hour) for row in rows] == [("on_demand", 55.04), ("spot", 25.5)]
    assert refused == {}
    assert not rows[0].source.endswith(DEAREST)
    assert rows[1].source.endswith(DEAREST)
    assert rows[1].source.count(DEAREST) == 1


@pytest.mark.parametrize("column", ["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"])
def test_an_old_schema_names_the_column_that_it_lacks(take, column):
    with pytest.raises(PriceError, match=rf"vms\.csv: row 1: .*{column}"):
        take({}, columns=[name for name in CELLS if name != column])


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ({"Price": "-1"}, "column Price: negative"),
        ({"Price": "$5"}, "column Price: not a plain number"),
        ({"Price": "1_0"}, "column Price: not a plain number"),
        ({"Price": "nan"}, "column Price: not a plain number"),
        ({"Price": "1e999"}, "column Price: not a plain number"),
        ({"Price": "8000"}, "price_usd_per_hour"),  # 1,000 dollars an hour of one
        ({"InstanceType": ""}, "accelerators alone"),
        ({"InstanceType": "a\tb"}, "instance_type"),
        ({"Region": ""}, "no region"),
        ({"AcceleratorName": ""}, "AcceleratorCount"),
        ({"AcceleratorCount": "many"}, "AcceleratorCount"),
    ],
)
def test_a_wrong_row_costs_that_row_alone(take, cells, word):
    rows, refused = take({}, cells, {"Region": "b"})
    assert [row.region for row in rows] == ["us-east-1", "b"]
    assert reason(refused, word) == [[3]]


def test_names_become_ours_and_unknown_ones_stay(take):
    rows, _ = take(
        {"Region": "a", "AcceleratorName": "A100", "GpuInfo": info(40960)},
        {"Region": "b", "AcceleratorName": "A100", "GpuInfo": info(81920)},
        {"Region": "c", "AcceleratorName": "A100-80GB", "GpuInfo": info(40960)},
        {"Region": "d", "AcceleratorName": "Gaudi HL-205", "GpuInfo": info(32768)},
        {"Region": "e", "AcceleratorName": "Abacus-9", "GpuInfo": info(5120)},
        {"Region": "f", "AcceleratorName": "T4", "GpuInfo": info(15360)},  # what a driver shows of 16 GiB
    )
    assert [(row.accelerator, row.accelerator_memory_gib) for row in rows] == [
        ("A100", 40.0), ("A100-80GB", 80.0), ("A100-80GB", None), ("Gaudi", 32.0), ("Abacus-9", 5.0), ("T4", 16.0),
    ]  # fmt: skip


@pytest.mark.parametrize("shared_name", ["", "TPU-VM"])
def test_a_tpu_slice_is_counted_in_chips(take, shared_name):
    slice_of = {"InstanceType": shared_name, "AcceleratorCount": "1", "vCPUs": "", "MemoryGiB": ""}
    rows, refused = take(
        {**slice_of, "AcceleratorName": "tpu-v5p-8", "Price": "16.8"},  # 8 cores are 4 chips
        {**slice_of, "AcceleratorName": "tpu-v5litepod-8", "Price": "9.6"},
        {**slice_of, "AcceleratorName": "tpu-v6e-4", "Price": "700.0"},
        {**slice_of, "AcceleratorName": "tpu-v5p-8", "AcceleratorCount": "3"},
        {**slice_of, "AcceleratorName": "tpu-v5p-8", "InstanceType": "ct5p-hightpu-4t"},
        provider="gcp",
    )
    assert [(row.instance_type, row.accelerator, row.accelerator_count, row.accelerator_memory_gib) for row in rows] == [
        ("v5p-8", "TPU-v5p", 4, 95.0), ("v5litepod-8", "TPU-v5e", 8, 16.0),
    ]  # fmt: skip
    assert rows[0].price_usd_per_hour / rows[0].accelerator_count == pytest.approx(4.20)
    assert reason(refused, "stand-in") == [[4]]
    assert reason(refused, "does not go with the TPU slice") == [[5]]
    assert reason(refused, "whose price it is cannot be told") == [[6]]


def test_googles_hosts_without_their_accelerators_are_refused(take):
    host = {"InstanceType": "a3-highgpu-8g", "AcceleratorName": "", "AcceleratorCount": "", "Price": "9"}
    cpu = {**host, "InstanceType": "n2-standard-8", "Price": "0.39"}
    rows, refused = take(host, cpu, {"InstanceType": ""}, provider="gcp")
    assert [(row.instance_type, row.accelerator, row.accelerator_count) for row in rows] == [("n2-standard-8", None, 0)]
    assert reason(refused, "host alone") == [[2]]
    assert reason(refused, "accelerators alone") == [[4]]
