"""The figures of clocks and loops, with clocks of which they are known."""

from __future__ import annotations

import gc
from itertools import count

import pytest

from harness.selfcheck.check import loops_check
from harness.selfcheck.loops import clock_figures, loop_figures


class TickingClock:
    """Every reading takes ``cost_ns``; the time told is rounded down to ``tick_ns``."""

    name = "ticking"

    def __init__(self, cost_ns: int, tick_ns: int = 1) -> None:
        self._readings = count()
        self.now_ns = lambda: next(self._readings) * cost_ns // tick_ns * tick_ns


@pytest.mark.parametrize(("cost_ns", "tick_ns", "resolution_ns"), [(70, 1, 70), (70, 10, 70), (3, 100, 100)])
def test_clock(cost_ns: int, tick_ns: int, resolution_ns: int) -> None:
    found = clock_figures(TickingClock(cost_ns, tick_ns), num_readings=1000, num_rounds=3)
    assert found.resolution_s == pytest.approx(resolution_ns / 1e9)
    assert found.cost_s == pytest.approx(cost_ns / 1e9, rel=0.05)


def test_a_clock_that_stands_still_has_no_resolution() -> None:
    clock = TickingClock(0)
    assert clock_figures(clock, 100, 1) == (None, 0.0)
    check = loops_check(clock)
    assert check.clock_resolution_s is None
    assert check.notes[0] == "the clock ticking did not move between readings"


def test_loops_read_the_clock_and_nothing_else() -> None:
    found = loop_figures(TickingClock(50), num_steps=100, num_rounds=3)
    assert found.latency_overhead_s == pytest.approx(50e-9)  # one reading between two
    assert found.step_overhead_s == 0  # the window reads it no oftener than the bare loop


def test_the_real_machine() -> None:
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    check = loops_check()
    assert gc.isenabled() == enabled, "a run's own process is left as it was"
    # Frozen objects may be freed meanwhile by whoever held them; a freeze here would add thousands.
    assert 0.9 * frozen <= gc.get_freeze_count() <= frozen, "a run's own process is left as it was"
    assert check.clock_resolution_s is not None
    assert check.clock_cost_s is not None
    assert check.latency_overhead_s is not None
    assert check.clock_resolution_s > 0
    assert check.clock_cost_s > 0
    assert check.latency_overhead_s > 0
    assert check.isolation_cost_s is check.jitter_p99_ratio is check.process_sd is check.aa_ratio is None
    assert "run `chipmark selfcheck`" in check.notes[0]
