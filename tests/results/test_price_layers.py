"""A user's own price wins over the shipped one, also where it leaves region or memory open."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.prices_import import import_command
from results.errors import PriceError
from results.price_layers import load_layers, table_to_write
from results.price_row import PriceRow
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
        assert match.match_rule == ("exact_type" if asked or not region else "type_any_region")
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


def test_the_nominal_memory_of_ones_own_row_is_the_usable_one_of_the_shipped(tmp_path, monkeypatch) -> None:
    row = "aws,us-east-1,g6.xlarge,L4,1,24,4,16,on_demand,0.50,instance,2026-10-20,my bill"
    table = layers(tmp_path, monkeypatch, row)
    for asked in (None, "us-east-1"):
        assert find(table, "aws", "g6.xlarge", asked, accelerator_memory_gib=22.4).row.source == "my bill"
    # The listed price of us-east-1 is gone from the table, not just passed over: the market must not count both.
    there = [r.source for r in table.rows if (r.instance_type, r.region) == ("g6.xlarge", "us-east-1")]
    assert there == ["my bill"]


def test_what_one_pays_somewhere_comes_before_what_others_ask_in_a_main_region(tmp_path, monkeypatch) -> None:
    row = "aws,eu-central-1,g6.xlarge,L4,1,24,4,16,on_demand,0.50,instance,2026-10-20,my bill"
    match = find(layers(tmp_path, monkeypatch, row), "aws", "g6.xlarge")
    assert (match.row.region, match.row.source) == ("eu-central-1", "my bill")
    assert "no --region was given: eu-central-1 was chosen" in match.note


def test_a_contract_for_all_regions_wins_over_older_rows_of_one_region(tmp_path, monkeypatch) -> None:
    rows = [
        "aws,us-east-1,c7i.4xlarge,,0,,16,32,on_demand,0.90,instance,2026-06-01,old catalogue",
        "aws,,c7i.4xlarge,,0,,16,32,on_demand,0.50,instance,2026-11-25,contract",
    ]
    for asked in (None, "us-east-1", "eu-west-1"):
        assert find(layers(tmp_path, monkeypatch, *rows), "aws", "c7i.4xlarge", asked).row.source == "contract"
    newer = [rows[0].replace("2026-06-01", "2026-11-25"), rows[1].replace("2026-11-25", "2026-06-01")]
    assert find(layers(tmp_path, monkeypatch, *newer), "aws", "c7i.4xlarge", "us-east-1").row.source == "old catalogue"


def test_rows_of_ones_own_that_are_not_taken_are_told(tmp_path, monkeypatch) -> None:
    row = "aws,us-east-1,p5.48xlarge,H100,8,80,192,2048,spot,20,instance,2026-10-20,my spot"
    note = find(layers(tmp_path, monkeypatch, row), "aws", "p5.48xlarge", "us-east-1").note
    assert "a price of your own was not taken, for it is another one: spot per instance, us-east-1" in note


def test_the_newer_price_that_is_stood_in_for_is_of_the_same_region(tmp_path, monkeypatch) -> None:
    row = "azure,,Standard_NC4as_T4_v3,T4,1,16,4,28,on_demand,0.4,instance,2025-01-01,contract"
    table = layers(tmp_path, monkeypatch, row)
    for region, usd in (("eastus", "0.526"), ("australiaeast", "0.684"), (None, "0.526")):
        note = find(table, "azure", "Standard_NC4as_T4_v3", region).note
        assert f"stands in for a newer one: ${usd} of 2026-06-18" in note


def test_kinds_of_pricing_are_of_the_same_host(tmp_path, monkeypatch) -> None:
    rows = [
        "x,r,big,H100,1,80,32,200,on_demand,2.27,accelerator,2026-10-01,s",
        "x,r,big,H100,1,80,28,180,spot,1.20,accelerator,2026-10-01,s",
        "x,r,big,H100,1,80,32,200,spot,0.79,accelerator,2026-10-01,s",
    ]
    found = find(layers(tmp_path, monkeypatch, *rows), "x", "big", "r").prices_by_pricing
    assert (found["on_demand"], found["spot"], found["reserved_1y"]) == (2.27, 0.79, None)
    assert find(layers(tmp_path, monkeypatch, *rows[:2]), "x", "big", "r").prices_by_pricing["spot"] is None


def test_of_catalogues_the_newer_price_counts_and_a_contract_comes_before_both(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    folder = tmp_path / "chipmark"
    folder.mkdir()
    catalogue = "aws,us-east-1,g6.xlarge,L4,1,22.4,4,16,on_demand,{},instance,{},fetched"

    def imported(usd, as_of):
        (folder / "imported-prices.csv").write_text(f"{HEADER}\n{catalogue.format(usd, as_of)}\n")
        return find(load_layers(), "aws", "g6.xlarge", "us-east-1")

    older = imported(0.7, "2026-01-01")
    assert (older.layer, older.row.price_usd_per_hour, older.note) == ("shipped", 0.8048, "")
    newer = imported(0.7, "2026-10-01")
    assert (newer.layer, newer.row.price_usd_per_hour, newer.note) == ("imported", 0.7, "")
    elsewhere = catalogue.replace("us-east-1", "eu-1")
    (folder / "imported-prices.csv").write_text(f"{HEADER}\n{elsewhere.format(0.2, '2026-10-01')}\n")
    assert find(load_layers(), "aws", "g6.xlarge").row.region == "us-east-1", "a catalogue is not what one pays"
    (folder / "prices.csv").write_text(f"{HEADER}\n{catalogue.replace('us-east-1', '').format(0.5, '2025-01-01')}\n")
    assert imported(0.7, "2026-10-01").row.price_usd_per_hour == 0.5


def test_importing_touches_no_price_that_was_written_by_hand(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    (tmp_path / "chipmark").mkdir()
    own = f"{HEADER}\naws,us-east-1,c7i.4xlarge,,0,,16,32,on_demand,0.5,instance,2026-01-01,contract\n"
    (tmp_path / "chipmark" / "prices.csv").write_text(own)
    catalogue = tmp_path / "vms.csv"
    catalogue.write_text("InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch\n"
                         "c7i.4xlarge,,,16,32,,0.72,0.3,us-east-1,us-east-1a,x86_64\n")  # fmt: skip
    done = CliRunner().invoke(import_command, [str(catalogue), "--provider", "aws", "--as-of", "2026-11-01"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "chipmark" / "prices.csv").read_text() == own
    assert find(load_layers(), "aws", "c7i.4xlarge").row.price_usd_per_hour == 0.5
    assert find(load_layers(), "aws", "c7i.4xlarge", pricing="spot").layer == "imported"


def test_a_user_without_a_home_has_the_shipped_table(monkeypatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "CHIPMARK_PRICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    assert find(load_layers(), "aws", "p5.48xlarge", "us-east-1").row.price_usd_per_hour == 55.04
    with pytest.raises(PriceError, match="no home directory to keep prices in: give --out FILE"):
        table_to_write(None)
    assert table_to_write(Path("mine.csv")) == Path("mine.csv")
