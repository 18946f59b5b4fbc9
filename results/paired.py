"""The verdict on pairs: two sides measured in turns on one host, so that its drift hits both alike.

Each pair is one process of either side, run one right after the other. The unit of replication is
the pair: with d the mean and s the standard deviation of the n log ratios, the 99 % interval is
``d +- h``, ``h = t(.995, n - 1) s / sqrt(n)`` (the paired t test on log ratios). What the machine does
from one pair to the next cancels in each ratio, so no prior for the drift between sessions is
needed; the verdict is then drawn by :func:`results.verdict.classify`, as any other. One wild pair
widens the interval: the answer becomes ``inconclusive``, not wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scipy.special import stdtr, stdtrit

from results.comparison import Judgement, Verdict
from results.verdict import RULE, Rule, classify
from results.verdict_reason import reason_of

MIN_PAIRS = 7
# More pairs than this are no advice.
MAX_PAIRS_NEEDED = 500


def judge_pairs(pairs: Sequence[tuple[float, float]], rule: Rule = RULE, meters: float = 0.0) -> Judgement:
    """Judge the second side of each pair against the first.

    Args:
        pairs: (log base time, log new time) of every complete pair, in any order.
        rule: the thresholds; those on sessions do not apply.
        meters: what the meters may err by, as in :class:`results.verdict.Prior`.

    Returns:
        A judgement in which every pair is a session of either side, ``process_sd`` is that of one
        process (sd of the log ratios over the square root of 2), ``tau`` is None (pairs do not
        tell it and do not need it) and ``sessions_needed`` counts pairs.

    Raises:
        ValueError: a time's logarithm is not finite.
    """
    ratios = [new - base for base, new in pairs]
    if not all(math.isfinite(ratio) for ratio in ratios):
        raise ValueError("a logarithm of a pair is not a finite number")
    n = len(ratios)
    few = f"{n} complete pair{'' if n == 1 else 's'}, a verdict needs {MIN_PAIRS}"
    if n < 2:
        d = ratios[0] if ratios else None
        ratio = None if d is None else _exp(d)
        return _judgement(n, verdict="inconclusive", reason=few, ratio=ratio, log_difference=d)
    d = math.fsum(ratios) / n
    sd = math.sqrt(math.fsum((ratio - d) ** 2 for ratio in ratios) / (n - 1))
    h = half_width(sd, n, rule, meters)
    verdict = _verdict(d, h, n, rule)
    needed = pairs_needed(d, sd, n, rule, meters) if verdict == "inconclusive" else None
    return _judgement(
        n,
        verdict=verdict,
        reason=few if n < MIN_PAIRS else reason_of(verdict, d, h, n, n, rule),
        ratio=_exp(d),
        ratio_low=_exp(d - h),
        ratio_high=_exp(d + h),
        log_difference=d,
        half_width=h,
        df=float(n - 1),
        # With what the meters may err by: that of an sd whose interval were as wide.
        p_value=_p_value(d, h / half_width(1.0, n, rule) if meters else sd, n),
        process_sd=sd / math.sqrt(2),
        sessions_needed=needed,
        sessions_needed_of=None if needed is None else "both",
    )


def _judgement(num_pairs: int, **fields: Any) -> Judgement:
    """A judgement in which every pair is one process of one session on either side."""
    return Judgement(
        num_sessions_base=num_pairs,
        num_sessions_new=num_pairs,
        num_processes_base=num_pairs,
        num_processes_new=num_pairs,
        **fields,
    )


def half_width(sd: float, num_pairs: int, rule: Rule = RULE, meters: float = 0.0) -> float:
    """Half-width of the interval of the mean log ratio of ``num_pairs`` (2 or more) pairs."""
    scatter = float(stdtrit(num_pairs - 1, (1 + rule.confidence) / 2)) * sd / math.sqrt(num_pairs)
    return math.hypot(scatter, meters)


def pairs_needed(d: float, sd: float, num_pairs: int, rule: Rule = RULE, meters: float = 0.0) -> int | None:
    """How many more pairs would settle it, if mean and sd stay what they are; None: too many to advise."""
    for more in range(1, MAX_PAIRS_NEEDED + 1):
        n = num_pairs + more
        if _verdict(d, half_width(sd, n, rule, meters), n, rule) != "inconclusive":
            return more
    return None


def _verdict(d: float, h: float, num_pairs: int, rule: Rule) -> Verdict:
    return "inconclusive" if num_pairs < MIN_PAIRS else classify(d, h, short=False, rule=rule)


def _p_value(d: float, sd: float, num_pairs: int) -> float:
    """Two-sided p of no difference at all."""
    if sd == 0:
        return 1.0 if d == 0 else 0.0
    return float(2 * stdtr(num_pairs - 1, -abs(d) / (sd / math.sqrt(num_pairs))))


def _exp(log_ratio: float) -> float | None:
    """A ratio, or None past what a number can hold: two pairs alone can have any interval."""
    try:
        return math.exp(log_ratio)
    except OverflowError:
        return None
