"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from backends.onnxruntime_options import KNOWN_OPTIONS as ORT_OPTIONS
from backends.torch_backend import KNOWN_OPTIONS as TORCH_OPTIONS
from harness.cli.main import COMMANDS, cli
from harness.suite import CaseEntry, suite_names
from results.errors import ExitCode
from results.metrics import METRICS
from results.process_stats import ProcessStats
from results.records import MeasureSpec, Status
from results.stats import min_samples
from workloads import REGISTRY as WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RUNS = (ROOT / "docs" / "runs-and-frames.md").read_text()
PROVIDERS = (ROOT / "docs" / "onnxruntime.md").read_text()
SUITES = (ROOT / "docs" / "suites.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_every_command_in_the_readme_exists_and_every_command_is_there() -> None:
    shown = set(re.findall(r"^ {4}chipmark (\w+)", README, re.MULTILINE))
    assert shown == set(COMMANDS)


def test_every_option_in_the_readme_exists() -> None:
    commands = [cli.get_command(None, name) for name in COMMANDS]  # type: ignore[arg-type]
    commands += [
        inner.get_command(None, name)  # type: ignore[arg-type]
        for inner in commands if isinstance(inner, click.Group) for name in inner.list_commands(None)  # type: ignore[arg-type]
    ]  # fmt: skip
    known = {option for command in commands for p in command.params for option in p.opts}  # type: ignore[union-attr]
    lines = [line for line in README.splitlines() if "chipmark " in line]
    assert {option for line in lines for option in re.findall(r"--[a-z][a-z-]*", line)} <= known


def test_about_a_dozen_options() -> None:
    params = cli.get_command(None, "run").params  # type: ignore[union-attr,arg-type]
    assert len(params) <= 17


def test_statuses_and_exit_codes() -> None:
    statuses = re.search(r"one of `([\w, ]+)`", README)
    assert statuses
    assert statuses.group(1).split(", ") == list(Status.__args__)  # type: ignore[attr-defined]
    assert (ExitCode.DONE, ExitCode.CASE_FAILED, ExitCode.USAGE, ExitCode.INTERRUPTED) == (0, 1, 2, 130)
    for code in ("0 ", "1 ", "2 bad input", "130 interrupted"):
        assert code in README


def test_workloads_and_suites_of_the_readme_are_those_that_ship() -> None:
    for name in [*WORKLOADS.names(), *suite_names()]:
        assert f"| `{name}`" in README


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_documented_as_declared(metric) -> None:
    assert f"| `{metric.name}` | {metric.unit} | {metric.better or '-'} | {metric.doc} |" in RUNS


def test_percentile_minima() -> None:
    assert f"p50 needs {min_samples(50)} samples, p90 {min_samples(90)}, p99 {min_samples(99)}" in RUNS


def test_every_field_of_a_process_is_documented() -> None:
    rows = [line.split("|")[1] for line in RUNS.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(ProcessStats.__struct_fields__) <= documented


def test_every_suite_key_and_option_is_documented() -> None:
    for key in (*MeasureSpec.__struct_fields__, *CaseEntry.__struct_fields__):
        assert re.search(rf"^ {{4}}{key} = ", SUITES, re.MULTILINE), key
    for option in (*TORCH_OPTIONS, *ORT_OPTIONS):
        own = option.removeprefix("provider.")
        assert f"`{own}`" in (SUITES if own == option else PROVIDERS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target
