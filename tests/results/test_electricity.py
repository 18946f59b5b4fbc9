"""Dollars for energy: by hand, on the command line, and what is refused."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

from harness.cli import show
from results.electricity import CSV_COLUMNS, Tariff, checked_tariff, with_electricity
from results.errors import ExitCode, UsageError
from results.render import FORMATS, render_summary
from results.summary import run_summary
from tests.results.energy_run import SPEC, energy_run, metered, reading
from tests.results.example_run import example_run, run_info, store


@pytest.fixture
def run(tmp_path):
    return energy_run(tmp_path / "run")


def call(*arguments):
    result = CliRunner().invoke(show.command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_dollars_by_hand(run):
    found = with_electricity(run_summary(run), Tariff(0.36, 1.5)).electricity
    first, failing, images, invalid, lost = found.cases
    # 0.5 J a token: 0.5e6 J * 1.5 / 3.6e6 J a kWh * $0.36 = $0.075.
    assert first.usd_per_1m_tokens == pytest.approx(0.075, rel=1e-12)
    assert first.usd_per_1m_items == pytest.approx(0.6, rel=1e-12)
    assert first.usd_per_1k_steps == pytest.approx(16e3 * 1.5 * 1e-7, rel=1e-12)
    assert (first.half_width, first.energy_scope) == (pytest.approx(0.05), "gpu_board")
    assert failing.usd_per_1m_tokens == pytest.approx(0.225)
    assert (images.usd_per_1m_tokens, images.half_width, bool(images.half_width_reason)) == (None, None, True)
    assert images.usd_per_1m_items is not None
    assert (invalid.usd_per_1m_items, invalid.reason) == (None, "invalid: error")
    assert (lost.usd_per_1m_items, lost.reason) == (None, "the meter was lost")


def test_scope_and_pue_are_warned_of(run, tmp_path):
    text = " ".join(with_electricity(run_summary(run), Tariff(0.1)).electricity.warnings)
    assert "the energy is that of gpu_board, not of the whole machine" in text
    assert "PUE 1: cooling" in text
    assert "in 3 of 4 cases a guard fails or the window is short" not in text
    assert "in 1 of 4 cases a guard fails or the window is short" in text
    wall = store(tmp_path / "wall", run_info([(SPEC, 1)]), [(metered(reading(scope="wall", duration_s=20.0)), {})])
    text = " ".join(with_electricity(run_summary(wall), Tariff(0.1, 1.2)).electricity.warnings)
    assert "whole machine" not in text
    assert "PUE 1:" not in text
    assert "short" not in text


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(run, golden, output_format):
    suffix = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}[output_format]
    if output_format in ("table", "markdown"):
        golden(f"electricity.{suffix}", call(run.path, "--tariff", "0.12", "--format", output_format))
    assert call(run.path, "--format", output_format) == render_summary(run_summary(run), output_format)


def test_on_the_command_line(run):
    found = json.loads(call(run.path, "--tariff", 0.36, "--pue", 1.5, "--format", "json"))["electricity"]
    assert (found["tariff_usd_per_kwh"], found["pue"]) == (0.36, 1.5)
    assert found["cases"][0]["usd_per_1m_tokens"] == pytest.approx(0.075)
    rows = list(csv.DictReader(io.StringIO(call(run.path, "--tariff", 0.36, "--format", "csv"))))
    assert {*CSV_COLUMNS} <= {*rows[0]}
    assert float(rows[0]["electricity_usd_per_1m_tokens"]) == pytest.approx(0.05)
    assert (rows[0]["pue"], rows[4]["electricity_usd_per_1m_items"]) == ("1.0", "")
    assert rows[4]["electricity_reason"] == "the meter was lost"
    assert json.loads(call(run.path, "--format", "json"))["electricity"] is None


def test_a_run_without_energy_says_so_once(tmp_path):
    text = " ".join(call(example_run(tmp_path / "none").path, "--tariff", "0.1").split())
    assert "energy n/a: no power meter reads this device yet" in text
    assert text.count("electricity") == 1
    assert "electricity n/a: no case of this run has an energy per step" in text
    assert "$0" not in text


@pytest.mark.parametrize(("tariff", "pue", "message"), [
    (0.0, None, "--tariff 0: give US dollars per kWh, above 0 and below 10"),
    (-0.1, None, "--tariff -0.1"),
    (10.0, None, "--tariff 10"),
    (float("nan"), None, "--tariff nan"),
    (float("inf"), None, "--tariff inf"),
    (0.1, 0.99, "--pue 0.99: power usage effectiveness lies between 1 and 3"),
    (0.1, 3.01, "--pue 3.01"),
    (0.1, float("nan"), "--pue nan"),
    (None, 1.2, "--pue needs --tariff"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(run, tariff, pue, message):
    with pytest.raises(UsageError) as raised:
        checked_tariff(tariff, pue)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == ExitCode.USAGE
    options = [f"--{name}={value}" for name, value in (("tariff", tariff), ("pue", pue)) if value is not None]
    with pytest.raises(UsageError):
        call(run.path, *options)


def test_limits_are_within():
    assert checked_tariff(9.99, 3.0) == Tariff(9.99, 3.0)
    assert checked_tariff(0.01, 1.0) == checked_tariff(0.01, None) == Tariff(0.01, 1.0)
    assert checked_tariff(None, None) is None


def test_a_tariff_needs_a_format_that_has_room_for_it(run):
    for options in (["--explain", "bert"], ["--format", "counts"]):
        with pytest.raises(UsageError, match="--tariff does not go with"):
            call(run.path, "--tariff", "0.1", *options)
