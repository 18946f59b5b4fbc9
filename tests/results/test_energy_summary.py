"""What the readings of a case say together, with numbers worked out by hand."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.energy_summary import ENERGY_METRICS, PER_WORK_METRICS, energy_fields
from results.metrics import METRIC
from results.records import Work
from results.store import StoredRun
from results.summary import summarize
from tests.results.energy_run import IMAGES, SPEC, WORK, lost, metered, reading
from tests.results.example_run import case, run_info, timing


def summary(*records, spec=SPEC):
    records = [msgspec.structs.replace(record, replicate=k) for k, record in enumerate(records)]
    (found,) = summarize(StoredRun(None, run_info([(spec, len(records))]), records, []))
    for name in ENERGY_METRICS:
        value, reason = getattr(found, name), getattr(found, f"{name}_reason")
        assert (value is None) == bool(reason), f"{name}: {value}, {reason!r}"
        assert value != 0, name
    return found


def test_every_energy_number_is_a_metric():
    assert {*ENERGY_METRICS} <= {*METRIC}
    assert {name for name in METRIC if "energy" in name or "power" in name or "_per_w" in name} <= {*ENERGY_METRICS}


def test_100_w_for_2_s_over_10_steps_of_4_items():
    one = summary(metered(reading()))
    assert (one.energy_j, one.average_power_w, one.energy_duration_s, one.energy_window_s) == (200.0, 100.0, 2.0, 2.0)
    # The 10 steps took 1.6 s: 16 J each, 4 J a sequence, 0.5 J a token; 200 tokens/s at 100 W.
    assert one.energy_per_step_j == pytest.approx(16.0, rel=1e-12)
    assert one.energy_per_item_j == pytest.approx(4.0, rel=1e-12)
    assert one.energy_per_token_j == pytest.approx(0.5, rel=1e-12)
    assert one.tokens_per_s_per_w == pytest.approx(2.0, rel=1e-12)
    assert one.items_per_s_per_w == pytest.approx(0.25, rel=1e-12)
    assert one.tokens_per_s_per_megawatt == pytest.approx(2e6, rel=1e-12)
    # 20 W are idle power: 80 W for 1.6 s over 40 sequences.
    assert (one.idle_power_w, one.net_energy_j) == (20.0, 160.0)
    assert one.net_energy_per_item_j == pytest.approx(3.2, rel=1e-12)
    assert one.energy_precision == pytest.approx(0.03, rel=1e-12)
    assert one.energy_uncertainty == pytest.approx(0.05, rel=1e-12)
    told = (one.energy_scope, one.energy_method, one.energy_device_id, one.energy_meter, one.energy_scenario)
    assert told == ("gpu_board", "counter_tick", "GPU-1", "nvidia", "throughput")


def test_a_cycle_of_several_steps():
    decode = Work(steps=5, items=8, item_unit="token", tokens=8, flops=1)
    one = summary(metered(reading(), work=decode, timing=timing([(10, 1_600_000_000)], 0)))
    # Two cycles of 8 tokens for 160 J.
    assert (one.energy_per_token_j, one.energy_per_step_j) == (pytest.approx(10.0), pytest.approx(16.0))


def test_processes_are_a_ratio_of_sums():
    slow = metered(reading(power_w=300.0, duration_s=1.0), timing=timing([(10, 3_000_000_000)], 0))
    two = summary(metered(reading()), slow)
    # 100 W * 1.6 s + 300 W * 3 s = 1060 J for 20 steps; the mean of 16 and 90 J would be the same: steps are even.
    assert two.energy_per_step_j == pytest.approx(53.0)
    assert (two.energy_j, two.energy_duration_s, two.energy_window_s) == (500.0, 3.0, 1.0)
    assert two.average_power_w == pytest.approx(500 / 3)
    uneven = metered(reading(power_w=300.0), timing=timing([(30, 3_000_000_000)], 0))
    assert summary(metered(reading()), uneven).energy_per_step_j == pytest.approx(1060 / 40)


def test_half_widths_of_processes():
    first, second = reading(), reading(power_w=110.0, u_window=0.06, u_sensor=0.05)
    two = summary(metered(first), metered(second))
    window = math.hypot(0.03 * 200, 0.06 * 220) / 420
    # t with one degree of freedom, of 16 and 17.6 J.
    spread = 12.7062 * (1.6 / math.sqrt(2)) / math.sqrt(2) / 16.8
    assert two.energy_precision == pytest.approx(math.hypot(window, spread), rel=1e-4)
    assert two.energy_uncertainty == pytest.approx(math.hypot(0.05, two.energy_precision), rel=1e-12)


def test_the_sensor_is_not_averaged_away_and_windows_are():
    many = summary(*[metered(reading())] * 9)
    assert many.energy_precision == pytest.approx(0.01)
    assert many.energy_uncertainty == pytest.approx(math.hypot(0.01, 0.04))


def test_the_net_has_a_half_width_in_joules_of_its_own():
    one = summary(metered(reading()))
    # 3 % of 200 J, 10 % of 20 W for 2 s, 4 % of the net of 160 J.
    assert one.net_energy_half_width_j == pytest.approx(math.hypot(6.0, 4.0, 6.4), rel=1e-12)
    # Windows err independently; idle power is one number for all processes; the sensor is the worst.
    two = summary(metered(reading()), metered(reading(u_sensor=0.05)))
    assert two.net_energy_half_width_j == pytest.approx(math.hypot(6.0 * 2**0.5, 8.0, 16.0), rel=1e-12)
    # A net of nearly nothing is not sure to nearly nothing.
    none = summary(metered(reading(idle_power_w=99.999)))
    assert none.net_energy_j == pytest.approx(0.002)
    assert none.net_energy_half_width_j == pytest.approx(math.hypot(6.0, 20.0), rel=1e-3)
    assert summary(metered(reading(power_w=10.0))).net_energy_half_width_j > 0


@pytest.mark.parametrize(("changes", "reason"), [
    ({"idle_power_w": None}, "idle power was not taken"),
    ({"idle_u_window": None}, "it is not known how wrong the idle power may be"),
    ({"u_window": None}, "the meter does not say how wrong its window may be"),
    ({"u_sensor": None}, "the meter does not say how wrong its sensor may be"),
])  # fmt: skip
def test_a_net_without_half_width_says_why(changes, reason):
    one = summary(metered(reading(**changes)))
    assert (one.net_energy_half_width_j, one.net_energy_half_width_j_reason) == (None, reason)
    partly = summary(metered(reading()), metered(reading(**changes)))
    assert partly.net_energy_half_width_j_reason == reason


def test_a_remark_is_told_once():
    found = summary(metered(reading(remark="one part only")), metered(reading(remark="one part only")))
    assert found.energy_remark == "one part only"
    assert summary(metered(reading())).energy_remark == ""


def test_more_processes_than_a_t_interval_is_tabled_for():
    many = summary(*(metered(reading(power_w=100.0 + k % 2)) for k in range(100)))
    assert 0.003 < many.energy_precision < 0.006


def test_a_pass_without_number_has_none_and_no_other_scope_takes_its_place():
    package = reading(scope="cpu_package", meter="rapl", device_id=None)
    one = summary(metered(lost(), package))
    assert (one.energy_j, one.energy_reason, one.energy_scope) == (None, "the meter was lost", "gpu_board")
    assert {getattr(one, f"{name}_reason") for name in ENERGY_METRICS} == {"the meter was lost"}


def test_every_process_is_needed():
    partly = summary(metered(reading()), metered(lost()))
    assert (partly.energy_j, partly.energy_j_reason) == (None, "in 1 of 2 processes: the meter was lost")
    assert summary(metered(lost()), metered(lost())).energy_j_reason == "the meter was lost"
    assert summary(metered()).energy_j_reason == "not measured"


@pytest.mark.parametrize(("changes", "reason"), [
    ({"scope": "module"}, "processes were metered in different scopes: gpu_board, module"),
    ({"device_id": "GPU-2"}, "processes were metered in different devices: GPU-1, GPU-2"),
    ({"device_id": None}, "processes were metered in different devices: GPU-1, not told"),
])  # fmt: skip
def test_unlike_processes_are_not_added_up(changes, reason):
    assert summary(metered(reading()), metered(reading(**changes))).energy_j_reason == reason


@pytest.mark.parametrize(("changes", "reason"), [
    ({"energy_j": 0.0}, "unusable reading: 0 J in 2 s cannot be"),
    ({"energy_j": -1.0}, "unusable reading: -1 J in 2 s cannot be"),
    ({"duration_s": 0.0}, "unusable reading: 200 J in 0 s cannot be"),
    ({"duration_s": None}, "no duration"),
    ({"average_power_w": 90.0}, "unusable reading: 90 W for 2 s are not 200 J"),
    ({"energy_j": None}, "neither energy nor reason"),
])  # fmt: skip
def test_a_reading_that_cannot_be_gives_no_number(changes, reason):
    found = summary(metered(msgspec.structs.replace(reading(), **changes)))
    assert found.energy_j is None
    assert reason in found.energy_j_reason


def test_the_latency_pass_has_its_own_energy_and_half_width():
    one = summary(metered(reading(), reading("latency", 50.0, 4.0, u_window=0.08, u_sensor=0.06)))
    assert (one.energy_per_step_j, one.latency_energy_per_step_j) == (pytest.approx(16.0), pytest.approx(20.0))
    assert (one.energy_uncertainty, one.latency_energy_uncertainty) == (pytest.approx(0.05), pytest.approx(0.1))
    other = summary(metered(reading(), reading("latency", scope="module")))
    assert (other.energy_j, other.latency_energy_per_step_j) == (200.0, None)
    assert "another scope" in other.latency_energy_per_step_j_reason
    gone = summary(metered(reading(), lost("meter gone", "latency")))
    assert (gone.energy_j, gone.latency_energy_per_step_j_reason) == (200.0, "meter gone")


def test_only_latency_was_planned():
    spec = case("bert-encoder", "infer", "fp32", scenarios=("latency",))
    one = summary(metered(reading("latency", 50.0, 4.0), spec=spec, timing=timing([], 0)), spec=spec)
    # 200 J for 10 synced steps of 4 sequences.
    assert (one.energy_per_step_j, one.energy_per_item_j) == (20.0, 5.0)
    assert one.latency_energy_per_step_j == 20.0
    assert one.items_per_s_per_w_reason == "scenario throughput was not planned"
    # Windows that are there though none was planned are of another pass than the power.
    edited = summary(metered(reading("latency", 50.0, 4.0), spec=spec), spec=spec)
    assert (edited.energy_per_step_j, edited.items_per_s_per_w) == (20.0, None)
    assert edited.tokens_per_s_per_w_reason == "scenario throughput was not planned"
    unknown = summary(metered(reading("latency", steps=None), spec=spec, timing=timing([], 0)), spec=spec)
    assert (unknown.energy_j, unknown.energy_per_step_j) == (200.0, None)
    assert "not known how many steps" in unknown.energy_per_step_j_reason


def test_what_is_missing_has_its_own_reason():
    one = summary(metered(reading(idle_power_w=None, u_sensor=None), work=IMAGES))
    assert one.energy_per_token_j_reason == one.tokens_per_s_per_w_reason == "the workload has no tokens"
    assert one.net_energy_j_reason == one.net_energy_per_item_j_reason == "idle power was not taken"
    assert (one.energy_precision, one.energy_uncertainty) == (pytest.approx(0.03), None)
    assert "sensor" in one.energy_uncertainty_reason
    part_time = summary(metered(reading(u_window=None, part_time=True)))
    assert "part of each period" in part_time.energy_precision_reason
    not_latency = case("bert-encoder", "infer", "fp32", scenarios=("throughput",))
    planned = summary(metered(reading(), spec=not_latency), spec=not_latency)
    assert planned.latency_energy_per_step_j_reason == "scenario latency was not planned"


def test_a_reading_over_both_passes_is_of_no_step():
    one = summary(metered(reading(None)))
    assert (one.energy_j, one.average_power_w) == (200.0, 100.0)
    assert {getattr(one, f"{name}_reason")[:32] for name in PER_WORK_METRICS} == {"the reading is over both passes,"}


def test_rates_that_do_not_belong_to_the_energy_are_not_let_through():
    with pytest.raises(AssertionError, match="is not 100.0 W"):
        energy_fields([metered(reading())], WORK, {"throughput_per_s": 25.0001, "tokens_per_s": 200.0})
    with pytest.raises(AssertionError, match="is not 100.0 W"):
        energy_fields([metered(reading())], WORK, {"throughput_per_s": 25.0, "tokens_per_s": 199.0})


PROCESS = st.tuples(
    st.floats(1e-3, 1e4), st.floats(0.1, 100.0),
    st.lists(st.tuples(st.integers(1, 1000), st.integers(10**6, 10**11)), min_size=1, max_size=3),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PROCESS, min_size=1, max_size=4), st.integers(1, 8))
def test_identities(processes, cycle):
    work = msgspec.structs.replace(WORK, steps=cycle)
    one = summary(*(
        metered(reading(power_w=power, duration_s=seconds, idle_power_w=power / 2), work=work,
                timing=timing([(n * cycle, ns) for n, ns in windows], 0))
        for power, seconds, windows in processes
    ))  # fmt: skip
    busy = [sum(ns for _, ns in windows) for _, _, windows in processes]
    mean_w = sum(p * ns for (p, _, _), ns in zip(processes, busy, strict=True)) / sum(busy)
    assert one.energy_per_token_j * one.tokens_per_s == pytest.approx(mean_w, rel=1e-9)
    assert one.energy_per_step_j * one.steps_per_s == pytest.approx(mean_w, rel=1e-9)
    assert one.energy_per_token_j * one.tokens_per_s_per_w == pytest.approx(1.0, rel=1e-9)
    assert one.average_power_w * one.energy_duration_s == pytest.approx(one.energy_j, rel=1e-12)
    assert one.net_energy_per_item_j == pytest.approx(one.energy_per_item_j / 2, rel=1e-9)
