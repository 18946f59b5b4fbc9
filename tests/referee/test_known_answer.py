"""A step whose answer is known: a busy wait with planted stalls, through our whole worker, on the real clock.

A shared machine may take the processor away from a busy wait. So the step keeps its own record, the
harness is held against that, and against the planned wait where the step itself kept to it.
"""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import GATE_STEPS
from results.stats import order_statistic_index, percentile
from tests.referee.conftest import Judge
from tests.referee.known_answer import measure
from tests.referee.steps import STALL_EVERY, BusyStep

STALL_S = 0.05
TOLERANCE = 0.01
ATTEMPTS = 3


def at(samples_ns: np.ndarray, percent: int) -> float:
    """The order statistic of a percentile, in seconds, however few samples there are."""
    return float(np.sort(samples_ns)[order_statistic_index(len(samples_ns), percent)]) / 1e9


def kept_to(wait_s: float, own_ns: np.ndarray) -> bool:
    """Whether the step, by its own record, did what it was told; a busy machine may keep it from that."""
    return at(own_ns, 50) < wait_s * (1 + TOLERANCE / 2) and at(own_ns, 90) < STALL_S


@pytest.mark.parametrize(
    ("wait_s", "num_steps"),
    [(0.001, 400), *(pytest.param(*steps, marks=pytest.mark.slow) for steps in ((0.005, 250), (0.020, 100)))],
    ids=["1ms", "5ms", "20ms"],
)
def test_a_busy_wait_with_planted_stalls(monkeypatch: pytest.MonkeyPatch, wait_s: float, num_steps: int) -> None:
    added = []  # to the mean step time by our windows; the processor may be taken away between two steps
    for _ in range(ATTEMPTS):
        measured = measure(monkeypatch, BusyStep(wait_s, STALL_S), num_steps)
        own_step_s = measured.own_throughput_ns.mean() / 1e9
        # Whatever the machine does, our clock is around the step's own, and close to it.
        assert len(measured.latency_ns) == num_steps
        assert (measured.latency_ns >= measured.own_latency_ns).all()
        assert measured.step_s >= own_step_s
        assert at(measured.latency_ns, 50) == pytest.approx(at(measured.own_latency_ns, 50), rel=TOLERANCE)
        assert at(measured.latency_ns, 99) >= STALL_S, "p99 finds the stalls"
        assert own_step_s > wait_s + STALL_S / STALL_EVERY / 2, "throughput has the stalls in it"
        added.append(measured.step_s / own_step_s - 1)
        if added[-1] < TOLERANCE and kept_to(wait_s, measured.own_latency_ns):
            break
    assert min(added) < TOLERANCE, "throughput is one over the mean"
    if not kept_to(wait_s, measured.own_latency_ns):
        own_s = at(measured.own_latency_ns, 50)
        pytest.skip(f"this machine is too busy for a busy wait: {own_s * 1e3:.2f} ms instead of {wait_s * 1e3:g} ms")
    assert at(measured.latency_ns, 50) == pytest.approx(wait_s, rel=TOLERANCE)
    assert at(measured.latency_ns, 90) < STALL_S, "p90 does not find the stalls: they are 2 %"


def test_the_table_says_so_too_or_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = measure(monkeypatch, BusyStep(0.001, STALL_S), 400)
    value, _ = percentile(measured.latency_ns, 99, len(measured.latency_ns))
    assert value is not None
    assert value >= STALL_S
    few, reason = percentile(measured.latency_ns[:367], 99, 367)
    assert few is None
    assert reason == "n_eff=367, needs 368"


def test_a_slow_first_step_is_in_the_count_but_in_no_number(monkeypatch: pytest.MonkeyPatch, loadgen: Judge) -> None:
    """LoadGen knows no warm-up: its first query is in its maximum and mean. Ours is told apart."""
    first_s = 0.5
    theirs = loadgen(step="busy", arguments={"wait_s": 1e-3, "first_s": first_s}, num_queries=100)
    assert theirs.detail["result_max_latency_ns"] >= first_s * 1e9
    assert theirs.detail["result_mean_latency_ns"] > first_s * 1e9 / 100
    ours = measure(monkeypatch, BusyStep(1e-3, first_s=first_s), 100)
    timing = ours.record.timing
    assert timing.first_step_s >= first_s
    assert ours.own_before_ns[0] >= first_s * 1e9
    assert len(ours.own_before_ns) == GATE_STEPS["infer"] + timing.warmup.iterations
    assert len(ours.warmup_ns) == timing.warmup.iterations > 0
    assert at(ours.latency_ns, 50) == pytest.approx(at(ours.own_latency_ns, 50), rel=TOLERANCE)
    assert timing.warmup.elapsed_s < first_s + 0.2
