"""``chipmark cost`` and the dollars of ``chipmark show``, as a user calls them."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from click.testing import CliRunner

from harness.cli import main
from results.instance_record import Instance
from results.render import header_lines
from results.store import StoredRun
from results.summary import run_summary
from tests.results.cost_calls import BOX, C7I, call, cost_json, cpu_run, price_file, refused
from tests.results.example_run import case, run_info
from tests.results.scorecard_example import h100_run


@pytest.fixture(autouse=True)
def no_prices_of_my_own(monkeypatch, tmp_path):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


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
