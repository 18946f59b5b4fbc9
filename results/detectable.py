"""The smallest change that the paired rule would call, from the noise of pairs seen in an A/A.

The rule (``results.paired``) calls a change slower when, over n pairs with mean log ratio d and
standard deviation s, the 99 % interval ``d +- h``, ``h = t(.995, n - 1) s / sqrt(n)``, excludes 0, ``d``
is at least ``min_change``, and ``h`` is at most ``max_half_width``. For normal log ratios with true
change theta and standard deviation sigma, d and s are independent, so the power is the integral

    power(theta) = E_s[ 1(h <= max_half_width) Phi((theta - max(min_change, h)) / (sigma / sqrt(n))) ],
    (n - 1) s^2 / sigma^2 ~ chi^2(n - 1)

taken over ``NUM_NODES`` equally likely values of s. The smallest theta with ``POWER`` is found by
bisection. sigma is itself an estimate: from 16 pairs it is off by about 18 % (1/sqrt(2(n - 1))).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaincinv, ndtr

from results.paired import MIN_PAIRS, half_width
from results.selfcheck_record import Detectable
from results.verdict import RULE, Rule

POWER = 0.80
NUM_NODES = 2000
MAX_THETA = math.log(10)  # beyond a factor of ten nobody needs a test


def power(theta: float, sigma: float, num_pairs: int, rule: Rule = RULE) -> float:
    """Probability that the paired rule calls a true log change ``theta`` slower.

    Args:
        theta: the true difference of logs, above 0.
        sigma: standard deviation of the log ratio of one pair.
        num_pairs: pairs measured.
        rule: the thresholds.
    """
    df = num_pairs - 1
    shares = (np.arange(NUM_NODES) + 0.5) / NUM_NODES
    # The quantile of chi^2(df) is twice the inverse of the regularised lower incomplete gamma at df/2.
    s = sigma * np.sqrt(2 * gammaincinv(df / 2, shares) / df)
    half = half_width(1.0, num_pairs, rule) * s
    wanted = np.maximum(rule.min_change, half)
    called = ndtr((theta - wanted) / max(sigma / math.sqrt(num_pairs), 1e-300))
    return float(np.mean(np.where(half <= rule.max_half_width, called, 0.0)))


def detectable(minutes: float, sigma: float, pair_s: float, rule: Rule = RULE) -> Detectable:
    """The smallest ratio that pairs of ``pair_s`` seconds call in ``minutes``, or why there is none."""
    num_pairs = int(minutes * 60 / pair_s)
    if num_pairs < MIN_PAIRS:
        reason = f"{num_pairs} pairs of {pair_s:g} s fit, a verdict needs {MIN_PAIRS}"
        return Detectable(minutes=minutes, ratio=None, reason=reason)
    if power(MAX_THETA, sigma, num_pairs, rule) < POWER:
        reason = (
            f"ratios of pairs have an sd of {100 * sigma:.1f} % here: {num_pairs} pairs too seldom "
            f"give an interval within +-{100 * rule.max_half_width:g} %"
        )
        return Detectable(minutes=minutes, ratio=None, reason=reason)
    low, high = 0.0, MAX_THETA
    while high - low > 1e-6:
        middle = (low + high) / 2
        if power(middle, sigma, num_pairs, rule) >= POWER:
            high = middle
        else:
            low = middle
    return Detectable(minutes=minutes, ratio=math.expm1(high), reason=f"{num_pairs} pairs of {pair_s:g} s")
