"""Slower, faster, the same, or not known: the arithmetic of one comparison of two sides.

A side is a list of sessions, a session a list of processes, a process one number: the log of its
time. Iterations within a process never enter: they are not independent, and tests on them call
noise a change most of the time. With K sessions a side and n_i processes in session i::

    d    = mean of session means, new - mean of session means, base
    s2   = pooled variance of processes within their sessions, dfw = sum(n_i - 1)
    v    = max(0, variance of session means - s2 * mean(1/n_i)), for a side with K >= 2
    tau2 = (df0 * tau0^2 + sum (K-1) v) / (df0 + sum (K-1))
    a    = s2 * sum over sides of mean(1/n_i) / K,   b = tau2 * sum over sides of 1/K
    SE   = sqrt(a + b),   h = t(.995, df) * SE,   of energies h = hypot(t(.995, df) * SE, u_window)
    df   = (a + b)^2 / (a^2 / dfw + b^2 / (df0 + sum (K-1)))     (Welch-Satterthwaite)

``mean(1/n_i) / K`` is the variance of a mean of session means, in units of s2, when sessions hold
different numbers of processes; with n each it is 1 over the number of all processes. ``tau0`` is
what is believed about sessions before any is seen (:class:`Prior`); it makes one run against one
run possible without taking the drift between two sessions for nothing.

The verdict is drawn by :func:`classify`. docs/verdicts.md has it in words, with its error rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from scipy.special import stdtr, stdtrit

from results.comparison import Judgement as Judgement
from results.comparison import Verdict as Verdict
from results.verdict_reason import reason_of


class Prior(NamedTuple):
    """What is known of the drift between sessions besides their times.

    Attributes:
        tau0: the sd that is believed, in the log.
        df0: how many sessions that belief is worth.
        num_close: sessions of the baseline that lie within an hour of another
            (``results.sessions_apart``): they do not count towards the number that the rule asks for.
        meters: half-width, in the log, of what the meters of both sides together may err by. It may be the same
            in all processes of a side, so that it widens the interval however many there are; 0 for times.
    """

    tau0: float
    df0: int = 4
    num_close: int = 0
    meters: float = 0.0


class Rule(NamedTuple):
    """The thresholds of the verdict; widths and changes are in the log."""

    confidence: float = 0.99
    min_change: float = math.log(1.03)  # what is smaller does not matter
    max_half_width: float = 0.05  # what is wider does not tell
    min_base_sessions: int = 3
    min_base_processes: int = 5


RULE = Rule()
ACCELERATOR_PRIOR = Prior(0.005)
CPU_PRIOR = Prior(0.05)  # of a shared machine


class Spread(NamedTuple):
    """What one side's numbers say: their mean and how they scatter."""

    mean: float
    num_sessions: int
    num_processes: int
    mean_inverse_n: float  # mean of 1/n_i
    within_ss: float  # sum of squares about the session means
    between_variance: float  # variance of the session means; 0 with one session


class Precision(NamedTuple):
    """How well the difference is known."""

    se: float
    df: float
    half_width: float


class Design(NamedTuple):
    """How much was, or would be, measured, and what is known about the scatter."""

    s2: float
    tau2: float
    sessions_base: int
    sessions_new: int
    processes_base: int
    mean_inverse_n_base: float
    mean_inverse_n_new: float
    dfw: int
    df_tau: int  # df0 + sum (K - 1)
    num_close_base: int = 0  # of sessions_base, see Prior
    meters: float = 0.0  # see Prior


def judge(
    base: Sequence[Sequence[float]], new: Sequence[Sequence[float]], prior: Prior, rule: Rule = RULE
) -> Judgement:
    """Compare two sides by process.

    Args:
        base: one inner sequence of log process times (larger is slower) for each session.
        new: the same for the candidate.
        prior: what is believed about the drift between sessions.
        rule: the thresholds.

    Raises:
        ValueError: a side without a session, a session without a process, or a number that is
            not finite.
    """
    sides = spread(base), spread(new)
    d = sides[1].mean - sides[0].mean
    counts: dict[str, Any] = {
        "num_sessions_base": sides[0].num_sessions,
        "num_sessions_new": sides[1].num_sessions,
        "num_processes_base": sides[0].num_processes,
        "num_processes_new": sides[1].num_processes,
    }
    design = design_of(*sides, prior)
    if design.dfw == 0:
        return Judgement(
            verdict="inconclusive",
            reason="one process a session does not tell how much processes differ; measure with 5 replicates",
            ratio=math.exp(d),
            log_difference=d,
            **counts,
        )
    known = precision(design, rule)
    verdict = classify(d, known.half_width, is_short(design, rule), rule)
    return Judgement(
        verdict=verdict,
        reason=reason_of(
            verdict, d, known.half_width, design.sessions_base, design.processes_base, rule, design.num_close_base
        ),
        ratio=math.exp(d),
        ratio_low=math.exp(d - known.half_width),
        ratio_high=math.exp(d + known.half_width),
        log_difference=d,
        half_width=known.half_width,
        df=known.df,
        p_value=float(2 * stdtr(known.df, -abs(d) / known.se)),
        tau=math.sqrt(design.tau2),
        process_sd=math.sqrt(design.s2),
        **counts,
    )


def classify(d: float, half_width: float, short: bool, rule: Rule = RULE) -> Verdict:
    """The verdict on a difference ``d`` with the interval ``d +- half_width``, both in the log.

    Args:
        d: new minus base.
        half_width: of the interval.
        short: the baseline is too small for its drift to be known; then the whole interval
            must lie beyond the smallest change that matters (docs/decisions/0005).
        rule: the thresholds.
    """
    if half_width > rule.max_half_width:
        return "inconclusive"
    nearest = abs(d) - half_width  # the end of the interval that is nearest to no change
    if abs(d) >= rule.min_change and (nearest >= rule.min_change if short else nearest > 0):
        return "slower" if d > 0 else "faster"
    return "same" if abs(d) + half_width < rule.min_change else "inconclusive"


def is_short(design: Design, rule: Rule = RULE) -> bool:
    """Whether the baseline holds less than the rule asks for; sessions count that lie an hour apart."""
    num_apart = design.sessions_base - design.num_close_base
    return num_apart < rule.min_base_sessions or design.processes_base < rule.min_base_processes


def spread(side: Sequence[Sequence[float]]) -> Spread:
    """Mean and scatter of one side.

    Raises:
        ValueError: nothing in it, or a number that is not finite.
    """
    if not side or not all(side):
        raise ValueError("a side needs at least one session, and a session at least one process")
    means = [sum(session) / len(session) for session in side]
    if not all(map(math.isfinite, means)):  # of finite logs no sum overflows, of others every one is not finite
        raise ValueError("a process value is not a finite number")
    mean = sum(means) / len(means)
    between = sum([(m - mean) ** 2 for m in means]) / (len(means) - 1) if len(means) > 1 else 0.0
    within = sum([(y - m) ** 2 for session, m in zip(side, means, strict=True) for y in session])
    return Spread(
        mean=mean,
        num_sessions=len(side),
        num_processes=sum(map(len, side)),
        mean_inverse_n=sum([1 / len(session) for session in side]) / len(side),
        within_ss=within,
        between_variance=between,
    )


def design_of(base: Spread, new: Spread, prior: Prior) -> Design:
    """Pooled variances of two sides (see the module)."""
    dfw = sum(side.num_processes - side.num_sessions for side in (base, new))
    s2 = (base.within_ss + new.within_ss) / dfw if dfw else 0.0
    pooled, df_tau = prior.df0 * prior.tau0**2, prior.df0
    for side in (base, new):
        if side.num_sessions > 1:
            v = max(0.0, side.between_variance - s2 * side.mean_inverse_n)
            pooled += (side.num_sessions - 1) * v
            df_tau += side.num_sessions - 1
    return Design(
        s2=s2,
        tau2=pooled / df_tau,
        sessions_base=base.num_sessions,
        sessions_new=new.num_sessions,
        processes_base=base.num_processes,
        mean_inverse_n_base=base.mean_inverse_n,
        mean_inverse_n_new=new.mean_inverse_n,
        dfw=dfw,
        df_tau=df_tau,
        num_close_base=prior.num_close,
        meters=prior.meters,
    )


def precision(design: Design, rule: Rule = RULE) -> Precision:
    """Standard error, degrees of freedom and half-width of the interval of the difference."""
    k_base, k_new = design.sessions_base, design.sessions_new
    a = design.s2 * (design.mean_inverse_n_base / k_base + design.mean_inverse_n_new / k_new)
    b = design.tau2 * (1 / k_base + 1 / k_new)
    se = math.sqrt(a + b)
    # Shares instead of a and b: the square of a tiny variance would be 0.
    share = a / (a + b)
    df = 1 / (share**2 / design.dfw + (1 - share) ** 2 / design.df_tau)
    quantile = float(stdtrit(df, (1 + rule.confidence) / 2))
    half_width = math.hypot(quantile * se, design.meters)
    # The error grows as the interval does, so that p-values go with intervals.
    return Precision(half_width / quantile if design.meters else se, df, half_width)
