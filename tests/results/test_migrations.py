"""Runs of older formats: a real one of each version is kept under ``fixtures``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from results.errors import RunFolderError
from results.migrations import STEPS, migrate
from results.process_summary import summarize_process
from results.records import SCHEMA_VERSION
from results.render import FORMATS, render_summary
from results.store import open_run
from results.summary import run_summary, summarize

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_every_old_version_has_a_step_and_a_fixture(version: int) -> None:
    assert version in STEPS
    assert json.loads((FIXTURES / f"v{version}" / "run.json").read_text())["schema_version"] == version


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "v1", tmp_path / "v1"))


def test_a_run_of_format_1_is_read_as_the_newest(old: Path) -> None:
    run = open_run(old)
    assert run.warnings == []
    assert run.info.schema_version == SCHEMA_VERSION
    assert {m.schema_version for m in run.measurements} == {SCHEMA_VERSION}
    assert run.info.measure.half_width == 1.0, "it asked for no precision"
    assert run.info.selfcheck is None
    assert run.info.selfcheck_reason
    assert [(m.stats, m.machine) for m in run.measurements] == [(None, {})] * 4


def test_a_run_of_format_1_is_summarised_from_its_raw_samples(old: Path) -> None:
    run = open_run(old)
    ok, unsupported = summarize(run)
    assert (ok.status, ok.num_processes, unsupported.status) == ("ok", 2, "unsupported")
    found = [summarize_process(m.timing, run.samples(m)) for m in run.measurements if m.status == "ok"]
    assert ok.num_latency_samples == sum(stats.num_samples for stats in found)
    assert ok.num_cut_samples == sum(stats.cut_index for stats in found)
    assert 0 < ok.num_effective_samples < ok.num_latency_samples
    assert ok.latency_p50_s == pytest.approx(345e-6, rel=0.02)
    assert ok.throughput_per_s == pytest.approx(5_710, rel=0.01)
    for output_format in FORMATS:
        assert render_summary(run_summary(run), output_format)


def test_the_files_of_an_old_run_stay_as_they_are(old: Path) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    run_summary(open_run(old))
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before


def test_a_newer_version_is_refused_by_name(old: Path) -> None:
    info = json.loads((old / "run.json").read_text())
    newer = SCHEMA_VERSION + 1
    (old / "run.json").write_text(json.dumps(info | {"schema_version": newer}))
    with pytest.raises(RunFolderError, match=f"schema version {newer} is newer than this chipmark reads"):
        open_run(old)


def test_a_newer_line_is_skipped_and_said(old: Path) -> None:
    lines = (old / "measurements.jsonl").read_text().splitlines()
    lines[0] = lines[0].replace('"schema_version":1', f'"schema_version":{SCHEMA_VERSION + 1}', 1)
    (old / "measurements.jsonl").write_text("\n".join(lines) + "\n")
    run = open_run(old)
    assert len(run.measurements) == 3
    assert f"schema version {SCHEMA_VERSION + 1} is newer" in run.warnings[0]


def test_an_unknown_older_version_is_refused() -> None:
    with pytest.raises(ValueError, match="schema version 0 is unknown"):
        migrate({"schema_version": 0}, "RunInfo")


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "v2", tmp_path / "v2"))


def test_a_run_of_format_2_is_read_as_the_newest(v2: Path) -> None:
    run = open_run(v2)
    assert run.warnings == []
    assert {run.info.schema_version, *(m.schema_version for m in run.measurements)} == {SCHEMA_VERSION}
    measure = run.info.measure
    assert (measure.energy_min_seconds, measure.energy_idle_seconds) == (0.0, 0.0), "it made no windows for energy"
    first, unsupported, second, _ = run.measurements
    (reading,) = first.energy
    assert (reading.scope, reading.scenario, reading.meter) == ("example", None, None)
    assert (reading.energy_j, reading.average_power_w, reading.duration_s) == (3.04659478, 10.0, 0.304659478)
    assert (reading.u_total, reading.idle_power_w) == (None, None), "it told none"
    assert unsupported.energy == ()
    assert [r.reason for r in second.energy] == ["no power meter reads this device yet"]


def test_energy_of_format_2_needs_every_process(v2: Path) -> None:
    case = summarize(open_run(v2))[0]
    assert (case.energy_j, case.energy_scope) == (None, "example")
    assert case.energy_j_reason == "in 1 of 2 processes: no power meter reads this device yet"


def test_energy_of_format_2_is_of_both_passes_and_of_no_step(v2: Path) -> None:
    lines = (v2 / "measurements.jsonl").read_text().splitlines()
    (v2 / "measurements.jsonl").write_text(lines[0] + "\n")
    run = open_run(v2)
    case = summarize(run)[0]
    assert (case.energy_j, case.average_power_w, case.energy_scenario) == (3.04659478, pytest.approx(10.0), None)
    assert case.energy_per_step_j is None
    assert "over both passes" in case.energy_per_step_j_reason
    assert "does not say how wrong" in case.energy_uncertainty_reason
    for output_format in FORMATS:
        assert render_summary(run_summary(run), output_format)
    text = " ".join(render_summary(run_summary(run), "table").split())
    assert "energy: example by constant of the example plugin (constant), in both passes" in text
    assert "J per item n/a: the reading is over both passes" in text
