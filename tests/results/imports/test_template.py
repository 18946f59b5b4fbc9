"""The template for results of any tool: every row is right, or nothing is taken."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from results.configs import config_path
from results.errors import UsageError
from results.imports import source_file
from results.imports.template import COLUMNS
from results.imports.template_cells import UNITS
from tests.results.imports.given import TEMPLATE_ROW, csv_file, template, template_file


def test_a_row_is_taken_with_its_source(tmp_path):
    (result,) = template(template_file(tmp_path, {})).results
    assert (result.origin, result.quantity, result.value, result.unit) == ("imported", "throughput", 1200.0, "token/s")
    assert (result.device, result.num_accelerators, result.value_per_accelerator) == ("Gaudi3", 8, 150.0)
    assert (result.phase, result.precision, result.batch_size, result.software) == ("decode", "bf16", 16, "bench 1.2")
    cited = result.citation
    assert (cited.publisher, cited.title) == ("Lab", "bench 1.2, measured 2026-05-04")
    assert (cited.benchmark, cited.scenario, cited.url, cited.retrieved) == (
        "llama3-8b", "512 in", "https://example.org", "2026-07-24",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "unit", "value", "stored", "stored_unit"),
    [
        ("latency", "ms", "12.5", 0.0125, "s"),
        ("latency", "us", "250", 0.00025, "s"),
        ("time_to_train", "min", "30", 1800, "s"),
        ("time_to_train", "h", "2", 7200, "s"),
        ("power", "kW", "5.1", 5100, "W"),
        ("energy_per_query", "mJ", "155", 0.155, "J"),
    ],
)
def test_units_of_time_and_energy_become_si(tmp_path, quantity, unit, value, stored, stored_unit):
    row = {"quantity": quantity, "unit": unit, "value": value, "power_scope": "wall"}
    (result,) = template(template_file(tmp_path, row)).results
    assert (result.value, result.unit, result.better) == (pytest.approx(stored, rel=1e-12), stored_unit, "lower")
    assert result.value_per_accelerator is None


def test_a_chip_that_is_in_no_table_is_taken_without_a_row(tmp_path):
    (result,) = template(template_file(tmp_path, {"device": "NewChip 1", "num_accelerators": ""})).results
    assert (result.device, result.num_accelerators, result.value_per_accelerator) == (None, None, None)
    assert "no name of a part" in result.device_reason
    assert result.num_accelerators_reason == result.value_per_accelerator_reason != ""


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"unit": "tok/s"}, "column unit: 'tok/s' is no unit of throughput: choose from token/s, sample/s"),
        ({"unit": "$/h"}, "column unit: '$/h' is no unit of throughput"),
        ({"value": "-1"}, "column value: '-1' is not a number above zero"),
        ({"value": "0"}, "column value"),
        ({"value": "nan"}, "column value"),
        ({"value": "1_000"}, "column value: '1_000' is not a number"),
        ({"value": "1,200"}, "column value: '1,200' has separators of thousands"),
        ({"value": "1200 EUR"}, "column value: '1200 EUR' is not a number"),
        ({"quantity": "throughputs"}, "did you mean 'throughput'?"),
        ({"phase": "training"}, "column phase: 'training' is none of train, infer"),
        ({"date": (date.today() + timedelta(days=2)).isoformat()}, "is yet to come"),
        ({"date": "4.5.2026"}, "column date: '4.5.2026' is not a date"),
        ({"device": ""}, "column device: must not be empty"),
        ({"source": ""}, "column source: must not be empty"),
        ({"num_accelerators": "0"}, "column num_accelerators: 0 is not a number of anything"),
        ({"batch_size": "1.5"}, "column batch_size"),
        ({"power_w": "100"}, "column power_scope: must say what power_w is of"),
        ({"quantity": "power", "unit": "W"}, "column power_scope: must say what the power is of"),
        ({"notes": "a\x1b[31mb"}, "column notes"),
        ({"notes": "x" * 501}, "column notes: has 501 characters"),
    ],
)
def test_what_is_wrong_is_named_with_row_and_column(tmp_path, cells, said):
    with pytest.raises(UsageError, match="nothing was imported: row 3: ") as caught:
        template(template_file(tmp_path, {"workload": "another"}, cells))
    assert said in str(caught.value)


def test_all_wrong_rows_are_listed_up_to_twenty(tmp_path):
    rows = [{"workload": f"w{i}", "value": "x"} for i in range(30)]
    with pytest.raises(UsageError) as caught:
        template(template_file(tmp_path, *rows))
    message = str(caught.value)
    assert message.count("column value") == 20
    assert "row 21:" in message
    assert "row 22:" not in message
    assert message.endswith("; and more")


def test_a_measurement_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="row 3: is of the same measurement as row 2"):
        template(template_file(tmp_path, {}, {"value": "1300"}))


def test_columns_are_those_of_the_template(tmp_path):
    with pytest.raises(UsageError, match="unknown column 'price_usd'"):
        template(csv_file(tmp_path, {**TEMPLATE_ROW, "price_usd": "3"}))
    with pytest.raises(UsageError, match="missing column power_scope"):
        template(csv_file(tmp_path, {k: v for k, v in TEMPLATE_ROW.items() if k != "power_scope"}))
    with pytest.raises(UsageError, match="unknown column 'power_watt'; did you mean 'power_w'"):
        template(csv_file(tmp_path, {**TEMPLATE_ROW, "power_watt": "3"}))


def test_a_formula_stays_text(tmp_path):
    (result,) = template(template_file(tmp_path, {"notes": "=HYPERLINK(1)"})).results
    assert result.notes == "=HYPERLINK(1)"


def test_the_shipped_template_is_empty_and_its_examples_are_right(tmp_path):
    path = config_path("imports/results-template.csv")
    with pytest.raises(UsageError, match="holds no results"):
        template(path)
    lines = path.read_text().splitlines()
    assert lines[-1] == ",".join(COLUMNS)
    examples = [line.removeprefix("# EXAMPLE: ") for line in lines if line.startswith("# EXAMPLE: ")]
    filled = tmp_path / "filled.csv"
    filled.write_text("\n".join([lines[-1], *examples]))
    assert [result.quantity for result in template(filled).results] == ["throughput", "latency"]


def test_comments_and_empty_rows_are_passed_over_and_a_mark_of_utf_8_is_no_column(tmp_path):
    text = template_file(tmp_path, {}).read_text()
    header, row = text.splitlines()
    path = tmp_path / "marked.csv"
    path.write_text(f"# a comment\n{header}\n\n# another\n{row}\n,,\n", encoding="utf-8-sig")
    assert [result.row for result in template(path).results] == [5]


def test_a_row_that_was_cut_off_is_refused(tmp_path):
    path = template_file(tmp_path, {})
    path.write_text(path.read_text().rstrip()[:-40])
    with pytest.raises(UsageError, match=r"row 2: has \d+ cells, the header 20"):
        template(path)


def test_an_open_quote_is_refused(tmp_path):
    path = template_file(tmp_path, {})
    path.write_text(path.read_text().replace("Gaudi3", '"Gaudi3'))
    with pytest.raises(UsageError, match="not CSV"):
        template(path)


def test_a_file_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(source_file, "MAX_ROWS", 3)
    rows = [{"workload": f"w{i}"} for i in range(4)]
    assert len(template(template_file(tmp_path, *rows[:3])).results) == 3
    with pytest.raises(UsageError, match="more than 3 rows"):
        template(template_file(tmp_path, *rows))


def test_a_million_rows_are_refused_before_they_are_kept(tmp_path):
    path = tmp_path / "many.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        cells = list(TEMPLATE_ROW.values())
        place = list(COLUMNS).index("value")
        cells[place] = "x"
        line = ",".join(cells) + "\n"
        file.write(line * 1_000_000)
    with pytest.raises(UsageError, match="and more"):
        template(path)


def test_every_column_and_unit_is_documented():
    path = Path(__file__).parents[3] / "docs" / "importing-results.md"
    text = path.read_text()
    documented = {name for row in text.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)}
    assert set(COLUMNS) <= documented
    (units,) = re.findall(r"^Units: (.*?)\. Stored", text, re.MULTILINE | re.DOTALL)
    assert " ".join(units.split()) == "; ".join(f"{quantity} {', '.join(known)}" for quantity, known in UNITS.items())


def test_all_wrong_cells_of_a_row_are_named(tmp_path):
    with pytest.raises(UsageError) as error:
        template(template_file(tmp_path, {"quantity": "speed", "value": "fast", "date": "soon"}))
    for column in ("quantity", "value", "date"):
        assert f"column {column}" in str(error.value)


@pytest.mark.parametrize(("cells", "reason"), [
    ({"device": "A10", "vendor": "Apple"}, "A10 is made by NVIDIA, and the row says Apple"),
    ({"notes": "power cap 400 W"}, "'power cap 400 W': not the configuration of Gaudi3 in the device table"),
    ({"notes": "MIG 1g.10gb slice"}, "'MIG': not the configuration of Gaudi3 in the device table"),
])  # fmt: skip
def test_what_is_another_part_has_no_row(tmp_path, cells, reason):
    (result,) = template(template_file(tmp_path, cells)).results
    assert (result.device, result.device_reason) == (None, reason)


@pytest.mark.parametrize("vendor", ["Intel", "intel corporation", "Habana"])
def test_makers_have_several_names(tmp_path, vendor):
    (result,) = template(template_file(tmp_path, {"vendor": vendor})).results
    assert result.device == "Gaudi3"


def test_what_overflows_when_it_is_converted_is_refused_by_its_row(tmp_path):
    with pytest.raises(UsageError, match="row 2: column value: is too large or too small"):
        template(template_file(tmp_path, {"quantity": "power", "unit": "kW", "value": "1e308", "power_scope": "wall"}))
