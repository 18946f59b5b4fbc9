from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from results.process_summary import clock_problem, effective_for, summarize_process
from results.records import Timing, Warmup
from tests.results.example_run import ramp_ns, timing


def latency(*values_ns: int) -> dict[str, np.ndarray]:
    return {"latency_ns": np.array(values_ns, np.int64)}


def test_numbers_by_hand() -> None:
    stats = summarize_process(timing([(40, 800_000_000), (60, 1_000_000_000)], 400), {"latency_ns": ramp_ns(400)})
    # 400 samples 1.000, 1.001, ... ms: index 200, 360, 396; 100 steps in 1.8 s.
    assert (stats.problem, stats.num_samples, stats.num_kept, stats.cut_index) == ("", 400, 400, 0)
    assert (stats.median_s, stats.max_s, stats.num_effective) == (1.2e-3, 1.399e-3, 400.0)
    assert stats.mean_s == pytest.approx(1.1995e-3, rel=1e-12)
    assert stats.p90 is not None
    assert stats.p99 is not None
    assert (stats.p90.value_s, stats.p99.value_s) == (1.36e-3, 1.396e-3)
    assert stats.p90.low_s < 1.36e-3 < stats.p90.high_s
    assert (stats.num_windows, stats.mean_step_s, stats.window_half_width) == (2, 0.018, None)
    assert stats.half_width is not None
    assert stats.steady is True
    assert stats.drifting is False


def test_what_is_cut_is_in_no_number() -> None:
    samples = np.concatenate([np.full(100, 9_000_000), ramp_ns(400)])
    stats = summarize_process(timing([], 500), {"latency_ns": samples})
    assert (stats.num_samples, stats.steady) == (500, True)
    assert 100 <= stats.cut_index <= 250
    assert stats.num_kept == 500 - stats.cut_index
    assert stats.max_s <= 1.399e-3
    assert stats.median_s == pytest.approx(1.2e-3, rel=0.02)


def test_an_unsteady_process_keeps_all_and_says_so() -> None:
    samples = np.concatenate([ramp_ns(400), ramp_ns(200, 2_000_000)])
    stats = summarize_process(timing([], 600), {"latency_ns": samples})
    assert (stats.steady, stats.cut_index, stats.num_kept) == (False, 0, 600)
    assert stats.steady_reason
    assert stats.drifting
    assert stats.num_effective < 100, "what drifts is worth little"


def test_few_samples_give_no_tail_but_a_reason() -> None:
    stats = summarize_process(timing([], 30), {"latency_ns": ramp_ns(30)})
    assert stats.p90 is not None
    assert (stats.p90.value_s, stats.p90.low_s, stats.p90.high_s) == (None, None, None)
    assert stats.p90.reason == "n_eff=30, needs 36"
    assert (stats.steady, stats.drifting) == (None, None)
    assert "too few samples" in stats.steady_reason
    assert stats.max_s == 1.029e-3


def test_windows_of_equal_pace_have_no_spread() -> None:
    stats = summarize_process(timing([(10, 1000), (20, 2000)] * 3, 0), {})
    assert (stats.num_windows, stats.mean_step_s, stats.window_half_width) == (6, 1e-7, 0.0)
    assert (stats.median_s, stats.p99, stats.num_effective, stats.steady) == (None, None, None, None)


def test_nothing_was_measured() -> None:
    stats = summarize_process(timing([], 0), {})
    assert (stats.mean_step_s, stats.median_s, stats.num_samples, stats.num_windows, stats.problem) == (
        None,
        None,
        0,
        0,
        "",
    )


def test_decoding_in_whole_cycles() -> None:
    cycle = np.arange(1, 17) * 100_000
    samples = np.tile(cycle, 40) + ramp_ns(640, 0, 10)
    stats = summarize_process(timing([], 640), {"latency_ns": samples}, cycle=16)
    assert (stats.steady, stats.drifting, stats.cut_index % 16) == (True, False, 0)
    assert stats.num_effective > 500
    assert stats.half_width < 0.02, "batches hold whole cycles"


def test_every_number_is_finite_and_positive_and_survives_storing() -> None:
    stats = summarize_process(timing([(5, 100)] * 6, 40), {"latency_ns": np.full(40, 7, np.int64)})
    assert msgspec.json.decode(msgspec.json.encode(stats), type=type(stats)) == stats
    assert (stats.median_s, stats.half_width, stats.num_effective) == (7e-9, 0.0, 40.0)


def warm(elapsed_s: float) -> Warmup:
    return Warmup(iterations=1, elapsed_s=elapsed_s, steady=True, stop_reason="steady")


@pytest.mark.parametrize(("record", "arrays", "problem"), [
    (timing([(1, 5)], 3), latency(5, -1, 5), "the clock stepped: 1 of 3 latency samples are negative"),
    (timing([(1, 5)], 3), latency(0, -1, -9), "the clock stepped: 2 of 3 latency samples are negative, 1 of 3 latency samples took no time"),
    (timing([(1, 5)], 2), latency(5, 0), "the clock stood still: 1 of 2 latency samples took no time"),
    (timing([(1, 5), (1, -5)], 2), latency(5, 5), "the clock stepped: 1 of 2 throughput windows are negative"),
    (timing([(1, 0)], 0), {}, "the clock stood still: 1 of 1 throughput windows took no time"),
    (timing([(1, 5)], 1), latency(5) | {"warmup_ns": np.array([3, -2])}, "the clock stepped: 1 of 2 warm-up steps are negative"),
    (timing([(1, 5)], 1, 1), latency(5) | {"device_ns": np.array([-2])}, "the clock stepped: 1 of 1 device times are negative"),
    (timing([(1, 5)], 1, prepare_s=-1.0), latency(5), "the clock stepped: prepare_s is negative"),
    (timing([(1, 5)], 1, first_step_s=-1.0), latency(5), "the clock stepped: first_step_s is negative"),
    (timing([(1, 5)], 1, warmup=warm(-1.0)), latency(5), "the clock stepped: the warm-up's elapsed_s is negative"),
])  # fmt: skip
def test_a_clock_that_cannot_be_true_gives_no_number(record: Timing, arrays: dict[str, Any], problem: str) -> None:
    assert clock_problem(record, arrays) == problem
    stats = summarize_process(record, arrays)
    assert stats.problem == problem
    assert (stats.median_s, stats.mean_step_s, stats.p99, stats.max_s, stats.half_width) == (None,) * 5


def test_what_a_process_adds_to_a_pooled_percentile() -> None:
    stats = summarize_process(timing([], 400), {"latency_ns": ramp_ns(400)})
    assert [effective_for(stats, percent) for percent in (50, 90, 99)] == [400.0] * 3
    assert effective_for(summarize_process(timing([], 0), {}), 99) == 0.0
