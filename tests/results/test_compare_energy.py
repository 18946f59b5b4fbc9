"""Energy in comparisons and baselines, from stored readings to the exit code."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import msgspec
import pytest

from results.ab_report import ab_report
from results.baseline_load import load_baseline
from results.compare import CompareOptions, compare
from results.energy_row import MAX_SHARE
from results.evidence import read_session, session_cases
from results.records import EnergyReading, Guard
from results.render_baseline import create_text, entry_text
from results.render_compare import FORMATS, render_comparison
from results.store import open_run
from results.verdict import RULE
from tests.results.ab_folders import ab_folder
from tests.results.baselines.stores import add
from tests.results.metered import WINDOW, metered, reading
from tests.results.sessions import session, sessions
from tests.results.test_evidence import edit


def against(tmp_path, new, base=None, gating=("throughput", "energy"), **options):
    """Three sessions against one, as cases; ``new`` and ``base`` change the measurements. Both ways to read agree."""
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    old = [case for run in sessions(folder, 3, record=base or metered()) for case in read_session(run.path).cases]
    old = [msgspec.structs.replace(case, gating=gating) for case in old]
    made = session(folder / "new", hour=50, record=new)
    assert read_session(made.path).cases == session_cases(made)
    return compare(read_session(made.path).cases, old, CompareOptions(**options))


def energy(report):
    (row,) = [row for row in report.rows if row.metric == "energy"]
    return row


def time(report):
    return next(row for row in report.rows if row.metric == "throughput")


# Verdicts


@pytest.mark.parametrize(("power_w", "verdict", "word", "code"), [
    (330.0, "slower", "more energy", 3), (270.0, "faster", "less energy", 0), (300.0, "same", "same energy", 0),
])  # fmt: skip
def test_declared_and_precise_it_decides(tmp_path, power_w, verdict, word, code):
    report = against(tmp_path, metered(reading(power_w)))
    row = energy(report)
    assert (row.gating, row.verdict, report.exit_code) == (True, verdict, code)
    assert row.judgement.ratio == pytest.approx(power_w / 300.0, rel=0.003)
    assert row.new_j / row.base_j == pytest.approx(row.judgement.ratio)
    assert row.base_j == pytest.approx(0.3, rel=0.003)
    assert (row.base_s, row.new_s, row.p_adjusted is not None) == (None, None, True)
    assert (time(report).verdict, time(report).base_j) == ("same", None)
    assert f"1 {word}" in report.reason
    for output_format in FORMATS:
        text = render_comparison(report, output_format)
        assert word in text or (output_format == "github" and verdict == "same"), output_format


def test_not_declared_it_is_told(tmp_path):
    report = against(tmp_path, metered(reading(330.0)), gating=None)
    row = energy(report)
    assert (row.gating, row.verdict, report.exit_code, report.outcome) == (False, "slower", 0, "same")
    assert row.adjustment == "benjamini-hochberg"
    assert time(report).p_adjusted == time(report).judgement.p_value  # a family of one
    assert "(more energy)" in render_comparison(report, "table")


def test_it_speaks_of_energy_and_joules(tmp_path):
    report = against(tmp_path, metered(reading(330.0)))
    assert energy(report).reason.startswith("+10.0 % in energy, 99 % interval")
    assert render_comparison(report, "markdown").startswith("**chipmark: more energy** (1 same, 1 more energy)")
    assert "in energy (300 mJ to 330 mJ a step)" in render_comparison(report, "github")
    suite = ElementTree.fromstring(render_comparison(report, "junit")).find("testsuite")
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("message").startswith("more energy: ")
    assert failure.get("type") == "slower"
    assert "slower" not in render_comparison(report, "table").replace("+ is slower", "")
    assert json.loads(render_comparison(report, "json"))["schema_version"] == 2


@pytest.mark.parametrize("gating", [("throughput", "energy"), None])
def test_an_imprecise_window_is_not_judged(tmp_path, gating):
    report = against(tmp_path, metered(reading(330.0, u_window=0.012)), gating=gating)
    row = energy(report)
    assert (row.gating, row.verdict, row.judgement) == (gating is not None, "inconclusive", None)
    assert "u_window is 1.26 % for both sides together, and at most 1 %" in row.reason
    assert "a change of +10.0 % is not judged" in row.reason
    assert report.exit_code == (4 if gating else 0)
    assert time(report).verdict == "same"
    assert "(inconclusive)" in render_comparison(report, "table") or gating


def test_the_uncertainties_of_both_sides_are_combined(tmp_path):
    limit = MAX_SHARE * (2.718281828459045**RULE.min_change - 1)
    one = limit / 2**0.5
    below, above = metered(reading(u_window=0.999 * one)), metered(reading(u_window=1.001 * one))
    assert energy(against(tmp_path, below, below)).verdict == "same"
    assert energy(against(tmp_path, above, above)).verdict == "inconclusive"


def test_the_gain_of_a_sensor_cancels_on_one_card_only(tmp_path):
    report = against(tmp_path, metered(reading(330.0, device_id="GPU-2")))
    row = energy(report)
    assert (row.verdict, report.exit_code) == ("inconclusive", 4)
    assert "GPU-1 in the baseline, GPU-2 here" in row.reason
    assert "u_sensor is 7.07 % for both sides together" in row.reason
    unknown = energy(against(tmp_path, metered(reading(330.0, device_id=None))))
    assert "not known whether the cards are the same" in unknown.reason
    no_sensor = energy(against(tmp_path, metered(reading(330.0, device_id="GPU-2", u_sensor=None))))
    assert "u_sensor is not known" in no_sensor.reason
    precise = metered(reading(u_sensor=0.001))
    other = metered(reading(330.0, device_id="GPU-2", u_sensor=0.001))
    assert energy(against(tmp_path, other, precise)).verdict == "slower"


@pytest.mark.parametrize(("changes", "key"), [
    ({"scope": "module"}, "energy_scope"), ({"source": "nvml power"}, "energy_source"), ({"method": "integral"}, "energy_method"),
])  # fmt: skip
def test_energies_of_another_kind_are_refused_and_times_are_not(tmp_path, changes, key):
    report = against(tmp_path, metered(reading(330.0, **changes)))
    row, (difference,) = energy(report), energy(report).differences
    assert (row.verdict, row.judgement, row.gating) == ("not-comparable", None, True)
    assert difference.key == key
    assert f"{key} is {difference.base} in the baseline and {difference.new} here" in row.reason
    assert difference.new == next(iter(changes.values()))
    assert (time(report).verdict, report.exit_code) == ("same", 5)
    told = against(tmp_path, metered(reading(330.0, **changes)), gating=None)
    assert (energy(told).gating, told.exit_code) == (False, 0)


def test_a_disturbed_candidate_has_no_energy_verdict_either(tmp_path):
    steal = Guard(name="steal", value=0.09, threshold=0.02, verdict="FAIL", reason="9 % stolen")
    row = energy(against(tmp_path, metered(reading(330.0), guards=(steal,))))
    assert row.verdict == "inconclusive"
    assert row.reason.startswith("noisy host")
    assert "in energy" in row.reason


# Guards on the energy, and readings that are missing


def test_a_failed_energy_guard_takes_the_energy_and_leaves_the_time(tmp_path):
    report = against(tmp_path, metered(guards=(WINDOW,)))
    row = energy(report)
    assert (row.verdict, row.gating, report.exit_code) == ("inconclusive", True, 4)
    assert row.reason == (
        "energy was not measured in the candidate; the candidate: energy_window in 5 of 5 processes: "
        "a window of 0.4 s, at least 5 s are needed"
    )
    assert time(report).verdict == "same"
    assert "guard failed" not in " ".join((*time(report).warnings, time(report).reason))
    told = against(tmp_path, metered(guards=(WINDOW,)), gating=None)
    assert (energy(told).gating, energy(told).verdict, told.exit_code) == (False, "inconclusive", 0)


def test_smoke_windows_on_both_sides_leave_no_row(tmp_path):
    short = metered(guards=(WINDOW,))
    report = against(tmp_path, short, short, gating=None)
    assert {row.metric for row in report.rows} == {"throughput", "latency_p50", "latency_p99"}
    assert (report.exit_code, energy(against(tmp_path, short, short)).verdict) == (0, "inconclusive")


def test_one_process_without_energy_is_left_out_and_said_once(tmp_path):
    old = [case for run in sessions(tmp_path, 3, record=metered()) for case in read_session(run.path).cases]
    session(tmp_path / "new", hour=50, record=metered(reading(330.0)))
    edit(tmp_path / "new", 2, lambda line: line.update(energy=[{"scenario": "throughput", "reason": "GPU is lost"}]))
    edit(tmp_path / "new", 3, lambda line: line["guards"].append(msgspec.to_builtins(WINDOW)))
    report = compare(read_session(tmp_path / "new").cases, old)
    row = energy(report)
    assert (row.verdict, row.judgement.num_processes_new, time(report).judgement.num_processes_new) == ("slower", 3, 5)
    (text,) = row.warnings
    assert text.startswith(
        "candidate: energy is left out: no reading in 1 of 5 processes: GPU is lost; energy_window in 1 of 5"
    )
    assert time(report).warnings == ()


def test_missing_on_one_side(tmp_path):
    nothing = metered(EnergyReading(scenario="throughput", reason="no power meter reads this device"))
    declared = against(tmp_path, nothing)
    assert (energy(declared).verdict, declared.exit_code) == ("inconclusive", 4)
    assert "no power meter reads this device" in energy(declared).reason
    assert energy(against(tmp_path, metered(), nothing, gating=None)).reason.startswith(
        "energy was not measured in the baseline"
    )
    neither = against(tmp_path, nothing, nothing, gating=None)
    assert "energy" not in {row.metric for row in neither.rows}


# Baselines


def test_baselines_take_energy_and_may_be_decided_by_it(tmp_path):
    runs = sessions(tmp_path, 3, record=metered())
    report = add(tmp_path / "store", *runs, gating=("throughput", "energy"))
    assert len(report.added) == 3
    assert not [text for added in report.added for text in added.cautions if "energy" in text]
    new = read_session(session(tmp_path / "new", hour=50, record=metered(reading(330.0))).path).cases
    found = compare(new, load_baseline([tmp_path / "store"], new).cases)
    assert (energy(found).verdict, energy(found).gating, found.exit_code) == ("slower", True, 3)


def test_a_baseline_without_energy_says_why(tmp_path):
    report = add(tmp_path / "store", session(tmp_path / "run", record=metered(guards=(WINDOW,))))
    assert report.barred == ()
    assert "    note: energy is not part of it: energy_window in 5 of 5 processes" in create_text(report)
    session(tmp_path / "partly", hour=3, record=metered())
    edit(tmp_path / "partly", 2, lambda line: line["guards"].append(msgspec.to_builtins(WINDOW)))
    text = create_text(add(tmp_path / "store", open_run(tmp_path / "partly")))
    assert "    note: the energy of some processes is not part of it: energy_window in 1 of 5 processes" in text
    quiet = add(tmp_path / "other", session(tmp_path / "none"))
    assert "note: energy" not in create_text(quiet)


def test_what_is_to_decide_must_be_there(tmp_path):
    report = add(tmp_path / "store", session(tmp_path / "run", record=metered(guards=(WINDOW,))), gating=("energy",))
    (barred,) = report.barred
    assert barred.reasons[0].startswith("energy is to decide and was not measured: energy_window in 5 of 5 processes")


def test_an_entry_shows_its_energy(tmp_path):
    from results.baseline_list import describe
    from results.baseline_store import read_store

    add(tmp_path / "store", session(tmp_path / "run", record=metered()))
    (entry,) = read_store(tmp_path / "store")
    assert "energy 300 mJ a step" in entry_text(describe(entry))


# A/B comparisons


def test_in_pairs(tmp_path):
    folder = ab_folder(
        tmp_path / "ab", [(1.0, 1.001), (1.0, 0.999)] * 4, record=metered(), b={"record": metered(reading(330.0))}
    )
    report = ab_report(folder, CompareOptions())
    row = energy(report)
    assert (row.verdict, row.gating, report.exit_code) == ("slower", False, 0)
    assert row.judgement.num_sessions_new == 8
    # One half without energy costs its pair, of the energy only.
    edit(folder / "02-b", 0, lambda line: line["guards"].append(msgspec.to_builtins(WINDOW)))
    report = ab_report(folder, CompareOptions())
    assert (energy(report).judgement.num_sessions_new, time(report).judgement.num_sessions_new) == (7, 8)
    assert any("energy_window" in text for text in energy(report).warnings)


def test_cards_that_nobody_knows_on_either_side_are_not_the_same(tmp_path):
    unknown = metered(reading(device_id=None))
    row = energy(against(tmp_path, unknown, unknown))
    assert row.verdict == "inconclusive"
    assert row.reason.startswith("it is not known whether the cards are the same, and u_sensor is 7.07 %")


def test_passes_of_another_kind_are_refused(tmp_path):
    old = [case for run in sessions(tmp_path, 3, record=metered()) for case in read_session(run.path).cases]
    session(tmp_path / "new", hour=50, record=metered(reading(300.0, "latency")))
    for replicate in range(5):
        edit(
            tmp_path / "new",
            replicate,
            lambda line: (line["stats"].update(mean_step_s=None), line["timing"].update(windows=[])),
        )
    row = energy(compare(read_session(tmp_path / "new").cases, old))
    assert (row.verdict, row.reason) == ("not-comparable", "energy_pass is throughput in the baseline and latency here")
