"""LoadGen's early stopping: percentiles and latency limits that hold with 99 % confidence.

A query is "over" when it takes longer than the percentile p asks for; if the true percentile were
just at the limit, the number of queries over it among n would be binomial with probability
1 - p. With confidence .99 and tolerance 0 (MLPerf inference, ``loadgen/early_stopping.cc``):

* single stream: the largest t with ``P(Binomial(n, 1 - p) <= t) < 1 - .99``. The estimate is
  the sample at index ``n - t`` of the sorted samples, so the t - 1 largest are discarded; it
  needs t >= 1.
* server: t queries over the latency limit are allowed once n >= ``min_queries(t)``.

The binomial sum runs down from its largest term, whose logarithm comes from log-gamma: no
difference of nearly equal numbers is formed, and about sqrt(n) terms matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

CONFIDENCE = 0.99
# Terms below this share of the sum no longer count.
_NEGLIGIBLE = 1e-17


class EarlyStop(NamedTuple):
    """What a single-stream test of this many queries may state.

    ``sample_index`` is into the ascending samples; None, with the reason, where there are too few.
    """

    sample_index: int | None
    num_discarded: int | None
    reason: str


def binomial_cdf(k: int, n: int, probability: float) -> float:
    """P(Binomial(n, probability) <= k), to about 1e-9 relative for n up to 1e7.

    Accurate in the lower tail and up to the mean; there it takes about sqrt(n) terms.
    """
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    log_term = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(probability) + (n - k) * math.log1p(-probability)
    )  # fmt: skip
    odds = (1 - probability) / probability
    total = term = 1.0
    for j in range(k, 0, -1):
        term *= j / (n - j + 1) * odds
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return min(1.0, math.exp(log_term + math.log(total)))


def max_over(num_queries: int, percentile: float) -> int | None:
    """The largest t with ``P(Binomial(n, 1 - p) <= t) < .01``; None if not even 0 will do.

    Args:
        num_queries: n.
        percentile: p as a share, for example .99.
    """
    probability = _probability_over(percentile)
    low, high = -1, num_queries  # P(. <= low) is below the limit, P(. <= high) is not
    while high - low > 1:
        middle = (low + high) // 2
        if _passes(middle, num_queries, probability):
            low = middle
        else:
            high = middle
    return None if low < 0 else low


def min_queries(num_over: int, percentile: float) -> int:
    """The least number of queries that may hold ``num_over`` queries over the limit.

    Args:
        num_over: t, at least 0.
        percentile: p as a share, for example .99.
    """
    probability = _probability_over(percentile)
    low = num_over  # P(Binomial(t, .) <= t) is 1
    high = max(2, num_over * 2)
    while not _passes(num_over, high, probability):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _passes(num_over, middle, probability):
            high = middle
        else:
            low = middle
    return high


def early_stop(num_queries: int, percentile: float) -> EarlyStop:
    """Which sample of ``num_queries`` sorted ones LoadGen gives as the percentile estimate."""
    over = max_over(num_queries, percentile)
    if not over:
        needed = min_queries(1, percentile)
        return EarlyStop(None, None, f"n={num_queries}, needs {needed}")
    return EarlyStop(num_queries - over, over - 1, "")


def estimate(samples: Sequence[int], percentile: float) -> int | None:
    """LoadGen's early-stopping estimate of a percentile, in the unit of ``samples``.

    Returns:
        None where there are too few samples (:func:`early_stop` says how many it takes).
    """
    stop = early_stop(len(samples), percentile)
    return None if stop.sample_index is None else sorted(samples)[stop.sample_index]


def _probability_over(percentile: float) -> float:
    if not 0 < percentile < 1:
        raise ValueError(f"percentile must be a share between 0 and 1, not {percentile}")
    return 1 - percentile


def _passes(num_over: int, num_queries: int, probability: float) -> bool:
    if num_over >= num_queries * probability:  # at least the mean: never below one per cent
        return False
    return binomial_cdf(num_over, num_queries, probability) < 1 - CONFIDENCE
