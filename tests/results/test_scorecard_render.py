"""Scorecards as text: what kind of number it is stands beside every number, and nothing is hidden."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from results.cost_record import CostTerms
from results.device_table import load_devices
from results.records import Device
from results.render import FORMATS
from results.render_scorecard import CSV_COLUMNS, cell_text, render_scorecards
from results.scorecard import scorecards
from results.scorecard_own import INVALID
from results.scorecard_record import Cell, ScorecardReport
from results.summary import run_summary
from tests.results.example_run import H100, example_run
from tests.results.scorecard_example import cost, h100_run, imported_cost, imported_file, report, result

SUFFIX = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}


def small(folder: Path, device: Device = H100) -> ScorecardReport:
    """One H100 with a training and an inference card, and a published result of another chip."""
    summary = h100_run(folder, device)
    train, _, decode = summary.cases
    costs = (
        cost(summary, train, headline="attributed", attribution="1/8", usd_per_1k_steps_attributed=0.03822,
             usd_per_1k_steps_billed=0.3058, usd_per_1k_steps_low=0.0165, usd_per_1k_steps_high=0.03822),
        cost(summary, decode, headline="billed", usd_per_1m_tokens_billed=38.22, rate_half_width=0.012),
    )  # fmt: skip
    theirs = result()
    costs_of_run = report(summary, *costs, imported=(imported_cost(theirs),), warnings=("the price is old",))
    return scorecards(costs_of_run, [summary], [imported_file(theirs)], load_devices())


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(tmp_path: Path, golden: Callable[[str, str], None], output_format: str) -> None:
    text = render_scorecards(small(tmp_path / "run"), output_format)
    golden(f"scorecards.{SUFFIX[output_format]}", text)
    assert text.isascii()
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell(kind="measured", value=0.0123, unit="s", half_width=0.012), "12.3 ms +-1.2 % m"),
        (Cell(kind="measured", value=25600.0, unit="generated token/s"), "25.6k generated token/s m"),
        (Cell(kind="measured", value=0.5, unit="J/token"), "500 mJ/token m"),
        (Cell(kind="measured", value=0.0031, unit="rel_l2"), "3.10e-03 rel_l2 m"),
        (Cell(kind="measured", value=400.0, unit="image/s", notes=(INVALID,)), "400 image/s m!"),
        (Cell(kind="derived", value=0.4321, unit="1"), "43.2 % d"),
        (Cell(kind="derived", value=0.7644, unit="$/1M token", low=0.3, high=0.7644),
         "$0.764 ($0.300 to $0.764)/1M token d"),
        (Cell(kind="derived", low=0.25, high=1.0, unit="$/run"), "$0.250 to $1.00/run d"),
        (Cell(kind="published", value=7600.0, unit="W"), "7.60 kW p"),
        (Cell(kind="empty", unit="s", reason="never asked"), "n/a"),
    ],
)  # fmt: skip
def test_text_of_a_cell(cell: Cell, text: str) -> None:
    assert cell_text(cell) == text


def test_table_is_narrow_and_says_all_without_colour(tmp_path: Path) -> None:
    for summary in (run_summary(example_run(tmp_path / "run")), h100_run(tmp_path / "gpu")):
        text = render_scorecards(scorecards(report(summary), [summary], [], load_devices()), "table")
        assert max(cell_len(line) for line in text.splitlines()) <= 100
        assert "\x1b" not in text
        assert text.isascii()
    colored = render_scorecards(small(tmp_path / "more"), "table", color=True)
    assert "\x1b" in colored


def test_csv_has_one_row_for_each_cell_with_its_kind_and_its_source_or_reason(tmp_path: Path) -> None:
    made = small(tmp_path / "run")
    rows = list(csv.DictReader(io.StringIO(render_scorecards(made, "csv"))))
    assert list(rows[0]) == list(CSV_COLUMNS)
    cells = [cell for device in made.devices for card in (*device.training, *device.inference) for cell in card.cells]
    assert len(rows) == len(cells)
    for row in rows:
        assert bool(row["source"]) == (row["kind"] != "empty")
        assert bool(row["reason"]) == (row["kind"] == "empty")
    (published,) = [row for row in rows if row["kind"] == "published"]
    assert (published["value"], published["unit"], published["quantity"]) == ("34000.0", "token/s", "throughput")
    assert "result 6.0-0099" in published["source"]


def test_json_is_the_report(tmp_path: Path) -> None:
    made = small(tmp_path / "run")
    text = render_scorecards(made, "json")
    assert msgspec.json.decode(text, type=ScorecardReport) == made
    assert json.loads(text)["schema_version"] == 1


@pytest.mark.parametrize("output_format", ["table", "markdown"])
def test_published_numbers_are_cited_and_set_apart(tmp_path: Path, output_format: str) -> None:
    text = " ".join(render_scorecards(small(tmp_path / "run"), output_format).split())
    assert "submitted by Somebody, result 6.0-0099, retrieved 2026-11-22" in text
    assert "MLPerf is a trademark of MLCommons" in text
    assert "they are not compared with chipmark's" in text
    assert "not a result of MLCommons" in text
    assert "warning: the price is old" in text


def test_names_from_elsewhere_cannot_break_the_output(tmp_path: Path) -> None:
    evil = msgspec.structs.replace(H100, name="=HYPERLINK(1)|\x1b[31m<b>\nsecond line")
    made = small(tmp_path / "run", evil)
    for output_format in ("table", "markdown"):
        text = render_scorecards(made, output_format)
        assert "\x1b" not in text
        assert "\nsecond line" not in text
    assert "=HYPERLINK(1)\\|" in render_scorecards(made, "markdown")
    rows = list(csv.DictReader(io.StringIO(render_scorecards(made, "csv"))))
    assert rows[0]["device"].startswith("'=HYPERLINK")


def test_nothing_at_all_is_a_report_too() -> None:
    empty = ScorecardReport(run_ids=(), devices=())
    assert "0 devices, 0 training and 0 inference scorecards" in render_scorecards(empty, "table")
    assert render_scorecards(empty, "csv").splitlines() == [",".join(CSV_COLUMNS)]


def test_how_much_of_the_rented_time_works_is_always_said(tmp_path: Path) -> None:
    cards = msgspec.structs.replace(small(tmp_path / "run"), terms=CostTerms(utilisation=0.5, lost_fraction=0.2))
    text = " ".join(render_scorecards(cards, "table").split())
    assert "kept up 50.0 % of the rented time (utilisation 0.5); 20.0 % of spot time is taken to be lost" in text
