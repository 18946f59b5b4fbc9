"""Facts about the shipped price and device tables that were established independently of them."""

from __future__ import annotations

import csv
import statistics

import pytest

from results.configs import config_path
from results.pricing import find, load_prices

TABLE = load_prices()


def price(name, pricing="on_demand", region=None):
    provider, instance_type = name.split(":")
    return find(TABLE, provider, instance_type, region, pricing).row.price_usd_per_hour


def row(name, region=None):
    return find(TABLE, *name.split(":"), region).row


def test_p5_is_eight_times_its_eighth():
    whole = row("aws:p5.48xlarge")
    assert (whole.accelerator, whole.accelerator_count, whole.accelerator_memory_gib) == ("H100", 8, 80.0)
    assert (whole.vcpus, whole.memory_gib, whole.price_usd_per_hour) == (192, 2048.0, 55.04)
    assert whole.price_usd_per_hour / 8 == price("aws:p5.4xlarge") == 6.88


def test_trainium_is_linear_in_chips():
    assert row("aws:trn1.32xlarge").accelerator_count == 16
    assert price("aws:trn1.32xlarge") / 16 == price("aws:trn1.2xlarge") == 1.34375
    assert price("aws:trn1n.32xlarge") / price("aws:trn1.32xlarge") == pytest.approx(1.1526, abs=5e-5)


def test_inferentia_is_not_linear_in_chips():
    large = row("aws:inf2.48xlarge", "us-east-1")
    assert (large.accelerator_count, large.price_usd_per_hour) == (12, 12.98127)
    assert large.price_usd_per_hour / 12 > price("aws:inf2.xlarge", region="us-east-1") == 0.7582


def test_the_same_accelerator_at_four_prices():
    assert row("aws:g6.xlarge").accelerator_count == row("aws:g6.16xlarge").accelerator_count == 1
    assert price("aws:g6.16xlarge") / price("aws:g6.xlarge") == pytest.approx(4.22, abs=5e-3)


@pytest.mark.parametrize("family", ["a2-highgpu", "a3-highgpu", "a2-ultragpu"])
def test_gcp_families_are_linear(family):
    region = "us-central1"
    assert price(f"gcp:{family}-8g", region=region) / price(f"gcp:{family}-1g", region=region) == pytest.approx(
        8, abs=1e-6
    )


def test_t4_costs_the_same_at_two_providers():
    assert price("aws:g4dn.xlarge") == 0.526
    azure = [
        r for r in TABLE.rows if r.provider == "azure" and r.region == "eastus" and "NC4as_T4_v3" in r.instance_type
    ]
    assert {r.price_usd_per_hour for r in azure} == {0.526}


def test_mi300x():
    azure = [r for r in TABLE.rows if "ND96isr_MI300X_v5" in r.instance_type and r.region == "eastus2"]
    assert [(r.price_usd_per_hour, r.accelerator_count) for r in azure] == [(48.0, 8)]
    assert price("oci:MI300X") == 6.0 == azure[0].price_usd_per_hour / 8
    assert price("digitalocean:AMD MI300X") == 1.99


def test_spot_is_never_dearer_than_on_demand():
    # 404 spot rows; 376 of them have an on-demand price of the same provider, region, type, hardware and unit. The
    # lowest ratio known, 0.10 (trn1.32xlarge in us-east-2), is of a source without a licence, and not shipped.
    def key(r):
        return (r.provider, r.region, r.instance_type, r.accelerator_memory_gib, r.vcpus, r.memory_gib, r.unit)

    on_demand = {key(r): r.price_usd_per_hour for r in TABLE.rows if r.pricing == "on_demand"}
    ratios = [
        r.price_usd_per_hour / on_demand[key(r)] for r in TABLE.rows if r.pricing == "spot" and key(r) in on_demand
    ]
    assert sum(r.pricing == "spot" for r in TABLE.rows) == 404
    assert len(ratios) == 376
    assert 0.10 <= min(ratios) < max(ratios) <= 1
    assert round(statistics.median(ratios), 2) == 0.44


def test_p4d_and_other_aws_prices():
    # Reserved prices (p4d 13.9211 and 9.3742, p5 23.7773) have no source with a licence: there must be none, and
    # none may be made up.
    assert not [r for r in TABLE.rows if r.pricing.startswith("reserved")]
    assert find(TABLE, "aws", "p4d.24xlarge", "us-east-1").prices_by_pricing["reserved_1y"] is None
    assert price("aws:p4d.24xlarge", region="us-east-1") == 21.957642
    b200 = {r.price_usd_per_hour / r.accelerator_count for r in TABLE.rows
            if r.provider == "aws" and r.accelerator == "B200" and r.pricing == "on_demand"}  # fmt: skip
    assert b200 == {113.9328 / 8}
    assert round(113.9328 / 8, 4) == 14.2416
    assert price("aws:p5en.48xlarge", region="us-east-1") == 63.296
    assert 63.296 / row("aws:p5en.48xlarge").accelerator_count == pytest.approx(7.912, rel=1e-12)


def test_h100_order_of_providers():
    # Nebius (2.95) is only in a source without a licence.
    assert not [r for r in TABLE.rows if r.provider == "nebius"]
    azure = [r for r in TABLE.rows if r.provider == "azure" and r.accelerator == "H100" and r.region == "eastus"
             and r.accelerator_count == 8 and r.pricing == "on_demand"]  # fmt: skip
    gcp = price("gcp:a3-highgpu-8g", region="us-central1") / 8
    azure_price = min(r.price_usd_per_hour for r in azure) / 8
    assert price("aws:p5.48xlarge") / 8 < price("oci:H100") < gcp < azure_price
    assert (price("aws:p5.48xlarge") / 8, price("oci:H100")) == (6.88, 10.0)
    assert (round(gcp, 2), round(azure_price, 2)) == (11.06, 12.29)


def test_every_row():
    for r in TABLE.rows:
        assert 0 < r.price_usd_per_hour < 1000
        assert r.unit in ("instance", "accelerator", "chip")
        assert (r.unit == "chip") == (r.accelerator or "").startswith("TPU")
        assert (r.accelerator is None) == (r.accelerator_count == 0)
    assert len(TABLE.rows) == 1639


def test_the_founding_prices_agree_with_a_catalogue_row():
    founding = [r for r in TABLE.rows if r.source.startswith("founding article")]
    assert len(founding) == 6
    for seed in founding:
        catalogue = [
            r for r in TABLE.rows
            if r.accelerator == seed.accelerator and r.pricing == "on_demand" and r is not seed
            and (r.instance_type == seed.instance_type or r.unit == "chip") and r.as_of != "unknown"
        ]  # fmt: skip
        assert any(abs(r.price_usd_per_hour - seed.price_usd_per_hour) <= 0.005 for r in catalogue), seed.instance_type


@pytest.mark.parametrize(("name", "vcpus", "memory_gib", "usd"), [
    ("c7i.4xlarge", 16, 32.0, 0.714), ("c3.xlarge", 4, 7.5, 0.21), ("m7i.xlarge", 4, 16.0, 0.2016),
    ("c7g.xlarge", 4, 8.0, 0.145),
])  # fmt: skip
def test_cpu_instances(name, vcpus, memory_gib, usd):
    found = row(f"aws:{name}")
    assert (found.vcpus, found.memory_gib, found.price_usd_per_hour, found.accelerator) == (
        vcpus,
        memory_gib,
        usd,
        None,
    )


def test_every_type_can_be_found():
    for provider, instance_type, pricing in {(r.provider, r.instance_type, r.pricing) for r in TABLE.rows}:
        match = find(TABLE, provider, instance_type, pricing=pricing)
        assert match.row.pricing == pricing
        assert match.prices_by_pricing[pricing] == match.row.price_usd_per_hour


def test_the_tables_speak_of_their_sources_alone():
    for name in ("prices.csv", "devices.csv", "prices-sources.md", "devices-sources.md"):
        text = config_path(name).read_text()
        assert not any(word in text for word in ("/work", "/tmp/", "search corpus", "seed article"))


def test_devices():
    with config_path("devices.csv").open(newline="") as file:
        devices = list(csv.DictReader(file))
    assert len({d["device"] for d in devices}) == len(devices) == 78
    peaks = [name for name in devices[0] if name.endswith(("_tflops", "_tops"))]
    for d in devices:
        assert None not in d.values()
        assert d["confidence"] in ("high", "medium", "low", "none")
        assert bool(d["source"]) == (d["confidence"] != "none")
        assert all(float(d[name]) > 0 for name in peaks if d[name])
        assert d["confidence"] != "none" or not any(d[name] for name in peaks)
    h100 = next(d for d in devices if d["device"] == "H100")
    assert (h100["bf16_tflops"], h100["fp8_tflops"], h100["memory_gib"]) == ("989", "1979", "80")
