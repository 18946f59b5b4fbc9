"""Percentiles of latency samples, and when there are enough samples to state one.

A percentile is an order statistic, chosen as MLPerf's LoadGen does: the sample at index
``int(n * p)`` of the sorted samples, never interpolated between two samples.

It is supported only if the samples could also bound it: a two-sided, equal-tailed 95 %
distribution-free confidence interval of the quantile must exist among the order statistics.
All n samples lie below the quantile p with probability ``p**n``, and all above it with
``(1 - p)**n``; the interval exists once both are at most 2.5 % (Hahn and Meeker, Statistical
Intervals, ch. 5; David and Nagaraja, Order Statistics, sec. 7.1). That takes 6 samples for p50,
36 for p90 and 368 for p99. The samples are treated as independent: autocorrelated samples
carry less than their number says, so the minimum is necessary rather than sufficient.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
PERCENTS = (50, 90, 99)


class Percentile(NamedTuple):
    """A percentile in seconds, or ``None`` with the reason."""

    seconds: float | None
    reason: str


def min_samples(percent: int) -> int:
    """How many samples it takes to support a percentile.

    The smallest n with ``max(p, 1 - p)**n <= (1 - CONFIDENCE) / 2`` (see the module).

    Args:
        percent: a whole percentage between 1 and 99.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent must lie between 1 and 99, not {percent}")
    rarest = max(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(rarest))


def order_statistic_index(num_samples: int, percent: int) -> int:
    """Index into the sorted samples: LoadGen's ``int(n * p)``, in exact integers.

    In floating point the product can fall just below a whole number; integers cannot.
    """
    return num_samples * percent // 100


def percentile(samples_ns: np.ndarray, percent: int) -> Percentile:
    """A percentile of int64 nanosecond samples, in seconds, if it is supported."""
    count, needed = len(samples_ns), min_samples(percent)
    if count < needed:
        return Percentile(None, f"n={count}, needs {needed}")
    import numpy as np

    index = order_statistic_index(count, percent)
    return Percentile(int(np.partition(samples_ns, index)[index]) / 1e9, "")
