"""The one place that turns the raw samples of a process into its statistics.

Called by the parent process once a worker has ended, never while anything is timed, and again for
runs whose format had no such statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.autocorrelation import effective_samples
from results.precision import median_half_width, window_half_width
from results.process_stats import ProcessStats, Quantile
from results.records import Timing
from results.stats import order_statistic_index, quantile
from results.steady import find_drift, find_steady

if TYPE_CHECKING:
    import numpy as np

ARRAY_NAMES = {"latency_ns": "latency samples", "device_ns": "device times", "warmup_ns": "warm-up steps"}


def summarize_process(timing: Timing, arrays: Mapping[str, np.ndarray], cycle: int = 1) -> ProcessStats:
    """Statistics of one process.

    Args:
        timing: its record; only the windows are read.
        arrays: raw samples in the order taken, int64 nanoseconds: ``latency_ns`` and, for checks
            only, ``device_ns`` and ``warmup_ns``. What is missing was not measured.
        cycle: steps of one cycle (``work.steps``).

    Returns:
        Statistics; only ``problem`` and the counts where :func:`clock_problem` finds one.
    """
    counts: dict[str, Any] = {"num_samples": len(arrays.get("latency_ns", ())), "num_windows": len(timing.windows)}
    problem = clock_problem(timing, arrays)
    if problem:
        return ProcessStats(problem=problem, **counts)
    windows = [(window.iterations, window.elapsed_ns) for window in timing.windows]
    mean_step_s = sum(ns for _, ns in windows) / sum(steps for steps, _ in windows) / 1e9 if windows else None
    fields = _latency(arrays["latency_ns"], cycle) if counts["num_samples"] else {}
    return ProcessStats(**counts, mean_step_s=mean_step_s, window_half_width=window_half_width(windows), **fields)


def clock_problem(timing: Timing, arrays: Mapping[str, np.ndarray]) -> str:
    """Why these times cannot have been taken by a clock that runs; empty if nothing speaks against it.

    No step takes zero or negative time. One such sample makes all of them doubtful: the clock
    may have stepped forward as well, and that looks like a slow step.
    """
    found = []
    for name, words in ARRAY_NAMES.items():
        samples = arrays.get(name)
        if samples is not None and len(samples):
            found.append((words, len(samples), int((samples < 0).sum()), int((samples == 0).sum())))
    elapsed = [window.elapsed_ns for window in timing.windows]
    found.append(("throughput windows", len(elapsed), sum(ns < 0 for ns in elapsed), sum(ns == 0 for ns in elapsed)))
    spans = {
        "prepare_s": timing.prepare_s,
        "export_s": timing.export_s or 0.0,
        "first_step_s": timing.first_step_s,
        "the warm-up's elapsed_s": timing.warmup.elapsed_s,
    }
    back = [f"{name} is negative" for name, seconds in spans.items() if seconds < 0]
    back += [f"{negative} of {count} {words} are negative" for words, count, negative, _ in found if negative]
    still = [f"{zero} of {count} {words} took no time" for words, count, _, zero in found if zero]
    if back:
        return "the clock stepped: " + ", ".join(back + still)
    return "the clock stood still: " + ", ".join(still) if still else ""


def _latency(samples_ns: np.ndarray, cycle: int) -> dict[str, Any]:
    import numpy as np

    steadiness = find_steady(samples_ns, cycle)
    kept = samples_ns[steadiness.cut_index :]
    drift = find_drift(kept, cycle)
    middle = order_statistic_index(len(kept), 50)
    return {
        "cut_index": steadiness.cut_index,
        "steady": steadiness.steady,
        "steady_reason": steadiness.reason,
        "drift": drift.ratio,
        "drifting": drift.drifting,
        "drift_reason": drift.reason,
        "num_kept": len(kept),
        "num_effective": effective_samples(kept, cycle),
        "median_s": int(np.partition(kept, middle)[middle]) / 1e9,
        "mean_s": float(kept.mean()) / 1e9,
        "max_s": int(kept.max()) / 1e9,
        "half_width": median_half_width(kept, cycle),
        "p90": quantile(kept, 90, cycle),
        "p99": quantile(kept, 99, cycle),
    }


def effective_for(stats: ProcessStats, percent: int) -> float:
    """How many independent samples a process adds to a pooled percentile."""
    tail: Quantile | None = {90: stats.p90, 99: stats.p99}.get(percent)
    return tail.num_effective if tail else stats.num_effective or 0.0
