"""Energy estimates against loads of exactly known energy: accuracy goals, and intervals that cover the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.energy_estimate import Estimate, counter_energy, power_energy, relative_total
from results.energy_trace import Trace
from tests.results.energy_truth import Load, Sensor, Trial, looks, trial

NS = 1_000_000_000
STEPS_S = (0.0013, 0.037, 0.1, 0.237)


def error(found: Estimate, truth_w: float) -> float:
    assert found.power_w is not None, found.reason
    return found.power_w / truth_w - 1


def by_counter(t: Trial, sensor: Sensor) -> Estimate:
    return counter_energy(sensor.counter(t.load, t.looks_s), t.spans, t.load.step_s)


# The accuracy goals: windows that are no multiple of the sensor's period, the load before and after.


@pytest.mark.parametrize(("seconds", "goal", "trials"), [(10, 0.01, 100), (30, 0.003, 40)])
@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_tick_aligned_counter_is_within_its_goal(seconds: float, goal: float, trials: int, step_s: float) -> None:
    random = np.random.default_rng(round(1000 * step_s) + seconds)
    for _ in range(trials):
        t = trial(random, seconds, step_s)
        found = by_counter(t, Sensor(phase_s=random.random() * 0.1))
        assert found.method == "counter_tick"
        assert abs(error(found, t.truth_w)) <= goal
        assert found.update_s == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("step_s", STEPS_S)
def test_average_power_is_within_1_percent_once_its_edge_is_dropped(step_s: float) -> None:
    random = np.random.default_rng(7)
    kept_edge = []
    for _ in range(60):
        t = trial(random, 10, step_s, before_s=0.001)  # no load before the window
        sensor = Sensor(phase_s=random.random() * 0.1, averaging_s=1.0)
        trace = sensor.power(t.load, t.looks_s)
        assert abs(error(power_energy(trace, t.spans, step_s, averaging_s=1.0), t.truth_w)) <= 0.01
        kept_edge.append(abs(error(power_energy(trace, t.spans, step_s, loaded_before_s=9, averaging_s=1), t.truth_w)))
    assert max(kept_edge) > 0.02, "the edge matters, or this test shows nothing"


def test_naive_counter_differences_are_within_their_bound() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        t = trial(random, 0.12 + 0.15 * random.random(), 0.013)
        found = by_counter(t, Sensor(phase_s=random.random() * 0.1))
        if found.method != "counter_naive":
            continue
        assert found.u_window is not None
        assert abs(error(found, t.truth_w)) <= found.u_window


def phases(
    random: np.random.Generator, sensor: Sensor, step_s: float, num: int = 4, count: bool = False,
    pauses_s: Iterator[float] | None = None, duty: float = 0.5,
) -> tuple[Estimate, float]:  # fmt: skip
    """A pass on a part-time sensor: spans with pauses between them, of random length if they are not given.

    With ``count`` the sensor's power is added up by a counter, which is what is looked at.
    """
    load = Load(step_s=step_s, duty=duty)
    traces, spans, energy_j, total_s, at_s = [], [], 0.0, 0.0, 3.0 + random.random()
    for _ in range(num):
        steps = max(1, round(2.6 / step_s))
        own = load._replace(begin_s=at_s, end_s=at_s + 0.3 + steps * step_s)
        start_s = at_s + np.ceil(0.3 / step_s) * step_s
        end_s = start_s + steps * step_s
        own = own._replace(end_s=end_s + (0.1 if pauses_s is None else 0.0))
        traces.append(sensor.power(own, looks(random, at_s, end_s + 0.02)))
        spans.append((round(start_s * NS), round(end_s * NS)))
        energy_j += float(own.energy_j(end_s) - own.energy_j(start_s))
        total_s += end_s - start_s
        at_s = end_s + (0.1 + 0.1 * random.random() if pauses_s is None else next(pauses_s))
    trace = Trace.of(np.concatenate([t.times_ns for t in traces]), np.concatenate([t.values for t in traces]))
    if count:
        seconds = np.diff(trace.times_ns, prepend=trace.times_ns[0]) / 1e9
        counted_uj = np.cumsum(trace.values * seconds).astype(np.int64)
        # It moves when the sensor does.
        period = np.floor((trace.times_ns / 1e9 - sensor.phase_s) / sensor.update_s)
        first = np.searchsorted(period, period, "left")
        counter = Trace(trace.times_ns, counted_uj[first])
        return counter_energy(counter, spans, step_s, part_time=True), energy_j / total_s
    return power_energy(trace, spans, step_s, part_time=True, update_s=0.1), energy_j / total_s


def test_the_stated_uncertainty_covers_the_truth() -> None:
    """1,000 random trials over methods, windows, phases, step times and gains of the sensor."""
    random = np.random.default_rng(2026)
    covered, by_method = 0, dict.fromkeys(("tick", "power", "average", "part time"), 0)
    for i in range(1000):
        step_s = float(np.exp(random.uniform(np.log(0.001), np.log(0.5))))
        # What the sensor's maker states is taken as what it is: +-5 %, anywhere within.
        sensor = Sensor(phase_s=random.random() * 0.1, gain=1 + random.uniform(-0.05, 0.05))
        seconds = 10 * (1 + random.random())
        kind = list(by_method)[i % 4]
        if kind == "part time":
            found, truth_w = phases(random, sensor._replace(averaging_s=0.025), step_s)
        else:
            t = trial(random, seconds, step_s)
            truth_w = t.truth_w
            if kind == "tick":
                found = by_counter(t, sensor)
            else:
                average = 1.0 if kind == "average" else None
                trace = sensor._replace(averaging_s=average or 0.1).power(t.load, t.looks_s)
                found = power_energy(trace, t.spans, step_s, loaded_before_s=0.3, averaging_s=average)
        total = relative_total(found.u_window, 0.05)
        assert total is not None
        ok = abs(error(found, truth_w)) <= total
        covered += ok
        by_method[kind] += ok
    assert covered >= 950, by_method
    assert min(by_method.values()) >= 235, by_method


def test_the_window_uncertainty_alone_covers_a_perfect_sensor() -> None:
    random = np.random.default_rng(11)
    missed = 0
    for _ in range(200):
        t = trial(random, 10, float(random.choice(STEPS_S)))
        found = by_counter(t, Sensor(phase_s=random.random() * 0.1))
        assert found.u_window is not None
        missed += abs(error(found, t.truth_w)) > found.u_window
    assert missed <= 10


def test_a_load_that_resonates_with_a_part_time_sensor_has_a_wide_interval_and_not_a_wrong_number() -> None:
    random = np.random.default_rng(5)
    sensor = Sensor(averaging_s=0.025)
    outside = wrong = 0
    for _ in range(100):
        found, truth_w = phases(random, sensor._replace(phase_s=random.random() * 0.1), 0.1)
        assert found.u_window is not None
        off = abs(error(found, truth_w))
        wrong += off > 0.05
        outside += off > found.u_window
    assert wrong > 20, "the load resonates, or this test shows nothing"
    assert outside <= 15  # four spans of two levels: a t interval that is right nine times in ten
    steady, truth_w = phases(random, sensor, 0.0377)
    assert abs(error(steady, truth_w)) < 0.02


def test_one_phase_on_a_part_time_sensor_has_no_interval() -> None:
    found, _ = phases(np.random.default_rng(5), Sensor(averaging_s=0.025), 0.0377, num=1)
    assert (found.power_w is not None, found.u_window) == (True, None)
    assert relative_total(found.u_window, 0.05) is None


def test_an_instantaneous_sensor_has_the_scatter_of_its_samples_in_its_interval() -> None:
    """Looks at random moments of a load whose period they cannot see."""
    random = np.random.default_rng(4)
    missed = 0
    for step_s in (0.005, 0.010, 0.020, 0.1) * 25:
        t = trial(random, 10, step_s)
        looks_s = np.cumsum(0.02 * random.uniform(0.5, 1.5, 1000)) + t.looks_s[0]
        sensor = Sensor(update_s=1e-6, averaging_s=1e-6)
        found = power_energy(sensor.power(t.load, looks_s), t.spans, step_s)
        assert found.u_window is not None
        missed += abs(error(found, t.truth_w)) > found.u_window
    assert missed <= 8


def test_a_counter_of_a_part_time_sensor_has_the_spread_of_its_phases() -> None:
    """A counter that adds up what a sensor sees in 25 of each 100 ms, under a load that resonates with it."""
    random = np.random.default_rng(9)
    outside = wrong = 0
    for _ in range(100):
        sensor = Sensor(averaging_s=0.025, phase_s=random.random() * 0.1)
        found, truth_w = phases(random, sensor, 0.1, num=5, count=True)
        assert found.u_window is not None
        off = abs(error(found, truth_w))
        wrong += off > 0.05
        outside += off > found.u_window
    assert wrong > 20
    assert outside <= 12


@given(
    seconds=st.floats(2.0, 40.0),
    step_s=st.floats(0.0005, 0.4),
    update_s=st.floats(0.005, 0.2),
    phase=st.floats(0.0, 1.0),
    duty=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=150, deadline=None)
def test_any_window_phase_step_and_period_is_within_the_stated_bound(
    seconds: float, step_s: float, update_s: float, phase: float, duty: float, seed: int
) -> None:
    t = trial(np.random.default_rng(seed), seconds, step_s, load=Load(duty=duty))
    found = by_counter(t, Sensor(update_s=update_s, phase_s=phase * update_s))
    assert found.u_window is not None
    assert abs(error(found, t.truth_w)) <= found.u_window


@pytest.mark.parametrize(
    ("high_w", "low_w", "step_s", "duty", "least_uj"),
    [
        (28, 2, 1.0, 0.5, 1_000_000),
        (60, 6, 2.0, 0.5, 1_000_000),
        (20, 0.001, 1.0, 0.1, 1000),
        (15, 15, 0.1, 0.5, 10**6),
    ],
)
def test_counters_that_rest_while_the_load_does_are_not_taken_for_stopped(
    high_w: float, low_w: float, step_s: float, duty: float, least_uj: int
) -> None:
    random = np.random.default_rng(6)
    missed = 0
    for _ in range(40):
        t = trial(random, 10, step_s, load=Load(high_w=high_w, low_w=low_w, idle_w=low_w, duty=duty))
        sensor = Sensor(update_s=0.02, phase_s=0.02 * random.random())
        found = counter_energy(sensor.counter(t.load, t.looks_s, least_uj), t.spans, step_s)
        assert found.power_w is not None, found.reason
        assert found.u_window is not None
        missed += abs(error(found, t.truth_w)) > found.u_window
    assert missed <= 2


def test_idle_power_by_a_counter_that_hardly_moves_is_within_its_interval() -> None:
    random = np.random.default_rng(8)
    for idle_w, least_uj in ((2.0, 1_000_000), (5.0, 1_000_000), (0.02, 1000), (0.005, 1000)):
        for _ in range(25):
            load = Load(high_w=idle_w, low_w=idle_w, idle_w=idle_w, duty=0.5)
            looks_s = np.cumsum(0.02 * random.uniform(0.5, 1.5, 600)) + random.random()
            spans = [(round(1.1 * NS + looks_s[0] * NS), round(10.1 * NS + looks_s[0] * NS))]
            found = counter_energy(Sensor(update_s=0.01).counter(load, looks_s, least_uj), spans, 0.0)
            assert found.u_window is not None, found.reason
            assert abs(found.power_w - idle_w) <= 1.0001 * found.power_w * found.u_window
            assert found.method == "counter_naive"
