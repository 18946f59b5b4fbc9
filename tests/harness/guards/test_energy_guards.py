"""Guards on energy readings, each both ways, and where there is nothing to say."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from harness.guards.energy import energy_guards
from results.records import EnergyReading, Guard

NAN = math.nan


def reading(**changes: Any) -> EnergyReading:
    """A counter that ticks each 100 ms, over 12 s at 200 W, with nothing wrong."""
    good = EnergyReading(
        meter="fake", scenario="throughput", scope="gpu_board", source="counter", method="counter_tick",
        energy_j=2400.0, average_power_w=200.0, duration_s=12.0, steps=431, poll_s=0.02, max_gap_s=0.021, update_s=0.1,
        crosscheck_ratio=1.01, crosscheck_source="power", idle_power_w=60.0, power_limit_w=300.0,
    )  # fmt: skip
    return msgspec.structs.replace(good, **changes)


def integral(**changes: Any) -> EnergyReading:
    return reading(**({"method": "integral", "part_time": True} | changes))


def judged(*readings: EnergyReading) -> dict[str, Guard]:
    return {guard.name: guard for guard in energy_guards(readings)}


def lost(**changes: Any) -> EnergyReading:
    return reading(energy_j=None, average_power_w=None, reason="the meter was lost: GPU is lost", **changes)


def test_a_good_reading_passes_all_that_apply() -> None:
    found = judged(reading())
    assert list(found) == ["energy_window", "energy_gap", "energy_crosscheck", "energy_range"]
    assert {guard.verdict for guard in found.values()} == {"PASS"}
    assert all(guard.reason.startswith("throughput: ") for guard in found.values())
    assert "energy_resonance" in judged(integral())


def test_no_meter_no_guard() -> None:
    assert energy_guards([]) == ()
    assert energy_guards([EnergyReading(scenario="throughput", reason="no power meter is for it")]) == ()


def test_a_lost_meter_is_unknown_with_the_reason() -> None:
    # Said once, not by every guard.
    for gone in (lost(part_time=True), EnergyReading(meter="fake", scenario="latency", reason="GPU is lost: OSError")):
        (guard,) = energy_guards([gone])
        assert (guard.name, guard.verdict, guard.value) == ("energy_gap", "UNKNOWN", None)
        assert "GPU is lost" in guard.reason


def test_a_meter_lost_in_the_second_pass_is_told() -> None:
    found = judged(reading(), lost(scenario="latency"))
    assert found["energy_window"].verdict == "PASS"
    assert found["energy_gap"].verdict == "UNKNOWN"
    assert found["energy_gap"].reason == "latency: the meter was lost: GPU is lost"


def test_only_the_main_reading_of_a_pass_counts() -> None:
    beside = reading(meter="rapl", max_gap_s=3.0, crosscheck_ratio=9.0)
    assert {guard.verdict for guard in energy_guards([reading(), beside])} == {"PASS"}
    # Also where the main one was lost: another scope does not stand in for it.
    assert {name: guard.verdict for name, guard in judged(lost(), reading()).items()} == {"energy_gap": "UNKNOWN"}


def test_the_worse_pass_tells() -> None:
    found = judged(reading(crosscheck_ratio=1.08), reading(scenario="latency", crosscheck_ratio=1.3))
    assert (found["energy_crosscheck"].verdict, found["energy_crosscheck"].value) == ("FAIL", pytest.approx(0.3))
    assert found["energy_crosscheck"].reason.startswith("latency: ")
    found = judged(reading(crosscheck_ratio=1.08), reading(scenario="latency", crosscheck_ratio=None))
    assert found["energy_crosscheck"].verdict == "WARN"  # not knowing is not worse than a fault


@pytest.mark.parametrize(
    ("seconds", "update_s", "verdict", "threshold"),
    [(12.0, 0.1, "PASS", 10.0), (10.0, 0.1, "PASS", 10.0), (9.9, 0.1, "WARN", 10.0), (4.9, 0.1, "FAIL", 5.0),
     (30.0, 1.0, "FAIL", 50.0), (60.0, 1.0, "PASS", 50.0), (9.0, None, "WARN", 10.0), (0.1, None, "WARN", 10.0),
     (11.0, None, "UNKNOWN", 10.0)],
)  # fmt: skip
def test_window(seconds: float, update_s: float | None, verdict: str, threshold: float | None) -> None:
    guard = judged(reading(duration_s=seconds, update_s=update_s))["energy_window"]
    assert (guard.verdict, guard.threshold) == (verdict, pytest.approx(threshold) if threshold else None)
    assert guard.value == (None if verdict == "UNKNOWN" else seconds)


def test_the_second_pass_may_be_short() -> None:
    short = reading(scenario="latency", duration_s=0.5, crosscheck_ratio=1.4, average_power_w=900.0, max_gap_s=0.2)
    found = judged(reading(), short)
    assert {name: guard.verdict for name, guard in found.items()} == {
        "energy_window": "PASS", "energy_gap": "WARN", "energy_crosscheck": "PASS", "energy_range": "PASS",
    }  # fmt: skip


def test_a_short_main_pass_is_no_fault_of_the_sensor() -> None:
    found = judged(reading(duration_s=0.5, crosscheck_ratio=1.4, average_power_w=900.0))
    assert found["energy_window"].verdict == "FAIL"
    assert found["energy_crosscheck"].verdict == found["energy_range"].verdict == "UNKNOWN"
    # A counter that ticked too rarely to tell its period is as short; a difference that says no more is not.
    assert judged(reading(update_s=None, method="counter_naive"))["energy_range"].verdict == "UNKNOWN"
    assert judged(reading(update_s=None, method=None))["energy_range"].verdict == "PASS"


@pytest.mark.parametrize(
    ("gap_s", "poll_s", "update_s", "verdict", "threshold"),
    [(0.021, 0.02, 0.1, "PASS", 0.1), (0.09, 0.02, 0.1, "PASS", 0.1), (0.11, 0.02, 0.1, "WARN", 0.1),
     (0.51, 0.02, 0.1, "FAIL", 0.5), (0.03, 0.02, 0.02, "PASS", 0.04), (0.05, 0.02, 0.02, "WARN", 0.04),
     (0.11, 0.02, 0.02, "FAIL", 0.1), (0.03, 0.02, 0.001, "PASS", 0.04), (0.03, 0.02, None, "PASS", 0.04),
     (0.05, 0.02, None, "UNKNOWN", None), (NAN, 0.02, 0.1, "UNKNOWN", None), (None, 0.02, 0.1, "UNKNOWN", None),
     (0.02, None, 0.1, "UNKNOWN", None), (0.02, 0.02, NAN, "UNKNOWN", None)],
)  # fmt: skip
def test_gap(gap_s: float | None, poll_s: float | None, update_s: float | None, verdict: str, threshold: float) -> None:
    guard = judged(integral(max_gap_s=gap_s, poll_s=poll_s, update_s=update_s))["energy_gap"]
    expected = None if threshold is None else pytest.approx(threshold)
    assert (guard.verdict, guard.threshold) == (verdict, expected), guard


def test_a_counter_counts_on_while_nobody_looks() -> None:
    assert judged(reading(max_gap_s=3.0))["energy_gap"].verdict == "WARN"
    assert judged(integral(max_gap_s=3.0))["energy_gap"].verdict == "FAIL"


def test_a_meter_that_does_not_poll_has_no_gap() -> None:
    assert "energy_gap" not in judged(reading(max_gap_s=None, poll_s=None))


@pytest.mark.parametrize(
    ("ratio", "verdict", "threshold"),
    [(1.0, "PASS", 0.05), (1.04, "PASS", 0.05), (1.06, "WARN", 0.05), (0.94, "WARN", 0.05), (1.16, "FAIL", 0.15),
     (0.84, "FAIL", 0.15), (187 / 327, "FAIL", 0.15), (NAN, "UNKNOWN", 0.05), (None, "UNKNOWN", 0.05)],
)  # fmt: skip
def test_crosscheck(ratio: float | None, verdict: str, threshold: float) -> None:
    guard = judged(reading(crosscheck_ratio=ratio))["energy_crosscheck"]
    assert (guard.verdict, guard.threshold) == (verdict, threshold)
    assert "power" in guard.reason or ratio is not None


def test_no_second_source_no_crosscheck() -> None:
    assert "energy_crosscheck" not in judged(reading(crosscheck_source=None, crosscheck_ratio=None))


@pytest.mark.parametrize(
    ("power_w", "idle_w", "limit_w", "verdict"),
    [(200.0, 60.0, 300.0, "PASS"), (329.0, 60.0, 300.0, "PASS"), (331.0, 60.0, 300.0, "FAIL"),
     (49.0, 60.0, 300.0, "PASS"), (47.0, 60.0, 300.0, "FAIL"), (47.0, None, 300.0, "PASS"),
     (331.0, 60.0, None, "PASS"), (331.0, None, 300.0, "FAIL"), (47.0, 60.0, None, "FAIL"),
     (200.0, NAN, 300.0, "UNKNOWN"), (200.0, 60.0, NAN, "UNKNOWN"), (200.0, 60.0, 0.0, "UNKNOWN"),
     (None, 60.0, 300.0, "UNKNOWN"), (NAN, 60.0, 300.0, "UNKNOWN"), (5.0, 0.0, None, "PASS")],
)  # fmt: skip
def test_range(power_w: float | None, idle_w: float | None, limit_w: float | None, verdict: str) -> None:
    guard = judged(reading(average_power_w=power_w, idle_power_w=idle_w, power_limit_w=limit_w))["energy_range"]
    assert (guard.verdict, guard.threshold) == (verdict, 0), guard


def test_no_bound_no_range() -> None:
    assert "energy_range" not in judged(reading(idle_power_w=None, power_limit_w=None))


@pytest.mark.parametrize(
    ("step_s", "update_s", "verdict"),
    [(0.1, 0.1, "WARN"), (0.1029, 0.1, "WARN"), (0.104, 0.1, "PASS"), (0.0971, 0.1, "WARN"), (0.096, 0.1, "PASS"),
     (0.05, 0.1, "WARN"), (0.0333, 0.1, "WARN"), (0.2, 0.1, "WARN"), (0.26, 0.1, "PASS"), (0.07, 0.1, "PASS"),
     (1.0, 0.1, "WARN"), (1.1, 0.1, "PASS"), (0.01, 0.1, "WARN"), (0.009, 0.1, "PASS"), (0.001, 0.1, "PASS"),
     (0.1, None, "WARN"), (0.26, None, "PASS"), (0.1, 0.0712, "PASS"), (0.1, NAN, "UNKNOWN"), (0.1, 0.0, "UNKNOWN")],
)  # fmt: skip
def test_resonance(step_s: float, update_s: float | None, verdict: str) -> None:
    guard = judged(integral(duration_s=400 * step_s, steps=400, update_s=update_s))["energy_resonance"]
    assert guard.verdict == verdict, guard
    assert guard.threshold == 0.03


def test_resonance_needs_a_number_of_steps_and_a_part_time_sensor() -> None:
    for steps in (None, 0):
        assert judged(integral(steps=steps))["energy_resonance"].verdict == "UNKNOWN"
    assert "energy_resonance" not in judged(reading(duration_s=40.0, steps=400))


@pytest.mark.parametrize("field", ["duration_s", "update_s", "average_power_w", "poll_s"])
@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf, None])
def test_whatever_a_plugin_says_nothing_raises(field: str, value: float | None) -> None:
    for guard in energy_guards([integral(**{field: value})]):
        assert guard.value is None or math.isfinite(guard.value)
