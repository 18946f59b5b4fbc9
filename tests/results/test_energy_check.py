"""What no meter can have said gives no number and no crash, whoever wrote it."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from results import frame
from results.electricity import Tariff, with_electricity
from results.energy_check import contradiction
from results.energy_evidence import step_energy
from results.energy_summary import ENERGY_METRICS, reading_problem
from results.evidence import read_session, session_cases
from results.explain import explain
from results.records import EnergyReading
from results.render import FORMATS, render_summary
from results.store import open_run
from results.summary import run_summary
from tests.results.energy_run import energy_run, metered, reading

BAD = [
    ({"energy_j": 0.0}, "0 J in 2 s cannot be"),
    ({"energy_j": math.nan}, "nan J in 2 s cannot be"),
    ({"energy_j": math.inf}, "inf J in 2 s cannot be"),
    ({"energy_j": 1e19, "average_power_w": 5e18}, "1e+19 J in 2 s cannot be"),
    ({"duration_s": 0.0}, "200 J in 0 s cannot be"),
    ({"duration_s": 1e9, "average_power_w": 2e-7}, "200 J in 1e+09 s cannot be"),
    ({"duration_s": 5e-324}, "200 J in 4.94066e-324 s cannot be"),
    ({"average_power_w": 90.0}, "90 W for 2 s are not 200 J"),
    ({"average_power_w": math.nan}, "nan W for 2 s are not 200 J"),
    ({"u_window": 1e200}, "its u_window is 1e+200"),
    ({"u_sensor": -0.1}, "its u_sensor is -0.1"),
    ({"u_total": 10.1}, "its u_total is 10.1"),
    ({"idle_u_window": math.nan}, "its idle_u_window is nan"),
    ({"u_total": 0.01}, "a u_total of 0.01 is not that of a u_window of 0.03 and a u_sensor of 0.04"),
    ({"steps": -5}, "its number of steps is -5"),
    ({"steps": 0}, "its number of steps is 0"),
    ({"idle_power_w": -1.0}, "its idle power is -1 W"),
    ({"idle_power_w": 1e308}, "its idle power is 1e+308 W"),
    ({"net_energy_j": 1e9}, "200 J less 20 W for 2 s are not 1e+09 J"),
    ({"net_energy_j": math.nan}, "its net_energy_j is nan"),
    ({"peak_power_w": math.inf}, "its peak_power_w is inf"),
]


def changed(**changes):
    return msgspec.structs.replace(reading(), **changes)


@pytest.mark.parametrize(("changes", "why"), BAD, ids=[why for _, why in BAD])
def test_it_is_no_number_and_no_evidence(changes, why):
    assert contradiction(changed(**changes)) == why
    assert reading_problem(changed(**changes)) == f"unusable reading: {why}"
    step_j, evidence = step_energy(metered(changed(**changes)), 0.16)
    assert (step_j, evidence.why_not) == (None, (f"unusable reading: {why}",))


@pytest.mark.parametrize("changes", [
    {}, {"u_total": 0.05 * (1 + 1e-9)}, {"net_energy_j": None}, {"idle_power_w": 0.0, "net_energy_j": 200.0},
    {"u_total": None}, {"u_window": None}, {"average_power_w": None}, {"steps": None}, {"idle_power_w": None},
    {"u_window": 0.0, "u_sensor": 0.0, "u_total": 0.0},
])  # fmt: skip
def test_what_can_be_is_let_through(changes):
    assert contradiction(changed(**changes)) == ""


VALUES = [None, -1, 0, 1e308, 5e-324, -1e308, "=1+1", "\x1b[31m", True, 2**70, [], "x"]


@pytest.mark.parametrize("field", EnergyReading.__struct_fields__)
def test_whatever_is_written_into_a_record_nothing_breaks(tmp_path, field):
    path = energy_run(tmp_path / "run").path
    file = path / "measurements.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for value in VALUES:
        for number in (0, 1):
            edited = json.loads(json.dumps(lines[:1]))
            edited[0]["energy"][number][field] = value
            file.write_text("".join(json.dumps(line) + "\n" for line in edited))
            found = with_electricity(run_summary(open_run(path)), Tariff(0.1))
            for output_format in FORMATS[1:] if value != VALUES[7] else FORMATS:
                text = render_summary(found, output_format)
                assert "\x1b" not in text or output_format == "csv"
            told = explain(open_run(path), "bert")
            assert told.replace("\n", "").isprintable()
            for name in ENERGY_METRICS:
                number_of = getattr(found.cases[0], name)
                assert (number_of is None) == bool(getattr(found.cases[0], f"{name}_reason"))
                assert number_of is None or math.isfinite(number_of)
            assert read_session(path).cases == session_cases(open_run(path)), (field, value)


def test_the_frame_too(tmp_path):
    path = energy_run(tmp_path / "run").path
    text = (path / "measurements.jsonl").read_text()
    (path / "measurements.jsonl").write_text(text.replace('"u_window":0.03', '"u_window":1e200'))
    assert not any(p.step_j for case in read_session(path).cases for p in case.processes)
    row = frame.load(path, tariff_usd_per_kwh=0.1).iloc[0]
    assert math.isnan(row.energy_j)
    assert row.energy_j_reason == row.electricity_reason == "unusable reading: its u_window is 1e+200"
