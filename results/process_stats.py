"""What the raw samples of one process say, stored beside them.

Everything here can be computed again from the raw samples (``results.process_summary`` does it);
it is stored so that thousands of cases can be compared without unpacking every side file.
"""

from __future__ import annotations

from results.record import Record


class Quantile(Record, frozen=True, kw_only=True):
    """A percentile of step times with its distribution-free 95 % interval, in seconds.

    ``value_s`` is None, with the reason, where the samples cannot support it.
    """

    value_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    reason: str = ""


class ProcessStats(Record, frozen=True, kw_only=True):
    """One process (replicate) of one case. Times are seconds of one step.

    Latency numbers are over the samples from ``cut_index`` on; the ones before it are not yet
    steady. ``mean_step_s`` is of the throughput windows: elapsed time over steps, never
    derived from latency. ``half_width`` is the relative half-width of the 95 % interval of the
    median from 10 batch medians; it tells the quality of one process and never enters a verdict.
    """

    num_samples: int = 0  # latency samples taken
    cut_index: int = 0
    steady: bool | None = None  # None: no latency samples; False: no steady part was found
    steady_reason: str = ""
    drift: float | None = None  # second half of what is kept over its first half, minus 1 (medians)
    num_kept: int = 0  # samples from cut_index on
    num_effective: float | None = None  # num_kept / integrated autocorrelation time
    median_s: float | None = None
    mean_s: float | None = None
    max_s: float | None = None
    half_width: float | None = None
    p90: Quantile | None = None
    p99: Quantile | None = None
    num_windows: int = 0
    mean_step_s: float | None = None
    window_half_width: float | None = None  # relative, 95 %, of the mean step time over windows
