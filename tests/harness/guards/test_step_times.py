"""Guards over step times: steady ones pass, drifting, scattered and spiky ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.guards.step_times import flat, step_time_guards
from results.records import Guard

MS = 1_000_000


def judged(samples: np.ndarray, cycle: int = 1) -> dict[str, Guard]:
    found = {guard.name: guard for guard in step_time_guards(np.asarray(samples, np.int64), cycle)}
    assert list(found) == ["step_slope", "step_spread", "step_tail"]
    return found


def noise(count: int, relative: float, seed: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal(count)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return 10 * MS * (1 + relative * drawn)


def test_equal_times_pass_all() -> None:
    assert {guard.verdict for guard in judged(np.full(200, 10 * MS)).values()} == {"PASS"}


@pytest.mark.parametrize(
    ("step", "verdict"), [(1.0, "PASS"), (1.02, "WARN"), (0.98, "WARN"), (1.05, "FAIL"), (0.9, "FAIL")]
)
def test_slope_is_the_last_quarter_against_the_first_either_way(step: float, verdict: str) -> None:
    samples = np.full(400, 10 * MS)
    samples[300:] = round(10 * MS * step)
    guard = judged(samples)["step_slope"]
    assert (guard.value, guard.verdict) == (pytest.approx(abs(step - 1)), verdict)
    assert ("slower" in guard.reason) == (step > 1)


def test_single_disturbed_steps_are_no_slope() -> None:
    samples = np.full(400, 10 * MS)
    samples[300::10] *= 50
    assert judged(samples)["step_slope"].verdict == "PASS"


@pytest.mark.parametrize(("relative", "verdict"), [(0.01, "PASS"), (0.03, "WARN"), (0.06, "FAIL")])
def test_spread_is_the_relative_standard_deviation(relative: float, verdict: str) -> None:
    guard = judged(noise(1000, relative))["step_spread"]
    assert (guard.value, guard.verdict) == (pytest.approx(relative, rel=1e-2), verdict)


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "PASS"), (1.5, "WARN"), (2.5, "FAIL")])
def test_tail_is_p99_over_the_median(factor: float, verdict: str) -> None:
    samples = np.full(200, 10 * MS)
    samples[[17, 90]] = round(10 * MS * factor)  # sorted[int(200 * .99)] is the smaller of the two largest
    guard = judged(samples)["step_tail"]
    assert (guard.value, guard.verdict) == (pytest.approx(factor), verdict)


def test_steps_of_a_cycle_may_differ_from_each_other() -> None:
    cycle = np.linspace(5 * MS, 20 * MS, 16)
    growing = np.tile(cycle, 20)
    assert {guard.verdict for guard in judged(growing, 16).values()} == {"PASS"}
    assert judged(growing)["step_spread"].verdict == "FAIL"  # taken for equal steps, they are not


def test_a_drift_over_cycles_is_still_seen() -> None:
    samples = np.concatenate([np.linspace(5 * MS, 20 * MS, 16) * (1.04 if k >= 15 else 1) for k in range(20)])
    assert judged(samples, 16)["step_slope"].verdict == "FAIL"


def test_an_incomplete_cycle_is_left_out() -> None:
    assert len(flat(np.arange(1, 168), 16)) == 160


@pytest.mark.parametrize(
    ("samples", "cycle", "reason"),
    [([], 1, "0 latency samples; 8 are needed"), ([MS] * 7, 1, "7 latency samples"),
     ([MS] * 112, 16, "7 whole cycles of 16 steps; 8 are needed"), ([MS] * 200 + [0], 1, "0 or less"),
     ([MS] * 200 + [-5], 1, "0 or less")],
)  # fmt: skip
def test_too_little_or_impossible_is_unknown(samples: list[int], cycle: int, reason: str) -> None:
    for guard in judged(np.array(samples, np.int64), cycle).values():
        assert (guard.verdict, guard.value) == ("UNKNOWN", None)
        assert reason in guard.reason


def test_a_tail_needs_more_samples_than_the_others() -> None:
    found = judged(np.full(100, 10 * MS))
    assert (found["step_spread"].verdict, found["step_tail"].verdict) == ("PASS", "UNKNOWN")
