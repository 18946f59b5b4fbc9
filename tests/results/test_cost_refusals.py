"""What ``chipmark cost`` does not take: each in one line that says what to do."""

from __future__ import annotations

import json

import click
import msgspec
import pytest

from harness.cli.cost import command as cost_command
from results.instance_record import Instance
from tests.results.cost_calls import BOX, C7I, call, cpu_run, price_file, refused
from tests.results.scorecard_example import h100_run


@pytest.fixture(autouse=True)
def no_prices_of_my_own(monkeypatch, tmp_path):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


BAD_VALUES = [
    *(("--utilisation", value) for value in ("0", "-0.5", "1.01", "nan", "inf", "1e400", "1e-400", "", "\u0661", "half", "1_0")),
    *(("--lost-fraction", value) for value in ("1", "-0.1", "nan")),
    *(("--run-steps", value) for value in ("0", "1.5", "1e30", "-3")),
    *(("--run-steps", "10", "--startup", value) for value in ("-1", "1h", "nan", "", "ms")),
    *(("--rank", "--max-latency", value) for value in ("0", "0ms", "fast", "5 m")),
    *(("--tariff", value) for value in ("0", "nan", "100")),
    *(("--tariff", "0.1", "--pue", value) for value in ("0.9", "4")),
    ("--run-steps", "5", "--goodput", "2"),
]  # fmt: skip


@pytest.mark.parametrize("options", BAD_VALUES, ids=" ".join)
def test_values_that_cannot_be(tmp_path, capfd, options):
    said = refused(capfd, cpu_run(tmp_path / "run"), "--instance", "aws:c7i.4xlarge", *options)
    assert options[-2].lstrip("-").replace("-", "_") in said.replace("-", "_")


@pytest.mark.parametrize(("options", "words"), [
    (("--run-steps", "5", "--run-tokens", "5"), "--run-steps does not go with --run-tokens"),
    (("--startup", "5"), "--startup needs --run-steps or --run-tokens"),
    (("--goodput", "1"), "--goodput needs --run-steps or --run-tokens"),
    (("--pue", "1"), "--pue needs --tariff"),
    (("--max-latency", "5"), "--max-latency needs --rank"),
    (("--rank", "--latency-percentile", "p50"), "--latency-percentile needs --max-latency"),
    (("--parameters", "7e9", "--chips", "8"), "--training-tokens is missing"),
    (("--efficiency", "0.5"), "--efficiency needs --training-tokens"),
    (("--scorecards", "--rank"), "--rank does not go with --scorecards"),
    (("--instance", "aws"), "write PROVIDER:TYPE"),
    (("--instance", "aws:c7i.4xlarge@"), "write PROVIDER:TYPE"),
    (("--instance", "aws:c7i.4xlarge,"), "write PROVIDER:TYPE"),
    (("--what-if", ":x"), "--what-if ':x': write PROVIDER:TYPE"),
    (("--instance", "aws:c7i.4xlrge"), "did you mean 'c7i.4xlarge'"),
    (("--instance", "asw:c7i.4xlarge"), "did you mean 'aws'"),
    (("--pricing", "spot"), "has no spot price"),
    (("--region", "moon"), "no on_demand price in region 'moon'"),
    (("--prices", "nowhere.csv"), "nowhere.csv"),
    (("--owned", "nowhere.toml"), "nowhere.toml"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line(tmp_path, capfd, options, words):
    assert words in refused(capfd, cpu_run(tmp_path / "run", C7I), *options)


def test_no_instance_on_a_cpu_is_an_error_that_says_what_to_give(tmp_path, capfd):
    run = cpu_run(tmp_path / "run", instance_reason="no cloud's marks were found")
    said = refused(capfd, run)
    assert "no instance is stored with this run (no cloud's marks were found)" in said
    assert "give --instance PROVIDER:TYPE" in said
    unknown = Instance(provider="vultr", evidence="DMI", reason="its metadata are not asked")
    said = refused(capfd, cpu_run(tmp_path / "other", unknown))
    assert "made at vultr, but its instance type is not known (its metadata are not asked)" in said


def test_a_stored_type_without_a_price_names_the_machine(tmp_path, capfd):
    run = cpu_run(tmp_path / "run", msgspec.structs.replace(C7I, instance_type="c7i.5xlarge"))
    said = refused(capfd, run)
    assert "says it was made on aws:c7i.5xlarge in us-east-1" in said
    assert "chipmark prices import" in said


@pytest.mark.parametrize("option", [("--rank",), ("--run-steps", "5"), ("--tariff", "0.1")])
def test_what_needs_one_price_is_not_asked_of_a_market(tmp_path, capfd, option):
    h100_run(tmp_path / "run")
    assert f"{option[0]} needs a single price" in refused(capfd, tmp_path / "run", *option)


def test_broken_price_files_and_runs(tmp_path, capfd, monkeypatch):
    run = cpu_run(tmp_path / "run", C7I)
    broken = price_file(tmp_path / "broken.csv", BOX, BOX.replace("3.6", "free"))
    said = refused(capfd, run, "--prices", broken)
    assert "broken.csv" in said
    assert "row 3" in said
    assert "price_usd_per_hour" in said
    monkeypatch.setenv("CHIPMARK_PRICES", str(broken))
    assert "broken.csv" in refused(capfd, run)
    # The run's own table is not lost for it.
    code, out, _ = call(capfd, "show", run)
    assert code == 0
    assert "no cost: the price table cannot be read" in " ".join(out.split())
    monkeypatch.delenv("CHIPMARK_PRICES")
    assert "no such run folder" in refused(capfd, tmp_path / "nowhere")
    file = run / "run.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps(stored | {"schema_version": 99}))
    assert "99" in refused(capfd, run)
    file.write_text("{")
    refused(capfd, run)


@pytest.mark.parametrize("options", [
    ["--utilisation", "5e-324"], ["--lost-fraction", "0.99999999999"], ["--run-tokens", "1e308"],
    ["--run-steps", "1", "--startup", "1e308"], ["--run-steps", "1", "--goodput", "5e-324"],
])  # fmt: skip
def test_numbers_past_all_sense_are_refused(options):
    with pytest.raises(click.UsageError):
        cost_command.make_context("cost", options)
