"""From stored readings to the energy of a step."""

from __future__ import annotations

import json

import pytest

from results.records import EnergyReading
from results.stored_process import LineReader, StoredProcess
from tests.results.metered import SECONDS, metered, reading
from tests.results.sessions import session
from tests.results.test_evidence import edit, read_one


def one_step(tmp_path, **record):
    session(tmp_path / "r", record=record)
    return read_one(tmp_path / "r").processes[0]


# From readings to the energy of a step


def test_power_times_the_mean_step_of_the_throughput_pass(tmp_path):
    main, other = reading(300.0), reading(500.0, scope="node")
    process = one_step(tmp_path, **metered(main, other, reading(200.0, "latency")))
    assert process.step_j == pytest.approx(300.0 * process.mean_step_s)
    found = process.energy
    assert (found.scenario, found.scope, found.device_id) == ("throughput", "gpu_board", "GPU-1")
    assert (found.u_window, found.u_sensor, found.why_not) == (0.004, 0.05, ())


def test_the_latency_pass_serves_where_there_is_no_throughput(tmp_path):
    session(tmp_path / "r", record=metered(reading(200.0, "latency", steps=1234)))
    for replicate in range(5):
        edit(
            tmp_path / "r",
            replicate,
            lambda line: (line["stats"].update(mean_step_s=None), line["timing"].update(windows=[])),
        )
    process = read_one(tmp_path / "r").processes[0]
    assert process.step_j == pytest.approx(200.0 * SECONDS / 1234)
    assert process.energy.scenario == "latency"


def test_steps_are_needed_where_there_are_no_windows(tmp_path):
    session(tmp_path / "r", record=metered(reading(200.0, "latency", steps=None)))
    edit(tmp_path / "r", 0, lambda line: (line["stats"].update(mean_step_s=None), line["timing"].update(windows=[])))
    process = read_one(tmp_path / "r").processes[0]
    assert (process.step_j, process.energy.why_not) == (None, ("unusable reading: its steps are not known",))


@pytest.mark.parametrize(("readings", "why"), [
    ((EnergyReading(reason="no power meter reads this device"),), "no reading: no power meter reads this device"),
    ((EnergyReading(energy_j=12.0, duration_s=1.0),), "no reading: the energy is of both passes together, as older formats have it"),
    ((reading(scenario="latency"),), "no reading: the throughput pass was not metered"),
    ((EnergyReading(scenario="throughput", reason="GPU is lost"), reading(meter="rapl", scope="cpu_package")), "no reading: GPU is lost"),
    ((reading(u_window=None),), "unusable reading: its u_window is not known"),
    ((reading(source=None),), "unusable reading: its source is not known"),
    ((reading(average_power_w=None),), "unusable reading: power or duration are not known"),
    ((reading(energy_j=0.0, average_power_w=0.0),), "unusable reading: 0 J in 12.34 s cannot be"),
    ((reading(energy_j=1.0),), "unusable reading: 300 W for 12.34 s are not 1 J"),
    ((reading(u_window=-0.1),), "unusable reading: its u_window is -0.1"),
])  # fmt: skip
def test_what_is_no_evidence_has_a_reason_and_costs_no_time(tmp_path, readings, why):
    process = one_step(tmp_path, **metered(*readings))
    assert (process.step_j, process.energy.why_not) == (None, (why,))
    assert process.mean_step_s == pytest.approx(0.001, rel=0.01)
    assert process.failed_guards == ()


def test_nothing_was_asked_for(tmp_path):
    process = one_step(tmp_path, energy=())
    assert (process.step_j, process.energy) == (None, None)


def test_lines_of_format_2_are_no_evidence_and_no_crash(tmp_path):
    run = session(tmp_path / "r")
    old = json.loads((run.path / "measurements.jsonl").read_bytes().splitlines()[0])
    old |= {
        "schema_version": 2,
        "energy": {"energy_j": 12.0, "duration_s": 1.0, "source": "nvml", "scope": "gpu_board"},
    }
    read = LineReader().read(json.dumps(old).encode())
    assert not isinstance(read, StoredProcess)
    (run.path / "measurements.jsonl").write_text(json.dumps(old) + "\n")
    process = read_one(run.path).processes[0]
    assert process.step_j is None
    assert "older formats" in process.energy.why_not[0]
    old["energy"] = None
    (run.path / "measurements.jsonl").write_text(json.dumps(old) + "\n")
    assert read_one(run.path).processes[0].energy is None
