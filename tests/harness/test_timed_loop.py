from __future__ import annotations

import gc
import re
from array import array
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.timed_loop import (
    CLOCK_STEPPED,
    GROWTH,
    MAX_GROWN_NS,
    NUM_CHUNKS,
    Budget,
    Position,
    measure_device_time,
    measure_latency,
    measure_throughput,
)
from harness.warmup import NUM_BATCHES, warm_up
from results import precision
from results.records import MeasureSpec, Window
from tests.harness.fakes import FakeClock, FakeStep

MS = 1_000_000


@pytest.fixture(autouse=True, scope="module")
def short_collections() -> Iterator[None]:
    """The loops collect garbage between windows; what other tests have loaded need not be looked at."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


BUDGET = Budget(min_ns=500 * MS, min_iterations=30, max_ns=5_000 * MS, max_iterations=10_000)


def throughput(step: FakeStep, cycle: int = 1, budget: Budget = BUDGET, step_ns: float = MS):
    windows: list[Window] = []
    reason = measure_throughput(step, step.clock, Position(cycle), budget, step_ns, windows.append)
    return windows, reason


def latency(step: FakeStep, cycle: int = 1, budget: Budget = BUDGET, step_ns: float = MS):
    samples = array("q")
    reason = measure_latency(step, step.clock, Position(cycle), budget, step_ns, samples.frombytes)
    return list(samples), reason


@pytest.mark.parametrize("asynchronous", [False, True])
def test_throughput_windows_hold_exactly_the_known_time(asynchronous: bool) -> None:
    step = FakeStep(FakeClock(), lambda i: 2 * MS, asynchronous)
    windows, reason = throughput(step)
    assert reason.startswith("enough: ")
    assert all(window.elapsed_ns == window.iterations * 2 * MS for window in windows)
    assert sum(window.iterations for window in windows) == len(step.seen)
    assert sum(window.elapsed_ns for window in windows) >= 500 * MS


def test_a_window_has_one_sync_at_each_end_and_none_within() -> None:
    step = FakeStep(FakeClock(), lambda i: 20 * MS)
    windows, _ = throughput(step, step_ns=20 * MS)
    expected: list[str] = []
    for window in windows:
        expected += ["sync", *["run"] * window.iterations, "sync"]
    assert step.log == expected


@pytest.mark.parametrize("asynchronous", [False, True])
def test_latency_is_each_steps_own_time(asynchronous: bool) -> None:
    step = FakeStep(FakeClock(), lambda i: (i % 7 + 1) * MS, asynchronous)
    samples, reason = latency(step)
    assert reason.startswith("enough: ")
    assert samples == [(i % 7 + 1) * MS for i in step.seen]
    assert step.seen == list(range(len(samples)))


def test_latency_syncs_after_every_step() -> None:
    step = FakeStep(FakeClock(), lambda i: 100 * MS)
    samples, _ = latency(step, step_ns=100 * MS)
    assert step.log.count("run") == len(samples)
    assert "run run" not in " ".join(step.log)


@given(cycle=st.integers(1, 33), step_us=st.integers(50, 400_000), min_iterations=st.integers(1, 300))
def test_whole_cycles_gapless_numbers_and_both_minima(cycle: int, step_us: int, min_iterations: int) -> None:
    budget = Budget(20 * MS, min_iterations, 10_000 * MS, 1_000_000)
    step = FakeStep(FakeClock(), lambda i: step_us * 1_000)
    windows, reason = throughput(step, cycle, budget, step_us * 1_000)
    total, elapsed = sum(w.iterations for w in windows), sum(w.elapsed_ns for w in windows)
    assert all(window.iterations % cycle == 0 for window in windows)
    assert step.seen == list(range(total))
    if reason.startswith("enough"):
        assert total >= min_iterations
        assert elapsed >= 20 * MS
    else:
        assert elapsed >= 10_000 * MS


def test_the_time_cap_stops_and_says_how_far_it_came() -> None:
    step = FakeStep(FakeClock(), lambda i: 1_000 * MS)
    _, reason = throughput(step, step_ns=1_000 * MS)
    assert reason == "time cap: 5 of 30 iterations in 5 s"
    assert len(step.seen) == 5


def test_the_iteration_cap_stops() -> None:
    step = FakeStep(FakeClock(), lambda i: 1_000)
    _, reason = throughput(step, budget=Budget(500 * MS, 30, 5_000 * MS, 1_000), step_ns=1_000)
    assert reason == "iteration cap: 1000 of 30 iterations in 0.001 s"
    assert len(step.seen) == 1_000


def test_steps_without_duration_end_by_the_iteration_cap() -> None:
    step = FakeStep(FakeClock(), lambda i: 0)
    _, reason = throughput(step, budget=Budget(MS, 3, MS, 50), step_ns=0.0)
    assert reason.startswith("iteration cap")


def precise(half_width: float, **changes: int) -> Budget:
    return BUDGET._replace(half_width=half_width, max_iterations=1_000_000, **changes)


def test_equal_steps_are_enough_at_the_minima() -> None:
    step = FakeStep(FakeClock(), lambda i: 2 * MS)
    windows, reason = throughput(step, budget=precise(1e-9))
    assert reason == "enough: mean +-0 %"
    assert sum(window.iterations for window in windows) <= 250 + 50
    samples, reason = latency(step, budget=precise(1e-9))
    assert reason == "enough: median +-0 %"
    assert len(samples) <= 250 + 50


def noise(i: int) -> int:
    """About 10 ms, unevenly: a fixed hash of the step number between 6 and 14 ms."""
    return 6 * MS + (i * 2654435761 % 2**32) * 8 * MS // 2**32


def wandering(i: int) -> int:
    """10 ms and 12 ms by turns, each for 37 steps: neighbours are alike, so single steps mislead."""
    return 10 * MS if i // 37 % 2 else 12 * MS


@pytest.mark.parametrize(("pace", "what"), [(throughput, "mean"), (latency, "median")])
def test_a_pass_goes_on_until_the_interval_is_as_narrow_as_wanted(pace, what) -> None:
    budget = precise(0.01, max_ns=600_000 * MS)
    step = FakeStep(FakeClock(), noise if what == "median" else wandering)
    samples, reason = pace(step, budget=budget, step_ns=10 * MS)
    assert step.clock.ns > 3 * budget.min_ns, "the minima alone would have stopped it"
    if what == "median":
        reached = precision.median_half_width(np.array(samples))
    else:
        reached = precision.window_half_width([(w.iterations, w.elapsed_ns) for w in samples])
    assert reached is not None
    assert 0 < reached <= 0.01
    assert reason == f"enough: {what} +-{100 * reached:.2g} %"


@pytest.mark.parametrize(("pace", "what"), [(throughput, "mean"), (latency, "median")])
def test_a_cap_ends_it_and_tells_how_narrow_it_became(pace, what) -> None:
    step = FakeStep(FakeClock(), wandering)
    _, reason = pace(step, budget=precise(1e-6, max_ns=2_000 * MS), step_ns=11 * MS)
    assert re.fullmatch(rf"time cap: {what} \+-[0-9.]+ % \(wanted 0\.0001 %\)", reason)
    step = FakeStep(FakeClock(), wandering)
    _, reason = pace(step, budget=precise(1e-6)._replace(max_iterations=60), step_ns=11 * MS)
    assert re.fullmatch(rf"iteration cap: {what} \+-[0-9.]+ % \(wanted 0\.0001 %\)", reason)


def test_too_few_cycles_for_an_interval_are_said() -> None:
    budget = Budget(100 * MS, 1, 450 * MS, 10_000, 0.01)
    _, reason = latency(FakeStep(FakeClock(), lambda i: 10 * MS), cycle=10, budget=budget, step_ns=10 * MS)
    assert reason == "time cap: too few for an interval (wanted 1 %)"
    free = budget._replace(half_width=1.0)
    _, reason = latency(FakeStep(FakeClock(), lambda i: 10 * MS), cycle=10, budget=free, step_ns=10 * MS)
    assert reason == "enough: too few for an interval"


def test_cycles_of_growing_cost_are_no_spread() -> None:
    step = FakeStep(FakeClock(), lambda i: (10 + i % 16) * MS)
    samples, reason = latency(step, cycle=16, budget=precise(1e-9, max_ns=60_000 * MS), step_ns=17 * MS)
    assert reason == "enough: median +-0 %"
    assert len(samples) % 16 == 0
    assert len(samples) >= 160, "an interval takes ten cycles"


def test_chunks_grow_but_the_parent_never_waits_long() -> None:
    budget = Budget(100 * MS, 1, 10**13, 10**9, 0.01)
    assert budget.chunk_iterations(MS, 1, 0, 0, GROWTH) == 100 // NUM_CHUNKS
    assert budget.chunk_iterations(MS, 1, 8_000 * MS, 8_000, GROWTH) == 1_000
    assert budget.chunk_iterations(MS, 1, 10**12, 10**6, GROWTH) * MS == MAX_GROWN_NS
    assert budget.chunk_iterations(MS, 1, 8_000 * MS, 8_000) == 100 // NUM_CHUNKS, "windows stay alike"


class SteppingClock(FakeClock):
    """Goes back by an hour at one reading."""

    def __init__(self, at_reading: int) -> None:
        super().__init__()
        self.left = at_reading

    def now_ns(self) -> int:
        self.left -= 1
        if self.left == 0:
            self.ns -= 3_600_000 * MS
        return self.ns


@pytest.mark.parametrize("reading", [2, 3, 8])
def test_a_clock_that_steps_back_ends_the_pass(reading: int) -> None:
    step = FakeStep(SteppingClock(reading), lambda i: 10 * MS)
    samples, reason = latency(step, step_ns=10 * MS)
    if reading % 2 == 0:  # within a step; between two steps nobody can see it
        assert (reason, min(samples) < 0) == (CLOCK_STEPPED, True)
        assert len(samples) <= 30
    step = FakeStep(SteppingClock(2), lambda i: 10 * MS)
    windows, reason = throughput(step, step_ns=10 * MS)
    assert (reason, len(windows)) == (CLOCK_STEPPED, 1)


def test_a_clock_that_steps_back_ends_the_warm_up() -> None:
    step = FakeStep(SteppingClock(21), lambda i: MS)
    result = warm_up(step, step.clock, Position(1), MeasureSpec(warmup_max_seconds=1.0, warmup_tolerance=1e-9))
    assert (result.record.steady, result.record.stop_reason) == (False, CLOCK_STEPPED)
    assert len(step.seen) < 100


def test_warmup_stops_when_flat_and_says_so() -> None:
    step = FakeStep(FakeClock(), lambda i: 30 * MS if i < 10 else 10 * MS)
    result = warm_up(step, step.clock, Position(1), MeasureSpec(warmup_max_seconds=10.0))
    assert result.record.steady
    assert result.record.stop_reason.startswith("steady: the last 4 batch medians lie within")
    assert result.step_ns == 10 * MS
    assert result.record.iterations == len(result.samples) == len(step.seen)
    assert list(result.samples[:11]) == [30 * MS] * 10 + [10 * MS]


def test_warmup_that_never_settles_stops_at_the_cap_and_is_not_steady() -> None:
    step = FakeStep(FakeClock(), lambda i: (10 + i) * MS)
    result = warm_up(step, step.clock, Position(1), MeasureSpec(warmup_max_seconds=1.0, warmup_tolerance=0.01))
    assert not result.record.steady
    assert result.record.stop_reason.startswith("time cap of 1 s: ")


def test_warmup_of_one_endless_batch_obeys_the_cap() -> None:
    step = FakeStep(FakeClock(), lambda i: 700 * MS)
    result = warm_up(step, step.clock, Position(1), MeasureSpec(warmup_max_seconds=1.0))
    assert result.record.iterations < NUM_BATCHES
    assert not result.record.steady


def test_warmup_ends_on_a_whole_cycle_from_anywhere() -> None:
    step = FakeStep(FakeClock(), lambda i: MS)
    position = Position(16)
    position.take(1)  # the numerics gate has run one step
    warm_up(step, step.clock, position, MeasureSpec())
    assert position.next % 16 == 0
    assert step.seen == list(range(1, position.next))


class FakeTimer:
    """Events that stamp the device's time when it reaches them, without waiting."""

    name = "fake events"

    def __init__(self, step: FakeStep) -> None:
        self.step, self.stamps = step, []

    def mark(self) -> None:
        self.stamps.append(self.step.clock.ns + self.step.pending_ns)

    def elapsed_ns(self) -> list[int]:
        assert self.step.pending_ns == 0, "read before the sync"
        return [b - a for a, b in zip(self.stamps, self.stamps[1:], strict=False)]


def test_device_times_are_the_devices_own() -> None:
    step = FakeStep(FakeClock(), lambda i: (i + 1) * MS, asynchronous=True)
    timer = FakeTimer(step)
    step.timer = lambda: timer  # type: ignore[method-assign]
    samples = array("q")
    name = measure_device_time(step, Position(4), BUDGET, MS, samples.frombytes)
    assert name == "fake events"
    assert list(samples) == [(i + 1) * MS for i in step.seen]
    assert len(samples) % 4 == 0


def test_no_events_no_device_times() -> None:
    step = FakeStep(FakeClock(), lambda i: MS)
    assert measure_device_time(step, Position(1), BUDGET, MS, lambda _: None) is None
    assert step.seen == []
