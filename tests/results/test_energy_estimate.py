"""Energy estimates of samples whose energy is plain to see, and of samples that cannot be true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.energy_estimate import Estimate, add_up, counter_energy, power_energy
from results.energy_trace import Trace, unwrap

NS = 1_000_000_000


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


RAPL_WRAP = 262_143_328_850


@pytest.mark.parametrize("kind", ["reset", "read back"])
def test_a_reset_of_a_counter_that_wraps_is_not_taken_for_a_wrap(kind: str) -> None:
    times = np.arange(0, 10 * NS, 20_000_000)
    values = 40_000_000_000 + times // 20  # 50 W
    values = np.where(times > 5 * NS, values - values[251], values) if kind == "reset" else values.copy()
    if kind == "read back":
        values[251] -= 5_000_000
    found = counter_energy(Trace(times, values), [(NS, 9 * NS)], 0.001, wrap_uj=RAPL_WRAP)
    assert found.power_w is None
    assert "it was reset, or is broken" in found.reason
    sound = counter_energy(Trace(times, 262_000_000_000 + times // 20), [(NS, 9 * NS)], 0.001, wrap_uj=RAPL_WRAP)
    wrapped = Trace(times, (262_000_000_000 + times // 20) % RAPL_WRAP)
    assert (np.diff(wrapped.values) < 0).sum() == 1
    assert counter_energy(wrapped, [(NS, 9 * NS)], 0.001, wrap_uj=RAPL_WRAP) == sound


def test_what_nobody_looked_at_is_in_the_interval_of_an_integral() -> None:
    times = np.arange(0, 10 * NS, 20_000_000)
    values = np.where((times > 4 * NS) & (times < 6 * NS), 100_000_000, 300_000_000)
    seen = (times < 4 * NS) | (times > 6 * NS)  # and nobody saw the lower part
    found = power_energy(Trace(times[seen], values[seen]), [(NS, 9 * NS)], 0.001)
    assert found.power_w == pytest.approx(300.0)
    assert found.u_window > (300 - 250) / 300


def test_a_fine_power_value_that_never_changes_is_stuck_and_a_coarse_one_is_not() -> None:
    times = np.arange(0, 10 * NS, 20_000_000)
    trace, spans = Trace(times, np.full(len(times), 70_123_000)), [(NS, 9 * NS)]
    found = power_energy(trace, spans, 0.001, update_s=0.1, least_uw=1000)
    assert found.power_w is None
    assert "the same to the last digit" in found.reason
    values = np.where(times < 4 * NS, 70_000_000 + times // 20_000_000 * 1000, 70_400_000)
    half = power_energy(Trace(times, values), spans, 0.001, update_s=0.1, least_uw=1000)
    assert "the same to the last digit" in half.reason, "also where it froze half-way"
    for least_uw, watts in ((None, 70.123), (1_000_000, 70.0), (1000, 70.0)):  # whole watts may be all that is told
        told = Trace(times, np.full(len(times), round(watts * 1e6)))
        assert power_energy(told, spans, 0.001, update_s=0.1, least_uw=least_uw).power_w == pytest.approx(watts)
    short = Trace(times[:100], trace.values[:100])
    assert power_energy(short, [(0, NS)], 0.001, update_s=0.1, least_uw=1000).power_w == pytest.approx(70.123)


def test_the_least_step_of_a_coarse_power_value_is_in_its_interval() -> None:
    times = np.arange(0, 10 * NS, 20_000_000)
    truth_w = 4.9
    found = power_energy(Trace(times, np.full(len(times), 4_000_000)), [(NS, 9 * NS)], 0.001, least_uw=1_000_000)
    assert found.power_w + found.power_w * found.u_window >= truth_w


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
    assert found.u_window == pytest.approx((without.u_window or 0) + 0.02 / 0.98)


def test_disjoint_parts_add_up_and_one_that_is_missing_spoils_the_sum() -> None:
    one = Estimate(power_w=100.0, method="counter_tick", num_samples=5, max_gap_s=0.1, update_s=0.1, peak_w=120.0,
                   u_window=0.01)  # fmt: skip
    two = one._replace(power_w=300.0, num_samples=4, max_gap_s=0.2, update_s=0.2, u_window=0.02)
    both = add_up([one, two])
    assert (both.power_w, both.num_samples, both.max_gap_s, both.update_s, both.peak_w) == (400.0, 4, 0.2, 0.2, 240.0)
    assert both.u_window == pytest.approx((0.01 * 100 + 0.02 * 300) / 400)
    assert add_up([one, two._replace(u_window=None)]).u_window is None
    lost = Estimate(reason="gone")
    assert add_up([one, lost]) == lost
    assert add_up([one]) == one
