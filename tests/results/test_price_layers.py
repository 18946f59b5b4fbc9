"""A user's own price wins over the shipped one, also where it leaves region or memory open."""

from __future__ import annotations

import pytest

from results.errors import PriceError
from results.price_row import PriceRow
from results.price_table import load_layers
from results.pricing import find

HEADER = ",".join(PriceRow.__struct_fields__)


def layers(tmp_path, monkeypatch, *rows):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    file = tmp_path / "mine.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    return load_layers(file)


@pytest.mark.parametrize("region", ["us-east-1", ""])
@pytest.mark.parametrize("memory", ["80", ""])
def test_a_price_that_leaves_region_or_memory_open_is_for_all_of_them(tmp_path, monkeypatch, region, memory) -> None:
    row = f"aws,{region},p5.48xlarge,H100,8,{memory},192,2048,on_demand,40.5,instance,2026-10-01,quotation 4711"
    table = layers(tmp_path, monkeypatch, row)
    for asked in (None, "us-east-1"):
        match = find(table, "aws", "p5.48xlarge", asked, accelerator_memory_gib=79.2)
        assert (match.row.price_usd_per_hour, match.layer, match.row.source) == (40.5, "given", "quotation 4711")
        assert match.match_rule == "exact_type"
    assert find(table, "aws", "p5.4xlarge").layer == "shipped"


def test_a_price_of_one_region_leaves_the_others(tmp_path, monkeypatch) -> None:
    row = "gcp,europe-west4,a3-highgpu-8g,H100,8,80,,,on_demand,50,instance,2026-10-01,quotation"
    table = layers(tmp_path, monkeypatch, row)
    assert find(table, "gcp", "a3-highgpu-8g", "europe-west4").row.price_usd_per_hour == 50
    assert find(table, "gcp", "a3-highgpu-8g", "us-central1").layer == "shipped"
    with pytest.raises(PriceError, match="no on_demand price in region 'mars'"):
        find(table, "gcp", "a3-highgpu-8g", "mars")


def test_an_older_price_of_ones_own_wins_and_says_so(tmp_path, monkeypatch) -> None:
    row = "aws,,p5.48xlarge,H100,8,,192,2048,on_demand,30,instance,2025-01-01,contract"
    match = find(layers(tmp_path, monkeypatch, row), "aws", "p5.48xlarge", "us-east-1")
    assert match.row.price_usd_per_hour == 30
    assert "stands in for a newer one: $55.04 of 2026-07-20" in match.note
