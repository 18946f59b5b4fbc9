"""MLPerf's score of a training benchmark: the mean without the fastest and the slowest run."""

from __future__ import annotations

from collections.abc import Sequence


def olympic_mean(run_minutes: Sequence[float], num_failed: int, num_dropped: int = 1) -> float | None:
    """The mean time of the runs that count, in the unit of ``run_minutes``.

    A run that failed counts as the slowest (training rules of MLPerf; the same as
    ``_compute_olympic_average`` of its result summarizer).

    Args:
        run_minutes: of the runs that reached the target.
        num_failed: runs that did not.
        num_dropped: how many are dropped at each end.

    Returns:
        None if there is no score: too many failed, or no run is left.
    """
    if num_failed > num_dropped:
        return None
    kept = sorted(run_minutes)[num_dropped : len(run_minutes) - (num_dropped - num_failed)]
    return sum(kept) / len(kept) if kept else None
