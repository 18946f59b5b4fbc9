"""The range of what is asked for an accelerator, worked out by hand."""

from __future__ import annotations

import msgspec
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
    # The median is of 10, 4 and 3; the least is the 1 each of eu-1.
    assert (found.usd_per_hour_min, found.usd_per_hour_median, found.usd_per_hour_max) == (1.0, 4.0, 10.0)
    assert (found.num_offers, found.num_providers) == (3, 2)
    assert (found.oldest_as_of, found.newest_as_of) == ("unknown", "2026-07-02")
    assert found.least_offer == "a big, eu-1, as of 2026-07-02"
    assert found.most_offer == "a big, us-east-1, as of 2026-07-01"
    assert found.note == "3 of 3 offers do not say SXM, PCIe or NVL; 1 of 3 offers are of unknown date"
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
    assert market(table(*rows), "H100").usd_per_hour_median == 5.0
    assert market(table(*reversed(rows)), "H100").usd_per_hour_median == 5.0


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
    # Azure's eight in australiaeast, 142.6 an hour.
    assert found.usd_per_hour_max == 142.6 / 8 == 17.825
    assert found.most_offer == "azure Standard_ND96isr_H100_v5, australiaeast, as of 2026-06-18"
    assert found.num_providers > 10


def test_the_words_of_the_type_say_which_part_it_is(table):
    prices = table(
        ("a", "r", "A100 PCIe (secure)", 1, 1, "2026-07-01"),
        ("a", "r", "A100 SXM", 1, 2, "2026-07-01"),
        ("a", "r", "A100", 1, 3, "2026-07-01"),
        accelerator="A100-80GB",
    )
    assert market(prices, "A100-PCIe-80GB").usd_per_hour_max == 1.0
    found = market(prices, "A100-80GB")
    assert (found.usd_per_hour_min, found.note) == (2.0, "1 of 2 offers do not say SXM, PCIe or NVL")


def test_a_price_without_its_machine_is_left_out_and_counted():
    shipped = load_prices()
    found = market(shipped, "V100")
    assert "nvidia-tesla-v100" in {row.instance_type for row in shipped.rows}
    assert "1 more left out: the machine costs extra" in found.note
    assert market(shipped, "V100", provider="gcp") is None


def test_the_median_takes_what_a_user_pays_and_prices_per_accelerator_are_counted(table):
    below = table(("a", "us-east-1", "t", 1, 9, "2026-07-01"), ("b", "", "u", 1, 5, "2026-07-01"))
    rows = [row if row.provider == "a" else msgspec.structs.replace(row, unit="accelerator") for row in below.rows]
    own = msgspec.structs.replace(rows[0], region="eu-1", price_usd_per_hour=3.0)
    both = below._replace(rows=[*rows, own], layers=["shipped", "shipped", "user"])
    found = market(both, "H100")
    # 3 of the user's and 5; the 9 of the main region is still what is asked at most.
    assert (found.usd_per_hour_min, found.usd_per_hour_median, found.usd_per_hour_max) == (3.0, 4.0, 9.0)
    assert found.note.startswith("1 of 2 offers are priced per accelerator: a host may or may not be in; 2 of 2")
