"""What the raw samples of one process say, stored beside them.

Everything here can be computed again from the raw samples (``results.process_summary`` does it);
it is stored so that thousands of cases can be compared without unpacking every side file.
"""

from __future__ import annotations

from results.record import Record


class Quantile(Record, frozen=True, kw_only=True):
    """A percentile of step times with its distribution-free 95 % interval, in seconds.

    ``value_s`` is None, with the reason, where the samples cannot support it. ``num_effective``
    is the number of independent samples that would tell this percentile as well; for tails it may
    lie below that of the whole series, because disturbances come in bursts.
    """

    value_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    num_effective: float = 0.0
    reason: str = ""


class ProcessStats(Record, frozen=True, kw_only=True):
    """One process (replicate) of one case. Times are seconds of one step.

    Latency numbers are over the samples from ``cut_index`` on; the ones before it are not yet
    steady. ``mean_step_s`` is of the throughput windows: elapsed time over steps, never
    derived from latency. The half-widths are relative and of 95 % intervals; they tell the
    quality of one process and never enter a verdict.

    Where ``problem`` is not empty (the clock stepped, say), the samples are no evidence and there
    is no number at all. A scenario that was not measured has None everywhere.
    """

    problem: str = ""
    definition: int = 1  # rises when any of these numbers comes to mean something else
    num_samples: int = 0  # latency samples taken
    cut_index: int = 0
    steady: bool | None = None  # None: too few samples to tell; False: no steady part was found
    steady_reason: str = ""
    drift: float | None = None  # second half of what is kept over its first half, minus 1 (medians)
    drifting: bool | None = None  # a warning, never a reason to discard; None: too few samples to tell
    drift_reason: str = ""
    num_kept: int = 0  # samples from cut_index on
    num_effective: float | None = None  # num_kept / integrated autocorrelation time, at most num_kept
    median_s: float | None = None
    mean_s: float | None = None
    max_s: float | None = None
    half_width: float | None = None  # of the median, from 10 batch medians; None: fewer than 10 cycles
    p90: Quantile | None = None
    p99: Quantile | None = None
    num_windows: int = 0
    mean_step_s: float | None = None
    window_half_width: float | None = None  # of the mean step time over windows; None: fewer than 5
