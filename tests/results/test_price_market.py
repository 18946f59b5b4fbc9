"""The range of what is asked for an accelerator, worked out by hand."""

from __future__ import annotations

import pytest

from results.price_market import market
from results.price_table import COLUMNS, load_prices

NAMES = ("provider", "region", "instance_type", "accelerator_count", "price_usd_per_hour", "as_of")


@pytest.fixture
def table(tmp_path):
    def built(*rows, accelerator="H100", memory_gib="80"):
        lines = []
        for values in rows:
            cells = dict(zip(NAMES, map(str, values), strict=True)) | {
                "accelerator": accelerator, "accelerator_memory_gib": memory_gib, "pricing": "on_demand",
                "unit": "instance", "source": "x",
            }  # fmt: skip
            lines.append(",".join(cells.get(name, "") for name in COLUMNS))
        file = tmp_path / "prices.csv"
        file.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
        return load_prices(file)

    return built


def test_a_range_by_hand(table):
    prices = table(
        ("a", "us-east-1", "big", 8, 80, "2026-07-01"),  # 10 each
        ("a", "eu-1", "big", 8, 8, "2026-07-02"),  # not the main region
        ("a", "us-east-1", "small", 1, 4, "2026-06-01"),  # 4, but an older one:
        ("a", "us-east-1", "small", 1, 2, "2025-06-01"),
        ("b", "", "pod", 2, 6, "unknown"),  # 3 each
    )
    found = market(prices, "H100")
    assert (found.usd_per_hour_min, found.usd_per_hour_median, found.usd_per_hour_max) == (3.0, 4.0, 10.0)
    assert (found.num_offers, found.num_providers) == (3, 2)
    assert (found.oldest_as_of, found.newest_as_of) == ("unknown", "2026-07-01")
    assert (found.pricing, found.provider, found.match_rule) == ("on_demand", None, "accelerator_only")
    assert found.table_sha256 == prices.sha256
    of_one = market(prices, "H100", provider="a")
    assert (of_one.num_offers, of_one.usd_per_hour_median, of_one.provider) == (2, 7.0, "a")


def test_of_regions_that_are_not_main_ones_the_first_by_name_counts(table):
    rows = [
        ("a", "ab", "t", 1, 9, "2026-07-01"),
        ("a", "a", "t", 1, 5, "2026-07-01"),
        ("a", "", "t", 1, 1, "2026-07-01"),
    ]
    assert market(table(*rows), "H100").usd_per_hour_max == 5.0
    assert market(table(*reversed(rows)), "H100").usd_per_hour_min == 5.0


def test_of_equally_new_ones_the_dearest_per_accelerator_counts(table):
    prices = table(("a", "r", "t", 8, 16, "2026-07-01"), ("a", "r", "t", 1, 3, "2026-07-01"))
    assert market(prices, "H100").usd_per_hour_max == 3.0


def test_memory_tells_accelerators_of_one_name_apart(table):
    prices = table(("a", "r", "t", 1, 3, "2026-07-01"), accelerator="A100", memory_gib="40")
    assert market(prices, "A100-40GB").usd_per_hour_max == 3.0
    assert market(prices, "A100-80GB") is None


@pytest.mark.parametrize("arguments", [("nothing",), ("H100", "spot"), ("H100", "on_demand", "nobody")])
def test_nobody_offers_it(table, arguments):
    assert market(table(("a", "r", "t", 1, 3, "2026-07-01")), *arguments) is None


def test_the_shipped_range_of_h100():
    found = market(load_prices(), "H100")
    assert found.usd_per_hour_min == 1.49
    # Azure's eight in eastus, 98.32 an hour.
    assert found.usd_per_hour_max == 98.32 / 8
    assert found.num_providers > 10
