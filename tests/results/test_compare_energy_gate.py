"""What keeps a gate on energy honest: which card, how many processes, how wide the interval, which records."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from results.ab_report import ab_report
from results.compare import CompareOptions, compare
from results.evidence import read_session
from results.records import EnergyReading
from results.store import open_run
from results.stored_process import LineReader, StoredProcess
from results.summary import run_summary
from tests.results.ab_folders import ab_folder
from tests.results.metered import metered, reading
from tests.results.sessions import session, sessions
from tests.results.test_compare_energy import against, energy, time
from tests.results.test_evidence import edit

UUID = "GPU-8f6f3c9b-43dd-3d2c-6d9a-27c7d6f3f0a1"
PACKAGE = {"device_id": "intel-rapl:0", "scope": "cpu_package", "source": "powercap energy_uj (package-0)"}


def on_hosts(tmp_path, hosts, **changes):
    """Three sessions on the first host against one on the second, with 5 % more power."""
    old = sessions(tmp_path, 3, record=metered(reading(**changes)), environment={"host_id": hosts[0]})
    made = session(
        tmp_path / "new", hour=50, record=metered(reading(315.0, **changes)), environment={"host_id": hosts[1]}
    )
    found = [case for run in old for case in read_session(run.path).cases]
    return energy(compare(read_session(made.path).cases, found))


@pytest.mark.parametrize("device", [
    PACKAGE, {"device_id": "/sys/class/hwmon/hwmon3"}, {"device_id": "0000:03:00.0"}, {"device_id": "GPU-1.csv"},
])  # fmt: skip
def test_names_that_other_machines_have_too_are_of_one_card_on_one_host_only(tmp_path, device):
    row = on_hosts(tmp_path, ("host-a", "host-b"), **device)
    assert (row.verdict, row.judgement) == ("inconclusive", None)
    name = device["device_id"]
    assert f"({name} of host host-a in the baseline, {name} of host host-b here)" in row.reason


def test_on_one_host_they_are(tmp_path):
    assert on_hosts(tmp_path, ("host-a", "host-a"), **PACKAGE).verdict == "slower"


def test_a_card_with_a_uuid_is_the_same_in_another_machine(tmp_path):
    assert on_hosts(tmp_path, ("host-a", "host-b"), device_id=UUID).verdict == "slower"


def test_a_host_that_is_not_known_proves_nothing(tmp_path):
    row = on_hosts(tmp_path, ("", ""), **PACKAGE)
    assert "not known whether the cards are the same" in row.reason


def lose(folder, replicates):
    for replicate in replicates:
        edit(folder, replicate, lambda line: line.update(energy=[{"scenario": "throughput", "reason": "GPU is lost"}]))


@pytest.mark.parametrize(("lost", "said"), [((4,), "1 of 5"), ((1, 2, 3, 4), "4 of 5")])
def test_energy_decides_only_where_every_process_has_it(tmp_path, lost, said):
    folder = tmp_path / "a"
    gate = half(folder, lost, ("throughput", "energy"))
    row = energy(gate)
    assert (row.gating, row.verdict, row.judgement, gate.exit_code) == (True, "inconclusive", None, 4)
    assert row.reason.startswith(
        f"{said} processes of the candidate have no energy (no reading in {said} processes: GPU is lost)"
    )
    assert time(gate).verdict == "same"
    told = half(tmp_path / "b", lost, None)
    assert (energy(told).gating, told.exit_code) == (False, 0)
    if said == "1 of 5":
        assert energy(told).verdict == "same"
    assert any("GPU is lost" in text for text in energy(told).warnings)


def half(folder, lost, gating):
    old = [case for run in sessions(folder, 3, record=metered()) for case in read_session(run.path).cases]
    made = session(folder / "new", hour=50, record=metered())
    lose(made.path, lost)
    return compare(read_session(made.path).cases, [msgspec.structs.replace(case, gating=gating) for case in old])


def test_a_process_that_no_meter_was_asked_of_has_none_either(tmp_path):
    old = [case for run in sessions(tmp_path, 3, record=metered()) for case in read_session(run.path).cases]
    made = session(tmp_path / "new", hour=50, record=metered())
    edit(made.path, 0, lambda line: line.update(energy=[]))
    found = compare(read_session(made.path).cases, [msgspec.structs.replace(c, gating=("energy",)) for c in old])
    assert energy(found).reason.startswith("1 of 5 processes of the candidate have no energy (no meter was asked)")


# The interval


def test_the_interval_holds_the_error_of_the_windows(tmp_path):
    exact = energy(against(tmp_path, *[metered(reading(u_window=0.0))] * 2)).judgement
    rough = energy(against(tmp_path, *[metered(reading(u_window=0.006))] * 2)).judgement
    both = 0.006 * math.sqrt(2)
    assert rough.half_width == pytest.approx(math.hypot(exact.half_width, both), rel=1e-9)
    assert math.log(rough.ratio_high / rough.ratio) == pytest.approx(rough.half_width)
    assert rough.log_difference == exact.log_difference


@pytest.mark.parametrize(("u_window", "verdict"), [(0.0, "same"), (0.006, "inconclusive")])
def test_same_is_not_said_of_what_windows_may_hide(tmp_path, u_window, verdict):
    row = energy(against(tmp_path, metered(reading(303.5, u_window=u_window)), metered(reading(u_window=u_window))))
    assert row.verdict == verdict
    assert ("neither a change" in row.reason) == (verdict == "inconclusive")


def test_p_values_go_with_the_interval(tmp_path):
    exact = energy(against(tmp_path, metered(reading(306.0, u_window=0.0)), metered(reading(u_window=0.0)))).judgement
    rough = energy(
        against(tmp_path, metered(reading(306.0, u_window=0.006)), metered(reading(u_window=0.006)))
    ).judgement
    assert rough.p_value > exact.p_value
    for found in (exact, rough):
        assert (found.p_value < 0.01) == (abs(found.log_difference) > found.half_width)


def test_pairs_hold_it_too(tmp_path):
    def judged(u_window, folder):
        same = metered(reading(u_window=u_window))
        path = ab_folder(tmp_path / folder, [(1.0, 1.001), (1.0, 0.999)] * 4, record=same)
        return energy(ab_report(path, CompareOptions())).judgement

    exact, rough = judged(0.0, "exact"), judged(0.006, "rough")
    assert rough.half_width == pytest.approx(math.hypot(exact.half_width, 0.006 * math.sqrt(2)), rel=1e-9)
    assert rough.p_value > exact.p_value


# Records


@pytest.mark.parametrize("field", ["peak_power_w", "poll_s", "trace", "crosscheck_ratio", "num_windows"])
def test_what_show_refuses_is_no_evidence(tmp_path, field):
    made = session(tmp_path / "run", record=metered())
    edit(made.path, 2, lambda line: line["energy"][0].update({field: [1]}))
    run = open_run(made.path)
    (case,) = read_session(made.path).cases
    assert len(run.measurements) == len(case.processes) == 4
    assert run.warnings
    assert run_summary(run).cases[0].num_measured == 4


def test_readings_are_decoded_whole(tmp_path):
    made = session(tmp_path / "run", record=metered())
    line = (made.path / "measurements.jsonl").read_bytes().splitlines()[0]
    found = LineReader().read(line)
    assert isinstance(found, StoredProcess)
    assert found.energy == open_run(made.path).measurements[0].energy
    assert isinstance(found.energy[0], EnergyReading)
    assert json.loads(line)["energy"]
