"""Energy estimates against loads of exactly known energy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.energy_estimate import Estimate, add_up, counter_energy, power_energy, relative_total
from results.energy_trace import Trace, unwrap
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
    random: np.random.Generator, sensor: Sensor, step_s: float, num: int = 4, count: bool = False
) -> tuple[Estimate, float]:
    """A pass on a part-time sensor: spans with pauses of random length between them.

    With ``count`` the sensor's power is added up by a counter, which is what is looked at.
    """
    load = Load(step_s=step_s)
    traces, spans, energy_j, total_s, at_s = [], [], 0.0, 0.0, 3.0 + random.random()
    for _ in range(num):
        steps = max(1, round(2.6 / step_s))
        own = load._replace(begin_s=at_s, end_s=at_s + 0.3 + steps * step_s)
        start_s = at_s + np.ceil(0.3 / step_s) * step_s
        end_s = start_s + steps * step_s
        own = own._replace(end_s=end_s + 0.1)
        traces.append(sensor.power(own, looks(random, at_s, end_s + 0.02)))
        spans.append((round(start_s * NS), round(end_s * NS)))
        energy_j += float(own.energy_j(end_s) - own.energy_j(start_s))
        total_s += end_s - start_s
        at_s = end_s + 0.1 + 0.1 * random.random()
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


# Exact numbers.


def ticking(num: int, period_ns: int = 100_000_000, uj: int = 10_000_000, poll_ns: int = 20_000_000) -> Trace:
    """A counter that adds ``uj`` each ``period_ns``, looked at each ``poll_ns``: 100 W."""
    times = np.arange(0, num * period_ns, poll_ns)
    return Trace.of(times, times // period_ns * uj)


def test_constant_power_is_exact() -> None:
    found = counter_energy(ticking(100), [(NS, 9 * NS)], 0.001)
    assert found.power_w == pytest.approx(100.0, rel=1e-12)
    assert (found.method, found.reason) == ("counter_tick", "")
    assert found.update_s == pytest.approx(0.1)
    assert found.poll_s == pytest.approx(0.02)
    assert found.max_gap_s == pytest.approx(0.02)
    assert found.num_samples == 401
    # Each of the two ticks lies between two looks 20 ms apart.
    assert found.u_window == pytest.approx(np.hypot(0.02 / 7.9 * 1.25, 0.001 / 7.9), rel=0.02)


@given(
    steps=st.lists(st.integers(0, 9_999_999), min_size=3, max_size=60),
    start=st.integers(0, 9_999_999),
    wrap=st.integers(10_000_000, 20_000_000),
)
@settings(max_examples=200, deadline=None)
def test_a_counter_that_wraps_is_exact_to_a_microjoule(steps: list[int], start: int, wrap: int) -> None:
    truth = start + np.concatenate(([0], np.cumsum(steps)))
    unwrapped = unwrap((truth % wrap).astype(np.int64), wrap)
    assert (np.diff(unwrapped) == steps).all()


def test_a_counter_that_wraps_within_the_window_gives_the_same_energy() -> None:
    plain = ticking(100)
    wrapped = Trace(plain.times_ns, plain.values % 262_144_000)
    spans = [(NS, 9 * NS)]
    assert (wrapped.values != plain.values).any()
    assert counter_energy(wrapped, spans, 0.001, wrap_uj=262_144_000) == counter_energy(plain, spans, 0.001)


@pytest.mark.parametrize(
    ("values", "wrap", "words"),
    [
        ([5, 6, 2, 3], None, "went back"),
        ([5, 600, 2, 3], 100, "more than its range"),
        ([7, 7, 7, 7], None, "did not move"),
    ],
)
def test_a_counter_that_cannot_be_true_gives_no_number(values: list[int], wrap: int | None, words: str) -> None:
    trace = Trace.of(np.arange(4) * NS, values)
    found = counter_energy(trace, [(0, 3 * NS)], 0.1, wrap_uj=wrap)
    assert found.power_w is None
    assert words in found.reason


@pytest.mark.parametrize("num", [0, 1])
def test_too_few_looks_give_a_reason(num: int) -> None:
    trace = Trace.of(range(num), range(num))
    for found in (counter_energy(trace, [(0, NS)], 0.1), power_energy(trace, [(0, NS)], 0.1)):
        assert found.power_w is None
        assert f"read {num} times" in found.reason


def test_looks_outside_of_the_window_only_give_a_reason() -> None:
    trace = Trace.of([0, 1000, 2000], [1, 2, 3])
    assert "not read within" in counter_energy(trace, [(NS, 2 * NS)], 0.1).reason
    assert "empty" in counter_energy(trace, [(5, 5)], 0.1).reason


@pytest.mark.parametrize("stands_from_s", [5.0, 8.0])
def test_a_counter_that_stops_gives_no_number(stands_from_s: float) -> None:
    whole = ticking(100)
    stopped = whole._replace(values=np.minimum(whole.values, whole.values[int(stands_from_s / 0.02)]))
    found = counter_energy(stopped, [(NS, 9 * NS)], 0.001)
    assert found.power_w is None
    assert f"stood still for {9 - stands_from_s:.0f} s" in found.reason.replace(".02 s", " s").replace(".0 s", " s")
    # Also where it goes on later, as if nothing had been.
    paused = whole._replace(values=whole.values - np.clip(whole.values - 400_000_000, 0, 100_000_000))
    assert "stood still" in counter_energy(paused, [(NS, 9 * NS)], 0.001).reason


def test_a_stall_of_the_sampler_is_not_taken_for_one_of_the_counter() -> None:
    whole = ticking(100)
    kept = (whole.times_ns < 4 * NS) | (whole.times_ns > 6 * NS)
    found = counter_energy(Trace(whole.times_ns[kept], whole.values[kept]), [(NS, 9 * NS)], 0.001)
    assert found.power_w == pytest.approx(100.0, rel=0.001)
    at_the_end = whole.times_ns < 7 * NS
    found = counter_energy(Trace(whole.times_ns[at_the_end], whole.values[at_the_end]), [(NS, 9 * NS)], 0.001)
    assert found.u_window > 0.2, "two of eight seconds were not seen"


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


def test_a_sensor_that_falls_silent_shows_as_a_gap() -> None:
    trace = ticking(100)
    half = Trace(trace.times_ns[:250], trace.values[:250])  # up to 5 s
    found = counter_energy(half, [(NS, 9 * NS)], 0.001)
    assert found.max_gap_s == pytest.approx(4.02, abs=0.05)


def test_power_of_nothing_is_no_number() -> None:
    trace = Trace.of(np.arange(100) * 20_000_000, [0] * 100)
    found = power_energy(trace, [(0, 2 * NS)], 0.01)
    assert found.power_w is None
    assert "0 W under load" in found.reason


def test_spans_count_by_their_duration() -> None:
    times = np.arange(0, 10 * NS, 20_000_000)
    values = np.where(times < 4 * NS, 100_000_000, 400_000_000)
    found = power_energy(Trace.of(times, values), [(0, 3 * NS), (5 * NS, 6 * NS)], 0.001)
    assert found.power_w == pytest.approx(175.0, rel=1e-6)  # 3 s of 100 W and 1 s of 400 W


def test_gaps_between_chunks_widen_the_interval_by_their_share() -> None:
    trace, spans = ticking(100), [(NS, 9 * NS)]
    without, found = (counter_energy(trace, spans, 0.001, gap_share=gap) for gap in (0.0, 0.02))
    assert found.u_window == pytest.approx((without.u_window or 0) + 0.02)


def test_disjoint_parts_add_up_and_one_that_is_missing_spoils_the_sum() -> None:
    one = Estimate(power_w=100.0, method="counter_tick", num_samples=5, max_gap_s=0.1, update_s=0.1, peak_w=120.0,
                   u_window=0.01)  # fmt: skip
    two = one._replace(power_w=300.0, num_samples=4, max_gap_s=0.2, update_s=0.2, u_window=0.02)
    both = add_up([one, two])
    assert (both.power_w, both.num_samples, both.max_gap_s, both.update_s, both.peak_w) == (400.0, 4, 0.2, 0.2, 240.0)
    assert both.u_window == pytest.approx((0.01 * 100 + 0.02 * 300) / 400)
    lost = Estimate(reason="gone")
    assert add_up([one, lost]) == lost
    assert add_up([one]) == one


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
