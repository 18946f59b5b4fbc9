"""``chipmark cost`` and the dollars of ``chipmark show``, as a user calls them."""

from __future__ import annotations

import csv
import io
import json

import click
import msgspec
import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.cli.cost import command as cost_command
from harness.cli.main import _run
from results.instance_record import Instance
from results.price_row import PriceRow
from results.render import header_lines
from results.store import StoredRun
from results.summary import run_summary
from tests.results.example_run import case, example_stored, run_info, store
from tests.results.scorecard_example import h100_run

C7I = Instance(provider="aws", instance_type="c7i.4xlarge", region="us-east-1", evidence="DMI")
COLUMNS = ",".join(PriceRow.__struct_fields__)
# 3.6 dollars an hour: 0.001 a second, so that dollars for a million are a thousand over the rate.
BOX = "me,cellar,box,,0,,16,64,on_demand,3.6,instance,2026-11-01,my bill"


@pytest.fixture(autouse=True)
def no_prices_of_my_own(monkeypatch, tmp_path):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def price_file(path, *rows):
    path.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    return path


def cpu_run(folder, instance=None, **changes):
    info, stored = example_stored()
    return store(folder, msgspec.structs.replace(info, instance=instance, **changes), stored).path


def call(capfd, *arguments):
    """Exit code, standard output and standard error of ``chipmark ...``."""
    code = _run([str(argument) for argument in arguments], debug=False)
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def cost_json(capfd, *arguments):
    code, out, err = call(capfd, "cost", *arguments, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def refused(capfd, *arguments):
    """The one line that a wrong command gets."""
    code, out, err = call(capfd, "cost", *arguments)
    assert (code, out) == (2, ""), (code, out, err)
    assert err.startswith("chipmark: error: ")
    assert err.count("\n") == 1
    return err


def test_a_rented_machine_needs_no_option(tmp_path, capfd):
    report = cost_json(capfd, cpu_run(tmp_path / "run", C7I))
    first = report["cases"][0]
    assert (first["basis"], first["price"]["row"]["instance_type"]) == ("rented_here", "c7i.4xlarge")
    # 400 sequences/s.
    assert first["usd_per_1m_items_billed"] == pytest.approx(0.714 / (3600 * 400) * 1e6, rel=1e-12)


def test_latest_is_the_default(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cpu_run(tmp_path / "chipmark-runs" / "one", C7I)
    assert cost_json(capfd)["runs"][0]["run"]["run_id"] == "20261122-101112-quick"


def test_a_table_on_top_and_every_option_of_use(tmp_path, capfd):
    mine = price_file(tmp_path / "mine.csv", BOX)
    report = cost_json(
        capfd, cpu_run(tmp_path / "run"), "--instance", "me:box", "--prices", mine, "--utilisation", "0.5",
        "--run-steps", "1e3", "--startup", "500ms", "--checkpoints", "9.5", "--goodput", "0.5",
    )  # fmt: skip
    train = report["cases"][0]
    # 1000/400 dollars at full use.
    assert train["usd_per_1m_items_billed"] == pytest.approx(5.0, rel=1e-12)
    assert (train["price"]["layer"], train["price"]["row"]["source"]) == ("given", "my bill")
    # 1000 steps at 50 a second, 0.5 s and 9.5 s: 30 s over 0.5, at 0.001 dollars a second.
    assert train["run_time_s"] == pytest.approx(60.0, rel=1e-12)
    assert train["usd_per_run_billed"] == pytest.approx(0.06, rel=1e-12)


def test_several_instances_with_regions(tmp_path, capfd):
    mine = price_file(tmp_path / "mine.csv", BOX, BOX.replace("cellar", "attic").replace("3.6", "7.2"))
    run = cpu_run(tmp_path / "run")
    named = ("--instance", "me:box@attic, me:box@cellar", "--instance", "me:box@attic")
    report = cost_json(capfd, run, "--prices", mine, *named)
    found = [
        (cost["price"]["row"]["region"], cost["usd_per_1m_items_billed"])
        for cost in report["cases"]
        if (cost["case"]["phase"], cost["status"], cost["case"]["workload"]) == ("train", "ok", "bert-encoder")
    ]
    # Twice the price; the name that is given twice is priced once.
    assert found == [("attic", pytest.approx(5.0)), ("cellar", pytest.approx(2.5))]


def test_an_unknown_accelerator_machine_gets_the_range_of_the_market(tmp_path, capfd):
    h100_run(tmp_path / "run")
    report = cost_json(capfd, tmp_path / "run")
    assert report["cases"] == []
    market = report["markets"][0]
    assert (market["market"]["accelerator"], market["market"]["match_rule"]) == ("H100", "accelerator_only")
    least, median, most = market["usd_per_1m_items"]
    assert least < median < most
    # 400 sequences/s.
    assert least == pytest.approx(market["market"]["usd_per_hour_min"] / (3600 * 400) * 1e6, rel=1e-12)
    assert market["label"].startswith("bert-encoder/tiny train")


@pytest.mark.parametrize(("provider", "asked"), [("runpod", "runpod"), ("hetzner", None)])
def test_a_provider_without_a_type_is_asked_first(tmp_path, capfd, provider, asked):
    summary = h100_run(tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    instance = {"provider": provider, "evidence": "environment"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"instance": instance}))
    report = cost_json(capfd, tmp_path / "run")
    assert {market["market"]["provider"] for market in report["markets"]} == {asked}
    assert len(report["markets"]) == len(summary.cases) == 3


def test_what_if_elsewhere(tmp_path, capfd):
    h100_run(tmp_path / "run")
    report = cost_json(capfd, tmp_path / "run", "--what-if", "aws:p5.48xlarge,aws:g6.xlarge")
    found = {cost["price"]["row"]["instance_type"]: cost for cost in report["cases"]}
    assert {cost["basis"] for cost in report["cases"]} == {"what_if"}
    assert found["p5.48xlarge"]["headline"] == "attributed"
    assert found["g6.xlarge"]["headline"] is None
    assert found["g6.xlarge"]["reason"]


def test_several_instances_of_one_run_do_not_get_round_the_refusal(tmp_path, capfd):
    h100_run(tmp_path / "run")
    report = cost_json(capfd, tmp_path / "run", "--instance", "aws:p5.48xlarge,aws:g6.xlarge", "--rank")
    found = {
        (cost["price"]["row"]["instance_type"], cost["headline"], bool(cost["reason"])) for cost in report["cases"]
    }
    assert found == {("p5.48xlarge", "attributed", False), ("g6.xlarge", None, True)}
    first = [
        report["cases"][rank["index"]]["price"]["row"]["instance_type"] for rank in report["ranking"] if rank["place"]
    ]
    assert set(first) == {"p5.48xlarge"}
    assert any(warning.startswith("2 instances are named for one run") for warning in report["warnings"])


def test_two_runs(tmp_path, capfd):
    first, second = cpu_run(tmp_path / "a", C7I), cpu_run(tmp_path / "b", C7I, run_id="another")
    code, out, _ = call(capfd, "cost", first, second, first)
    assert code == 0
    assert "another: bert-encoder/tiny v1" in out
    assert out.count("\nprice: ") == 1
    assert "both hold run 20261122-101112-quick" in refused(capfd, first, cpu_run(tmp_path / "c", C7I))


def test_csv_of_a_formula(tmp_path, capfd):
    mine = price_file(tmp_path / "mine.csv", BOX.replace("my bill", "=1+1"))
    code, out, _ = call(
        capfd, "cost", cpu_run(tmp_path / "run"), "--instance", "me:box", "--prices", mine, "--format", "csv"
    )
    assert code == 0
    assert {row["price_source"] for row in csv.DictReader(io.StringIO(out))} == {"'=1+1"}


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


def test_show_has_the_dollars_of_its_own_instance(tmp_path, capfd):
    run = cpu_run(tmp_path / "run", C7I)
    code, out, _ = call(capfd, "show", run)
    heading = "cost on aws c7i.4xlarge, us-east-1, on_demand: $0.714/h as of "
    rows = out.partition(heading)[2].splitlines()
    assert code == 0
    # 800 tokens/s: 0.714 / 3600 / 800 * 1e6 = 0.2479.
    assert [" ".join(row.split()) for row in rows if row.startswith("llm-decoder")] == [
        "llm-decoder/tiny decode fp32 b2 torch@cpu 1M token $0.248"
    ]
    markdown = call(capfd, "show", run, "--format", "markdown")[1]
    assert "| llm-decoder/tiny decode fp32 b2 torch@cpu | 1M token | $0.248 |" in markdown
    for output_format in ("json", "csv"):
        assert "usd" not in call(capfd, "show", run, "--format", output_format)[1]


def test_show_says_what_has_no_price_and_nothing_where_nothing_is_known(tmp_path, capfd):
    odd = cpu_run(tmp_path / "odd", msgspec.structs.replace(C7I, instance_type="c7i.5xlarge"))
    flat = " ".join(call(capfd, "show", odd)[1].split())
    assert "no cost: no on_demand price for aws:c7i.5xlarge, us-east-1 in the price table" in flat
    for instance in (None, Instance(provider="runpod", evidence="environment")):
        run = cpu_run(tmp_path / f"run{instance is None}", instance)
        assert "cost" not in call(capfd, "show", run)[1]


def test_scorecards(tmp_path, capfd):
    h100_run(tmp_path / "run")
    code, out, _ = call(capfd, "cost", tmp_path / "run", "--scorecards", "--instance", "aws:p5.48xlarge")
    assert code == 0
    assert "training: bert-encoder/tiny v1" in out


def test_help_has_sections_and_every_option():
    from harness.cli.cost import command

    text = CliRunner().invoke(command, ["--help"]).output
    for heading in ("Which price:", "One training run:", "Cheapest first:", "Output:"):
        assert f"\n{heading}\n" in text
    for param in command.params:
        assert all(name in text for name in param.opts if name.startswith("--"))


def test_what_a_terminal_would_obey_reaches_it_neither_in_errors_nor_in_headers(capsys):
    assert main.fail("no such file: \x1b[31mred\x07\nnext", 2) == 2
    assert capsys.readouterr().err == "chipmark: error: no such file: [31mred next\n"
    info = run_info([(case("bert-encoder", "infer", "fp32"), 1)])
    device = msgspec.structs.replace(info.devices[0], name="\x1b[31mRED")
    header = header_lines(run_summary(StoredRun(None, msgspec.structs.replace(info, devices=(device,)), [], [])).run,
                          [case("bert-encoder", "infer", "fp32")])  # fmt: skip
    assert not any("\x1b" in line for line in header)
    assert any("[31mRED" in line for line in header)


@pytest.mark.parametrize("options", [
    ["--utilisation", "5e-324"], ["--lost-fraction", "0.99999999999"], ["--run-tokens", "1e308"],
    ["--run-steps", "1", "--startup", "1e308"], ["--run-steps", "1", "--goodput", "5e-324"],
])  # fmt: skip
def test_numbers_past_all_sense_are_refused(options):
    with pytest.raises(click.UsageError):
        cost_command.make_context("cost", options)
