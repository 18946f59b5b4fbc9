from __future__ import annotations

import math
import statistics
from typing import Any

import msgspec
import numpy as np
import pytest

from results.metrics import METRICS
from results.process_summary import effective_for, summarize_process
from results.render import render_summary
from results.stats import highest_percent
from results.store import open_run
from results.summary import run_summary, summarize
from tests.results.example_run import DECODE, SEQUENCES, case, measurement, ramp_ns, run_info, store, timing

SPEC = case("bert-encoder", "infer", "fp32")


def replicate(number: int, samples: np.ndarray, stored: bool = True, **changes: Any):
    """One replicate with its statistics, as the runner stores it (``stored``) or as format 1 did."""
    record = timing([(10, 10**8 * (1 + number))] * 5, len(samples))
    arrays = {"latency_ns": samples}
    stats = summarize_process(record, arrays, changes.get("work", SEQUENCES).steps) if stored else None
    fields = {"work": SEQUENCES, "timing": record, "stats": stats} | changes
    return measurement(SPEC, replicate=number, **fields), arrays


def stored_run(tmp_path, *replicates):
    return store(tmp_path / "run", run_info([(SPEC, len(replicates))]), replicates)


def only(tmp_path, *replicates):
    return summarize(stored_run(tmp_path, *replicates))[0]


@pytest.mark.parametrize("stored", [True, False])
def test_percentiles_are_over_the_steady_parts(tmp_path, stored: bool) -> None:
    slow_start = np.concatenate([np.full(100, 9_000_000), ramp_ns(400)])
    records = [replicate(0, slow_start, stored), replicate(1, ramp_ns(400), stored)]
    cut = summarize_process(records[0][0].timing, records[0][1]).cut_index
    assert cut >= 100
    summary = only(tmp_path, *records)
    assert (summary.num_processes, summary.num_latency_samples, summary.num_cut_samples) == (2, 900, cut)
    kept = np.sort(np.concatenate([slow_start[cut:], ramp_ns(400)]))
    assert summary.latency_p90_s == kept[len(kept) * 90 // 100] / 1e9
    assert summary.latency_max_s == 1.399e-3, "the maximum is of the steady part as well"


def test_effective_numbers_add_up(tmp_path) -> None:
    single = only(tmp_path / "one", replicate(0, ramp_ns(200)))
    assert (single.num_effective_samples, single.latency_p99_s_reason) == (200, "n_eff=200, needs 368")
    assert (single.latency_tail_percent, single.latency_max_s) == (98, 1.199e-3)
    assert single.latency_tail_s == 1.196e-3
    both = only(tmp_path / "two", replicate(0, ramp_ns(200)), replicate(1, ramp_ns(200)))
    assert (both.num_effective_samples, both.latency_p99_s, both.latency_tail_percent) == (400, 1.198e-3, 99)


def test_correlated_samples_support_less(tmp_path) -> None:
    waves = (1e6 + 1e5 * np.sin(np.arange(1000) / 15)).astype(np.int64)
    summary = only(tmp_path, replicate(0, waves))
    assert summary.latency_p99_s is None
    assert summary.latency_p99_s_reason.startswith("n_eff=")
    assert summary.num_effective_samples < 200
    assert summary.num_latency_samples == 1000


def test_not_even_a_median(tmp_path) -> None:
    summary = only(tmp_path, replicate(0, ramp_ns(5)))
    assert (summary.latency_p50_s, summary.latency_p50_s_reason) == (None, "n_eff=5, needs 6")
    assert (summary.latency_tail_percent, summary.latency_tail_s_reason) == (None, "n_eff=5, needs 6")
    assert summary.latency_max_s == 1.004e-3


def test_the_spread_between_processes(tmp_path) -> None:
    summary = only(tmp_path, replicate(0, ramp_ns(200)), replicate(1, ramp_ns(200, 2_000_000)))
    assert summary.latency_process_sd == pytest.approx(statistics.stdev([math.log(1.1), math.log(2.1)]), rel=1e-9)
    assert summary.step_process_sd == pytest.approx(statistics.stdev([math.log(1), math.log(2)]), rel=1e-9)
    alone = only(tmp_path / "alone", replicate(0, ramp_ns(200)))
    assert (alone.latency_process_sd, alone.latency_process_sd_reason) == (None, "1 measured, needs 2")


def test_the_widest_interval_of_the_processes(tmp_path) -> None:
    records = [replicate(0, ramp_ns(200)), replicate(1, ramp_ns(200, 1_000_000, 5_000))]
    summary = only(tmp_path, *records)
    assert summary.latency_half_width == max(record.stats.half_width for record, _ in records)
    assert summary.step_half_width == 0.0
    some = only(tmp_path / "some", replicate(0, ramp_ns(200)), replicate(1, ramp_ns(8)))
    assert (some.latency_half_width, some.latency_half_width_reason) == (None, "fewer than 10 cycles of samples")


def test_unsteady_and_drifting_processes_are_told(tmp_path) -> None:
    late = np.concatenate([ramp_ns(400), ramp_ns(200, 3_000_000)])
    run = stored_run(tmp_path, replicate(0, ramp_ns(400)), replicate(1, late), replicate(2, late))
    summary = run_summary(run)
    (told,) = summary.cases
    assert (told.latency_steady, told.latency_drifting, told.num_cut_samples) == (False, True, 0)
    assert told.steady_notes.startswith("unsteady in 2 of 3 processes: steps settle only in the last 33%")
    assert "drift in 2 of 3 processes: " in told.steady_notes
    assert "unsteady in 2 of 3 processes" in " ".join(render_summary(summary, "table").split())


def test_a_case_that_cannot_be_judged_is_counted(tmp_path) -> None:
    summary = run_summary(stored_run(tmp_path, replicate(0, ramp_ns(30))))
    assert summary.cases[0].latency_steady is None
    assert summary.cases[0].latency_drifting is None
    assert "too few samples to tell whether times were steady in 1 of 1 cases" in render_summary(summary, "table")


def test_intervals_wider_than_wanted_are_counted(tmp_path) -> None:
    wide = np.resize(np.array([1_000_000, 3_000_000]), 300)
    wide[:150] = 1_000_000
    summary = run_summary(stored_run(tmp_path, replicate(0, wide)))
    assert summary.cases[0].latency_half_width > 0.01
    assert "95 % interval wider than +-1.00 % in 1 of 1 cases (up to +-" in render_summary(summary, "table")


PROBLEM = "the clock stepped: 1 of 400 latency samples are negative"


def stepped() -> np.ndarray:
    samples = ramp_ns(400)
    samples[200] = -5
    return samples


def test_where_the_clock_stepped_there_is_no_number(tmp_path) -> None:
    marked, arrays = replicate(0, stepped(), status="invalid", stage="measure", reason=PROBLEM)
    run = stored_run(tmp_path, (marked, arrays))
    (summary,) = summarize(run)
    assert (summary.status, summary.reason, summary.numbers_from) == ("invalid", PROBLEM, None)
    for metric in METRICS:
        assert getattr(summary, metric.name) is None, metric.name
    assert summary.throughput_per_s_reason == PROBLEM
    assert run.samples(run.measurements[0])["latency_ns"].min() == -5, "the raw samples are kept"


def test_a_negative_window_marks_the_case_instead_of_hiding_it(tmp_path) -> None:
    record = timing([(10, 10**8), (10, -(10**8))], 0)
    stats = summarize_process(record, {})
    marked = measurement(
        SPEC, "invalid", stage="measure", reason=stats.problem, work=SEQUENCES, timing=record, stats=stats
    )
    (summary,) = summarize(stored_run(tmp_path, (marked, {})))
    assert (summary.status, summary.throughput_per_s) == ("invalid", None)
    assert summary.throughput_per_s_reason == "the clock stepped: 1 of 2 throughput windows are negative"


def test_only_the_process_whose_clock_stepped_is_left_out(tmp_path) -> None:
    good, bad = replicate(0, ramp_ns(400)), replicate(1, stepped(), stored=False)
    run = stored_run(tmp_path, good, bad)
    (summary,) = summarize(run)
    assert (summary.num_processes, summary.latency_p50_s, summary.throughput_per_s) == (1, 1.2e-3, 800.0)
    assert any("the clock stepped" in warning and "replicate 1" in warning for warning in run.warnings)


def test_samples_that_are_no_integers_give_no_number(tmp_path) -> None:
    """NaN cannot be stored as what the record promises; a foreign side file is refused by name."""
    record, _ = replicate(0, ramp_ns(10), stored=False)
    run = stored_run(tmp_path, (record, {"latency_ns": ramp_ns(10)}))
    path = tmp_path / "run" / run.measurements[0].samples.file
    np.savez_compressed(path, latency_ns=np.array([1e6, np.nan] * 5))
    import hashlib

    samples = msgspec.structs.replace(run.measurements[0].samples, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    line = msgspec.json.encode(msgspec.structs.replace(run.measurements[0], samples=samples))
    (tmp_path / "run" / "measurements.jsonl").write_bytes(line + b"\n")
    (summary,) = summarize(open_run(tmp_path / "run"))
    assert summary.latency_p50_s is None
    assert "not a list of int64 samples" in summary.latency_p50_s_reason


def test_decoding_is_pooled_by_cycles(tmp_path) -> None:
    samples = np.tile(np.arange(1, 5) * 100_000, 200) + ramp_ns(800, 0, 10)
    summary = only(tmp_path, replicate(0, samples, stored=False, work=DECODE, timing=timing([(20, 10**8)], 800)))
    assert summary.num_effective_samples > 700
    assert summary.latency_drifting is False


def test_the_tail_rests_on_its_own_effective_number(tmp_path) -> None:
    """Bursts tell less of the tail than of the median: the median's number would support a tail too far out."""
    rng = np.random.default_rng(5)
    samples = 1_000_000 + rng.integers(0, 1000, 2000)
    for start in (500, 1500):
        samples[start : start + 30] += 500_000
    record, arrays = replicate(0, samples)
    worth = {percent: effective_for(record.stats, percent) for percent in (50, 90, 99)}
    assert worth[99] < 368 <= worth[50], worth
    summary = only(tmp_path, (record, arrays))
    assert summary.latency_p99_s is None
    assert summary.latency_tail_percent == highest_percent(min(worth.values())) < 99
