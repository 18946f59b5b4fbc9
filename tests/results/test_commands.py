"""The commands show, cost and schema, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import pytest
from click.testing import CliRunner

from harness.cli import cost, schema, show
from results.errors import ExitCode, PriceError, RunFolderError
from results.store_writer import RunWriter
from tests.results.example_run import example_run, example_stored

HEAVY = {"torch", "onnxruntime", "pynvml"}


@pytest.fixture
def run(tmp_path):
    return example_run(tmp_path / "run")


def call(command, *arguments):
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_show(run):
    assert "3 ok, 1 unsupported, 1 failed" in call(show.command, run.path)
    assert json.loads(call(show.command, run.path, "--format", "json"))["counts"]["ok"] == 3
    assert call(show.command, run.path, "--format", "csv").startswith("case_id,workload,")
    assert "| --- |" in call(show.command, run.path, "--format", "markdown")


def test_cost(run):
    text = call(cost.command, run.path, "--instance", "aws:c7i.4xlarge")
    assert "price: aws c7i.4xlarge (16 vCPU), us-east-1, on_demand: $0.714 per instance-hour" in text
    report = json.loads(call(cost.command, run.path, "--instance", "aws:c7i.4xlarge", "--format", "json"))
    # 400 sequences/s.
    assert report["cases"][0]["usd_per_1m_items_billed"] == pytest.approx(0.714 / (3600 * 400) * 1e6, rel=1e-14)


def test_cost_with_region_pricing_and_an_own_table(run, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(
        "provider,region,instance_type,accelerator,accelerator_count,accelerator_memory_gib,vcpus,memory_gib,pricing,"
        "price_usd_per_hour,unit,as_of,source\n"
        "me,cellar,box,,0,,16,64,on_demand,3.6,instance,2026-11-01,my bill\n"
        "me,attic,box,,0,,16,64,spot,0.36,instance,2026-11-01,my bill\n"
    )
    base = (cost.command, run.path, "--instance", "me:box", "--prices", table, "--format", "json")
    assert json.loads(call(*base))["cases"][0]["price"]["row"]["price_usd_per_hour"] == 3.6
    spot = json.loads(call(*base, "--pricing", "spot", "--region", "attic"))["cases"][0]
    assert (spot["price"]["row"]["pricing"], spot["price"]["row"]["source"]) == ("spot", "my bill")
    with pytest.raises(PriceError, match=r"no spot price in region 'cellar'; it has: attic"):
        call(*base, "--pricing", "spot", "--region", "cellar")


def test_latest_is_the_run_created_last(tmp_path, monkeypatch):
    info, _ = example_stored()
    for name, created_at in [("z-old", "2026-01-01"), ("a-new", "2026-02-01"), ("m-older", "2025-12-31")]:
        changed = msgspec.structs.replace(info, run_id=name, created_at=f"{created_at}T00:00:00+00:00")
        RunWriter.create(tmp_path / "chipmark-runs" / name, changed)
    broken = tmp_path / "chipmark-runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    assert "run a-new, suite quick" in call(show.command, "latest")


def test_no_latest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunFolderError, match="no stored run here"):
        call(show.command, "latest")


def test_bad_input_is_the_users_error(run, tmp_path):
    with pytest.raises(RunFolderError, match="no such run folder"):
        call(show.command, tmp_path / "nowhere")
    with pytest.raises(PriceError, match=r"did you mean 'c7i\.4xlarge'") as error:
        call(cost.command, run.path, "--instance", "aws:c7i.4xlrge")
    assert error.value.exit_code == ExitCode.USAGE
    for wrong in ("c7i.4xlarge", "aws:", ":c7i.4xlarge"):
        with pytest.raises(PriceError, match="write PROVIDER:TYPE"):
            call(cost.command, run.path, "--instance", wrong)


def test_schema():
    assert json.loads(call(schema.command))["title"] == "chipmark"


@pytest.mark.parametrize(("arguments", "also_absent"), [
    (["show", "RUN"], {"pandas"}), (["cost", "RUN", "--instance", "aws:c7i.4xlarge"], set()),
    (["schema"], {"pandas", "numpy", "rich"}),
    *(([name, "--help"], {"pandas", "numpy", "rich", "importlib.metadata"}) for name in ("show", "cost", "schema")),
])  # fmt: skip
def test_commands_import_only_what_they_need(run, arguments, also_absent):
    code = (
        "import importlib, sys; module = importlib.import_module('harness.cli.' + sys.argv[1]);"
        "module.command.main(sys.argv[2:], standalone_mode=False);"
        "print('\\nIMPORTED', *sys.modules)"
    )
    arguments = [str(run.path) if a == "RUN" else a for a in arguments]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    imported = set(done.stdout.rpartition("\nIMPORTED ")[2].split())
    assert "harness" in imported
    assert not imported & (HEAVY | also_absent)


@pytest.mark.parametrize("command", [show.command, cost.command, schema.command])
def test_every_option_has_help(command):
    assert command.help
    assert all(option.help for option in command.params if option.param_type_name == "option")
