"""Percentiles of step times: which sample, how sure, and when there are enough samples to state one.

A percentile is an order statistic, chosen as MLPerf's LoadGen does: the sample at index
``int(n * p)`` of the sorted samples, never interpolated between two samples.

It is supported only if the samples could also bound it: a two-sided, equal-tailed 95 %
distribution-free confidence interval of the quantile must exist among the order statistics.
All n samples lie below the quantile p with probability ``p**n``, and all above it with
``(1 - p)**n``; the interval exists once both are at most 2.5 % (Hahn and Meeker, Statistical
Intervals, ch. 5; David and Nagaraja, Order Statistics, sec. 7.1). That takes 6 samples for p50,
36 for p90 and 368 for p99. These are independent samples: a correlated series counts as its
effective number n_eff (``results.autocorrelation``), both here and in the interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from results.autocorrelation import effective_samples
from results.early_stopping import binomial_cdf
from results.process_stats import Quantile

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
PERCENTS = (50, 90, 99)
MAX_PERCENT = 99


class Percentile(NamedTuple):
    """A percentile in seconds, or ``None`` with the reason."""

    seconds: float | None
    reason: str


def min_samples(percent: int) -> int:
    """How many independent samples it takes to support a percentile.

    The smallest n with ``max(p, 1 - p)**n <= (1 - CONFIDENCE) / 2`` (see the module).

    Args:
        percent: a whole percentage between 1 and 99.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent must lie between 1 and 99, not {percent}")
    rarest = max(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(rarest))


def unsupported_reason(num_effective: float, percent: int) -> str:
    """Why so many effective samples do not support a percentile; empty if they do."""
    needed = min_samples(percent)
    return "" if num_effective >= needed else f"n_eff={math.floor(num_effective)}, needs {needed}"


def highest_percent(num_effective: float) -> int | None:
    """The highest whole percentage, at most 99, that so many effective samples support."""
    for percent in range(MAX_PERCENT, 49, -1):
        if num_effective >= min_samples(percent):
            return percent
    return None


def order_statistic_index(num_samples: int, percent: int) -> int:
    """Index into the sorted samples: LoadGen's ``int(n * p)``, in exact integers.

    In floating point the product can fall just below a whole number; integers cannot.
    """
    return num_samples * percent // 100


def percentile(samples_ns: np.ndarray, percent: int, num_effective: float | None = None) -> Percentile:
    """A percentile of int64 nanosecond samples, in seconds, if it is supported.

    Args:
        samples_ns: shape [n].
        percent: a whole percentage between 1 and 99.
        num_effective: how many independent samples they are worth; None: they are independent.
    """
    count = len(samples_ns)
    reason = unsupported_reason(count if num_effective is None else min(num_effective, count), percent)
    if reason:
        return Percentile(None, reason)
    import numpy as np

    index = order_statistic_index(count, percent)
    return Percentile(int(np.partition(samples_ns, index)[index]) / 1e9, "")


def interval_indices(num_samples: int, num_effective: float, percent: int) -> tuple[int, int] | None:
    """Indices of the sorted samples that hold the percentile with 95 % confidence.

    For m independent samples these are the order statistics of ranks l and u (from 1): the largest l
    with ``P(Binomial(m, p) < l) <= .025`` and the smallest u with ``P(Binomial(m, p) >= u)
    <= .025``. n correlated samples worth m = ``floor(num_effective)`` get the same shares of the
    sorted samples, rounded outwards.

    Returns:
        None where no such interval exists: ``num_effective`` is below :func:`min_samples`.
    """
    m = math.floor(min(num_effective, num_samples))
    if m < min_samples(percent):
        return None
    alpha = (1 - CONFIDENCE) / 2
    # P(X < l) <= alpha, and P(X >= u) <= alpha, which for the failures m - X is P(m - X <= m - u) <= alpha.
    low = _largest(m, percent / 100, alpha) + 1
    high = m - _largest(m, 1 - percent / 100, alpha)
    return (low - 1) * num_samples // m, -(-high * num_samples // m) - 1


def quantile(samples_ns: np.ndarray, percent: int, cycle: int = 1) -> Quantile:
    """A percentile of one process with its interval, in seconds.

    Args:
        samples_ns: int64 nanoseconds in the order taken, shape [n]; whole cycles.
        percent: a whole percentage between 1 and 99.
        cycle: steps of a cycle.
    """
    import numpy as np

    count = len(samples_ns)
    if count == 0:
        return Quantile(reason=unsupported_reason(0, percent))
    ordered = np.sort(samples_ns)
    value = int(ordered[order_statistic_index(count, percent)])
    num_effective = effective_samples(samples_ns, cycle, above=value)
    bounds = interval_indices(count, num_effective, percent)
    if bounds is None:
        return Quantile(num_effective=num_effective, reason=unsupported_reason(num_effective, percent))
    low, high = (int(ordered[index]) / 1e9 for index in bounds)
    return Quantile(value_s=value / 1e9, low_s=low, high_s=high, num_effective=num_effective)


def _largest(m: int, probability: float, alpha: float) -> int:
    """The largest k with ``P(Binomial(m, probability) <= k) <= alpha``; -1 if there is none."""
    low, high = -1, math.floor(m * probability)  # at the mean the sum is far above alpha
    while high - low > 1:
        middle = (low + high) // 2
        if binomial_cdf(middle, m, probability) <= alpha:
            low = middle
        else:
            high = middle
    return low
