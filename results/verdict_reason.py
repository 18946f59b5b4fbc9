"""A verdict's reason in one line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.comparison import ComparedMetric, Verdict
    from results.verdict import Rule

# In the reason of a change; see of_energy.
IN_TIME = " in time"


def reason_of(
    verdict: Verdict,
    d: float,
    half_width: float,
    num_sessions: int,
    num_processes: int,
    rule: Rule,
    num_close: int = 0,
) -> str:
    """Why the numbers give this verdict.

    Args:
        verdict: drawn by ``results.verdict.classify``.
        d: log of new over base.
        half_width: of its interval, in the log.
        num_sessions: of the baseline.
        num_processes: of the baseline, all sessions together.
        rule: the thresholds that it was drawn with.
        num_close: of the baseline's sessions, those within an hour of another.
    """
    limit, confidence = f"{100 * math.expm1(rule.min_change):.3g} %", f"{100 * rule.confidence:g} %"
    interval = f"{confidence} interval {change(d - half_width)} to {change(d + half_width)}"
    if verdict == "same":
        return f"the whole {interval} is within {limit}"
    if verdict in ("slower", "faster"):
        return f"{change(d)}{IN_TIME}, {interval}"
    if half_width > rule.max_half_width:
        return f"the {interval} is wider than +-{100 * rule.max_half_width:g} %: too noisy to tell"
    short = shortage(num_sessions, num_processes, rule, num_close)
    if short and abs(d) >= rule.min_change and abs(d) > half_width:
        return f"{short}: the change must be beyond {limit} with its whole interval; it is {interval}"
    if abs(d) > half_width:
        return f"there is a change, but it may be below {limit} or above: {interval}"
    return f"neither a change nor its absence is shown: {interval}"


def shortage(num_sessions: int, num_processes: int, rule: Rule, num_close: int = 0) -> str:
    """What the baseline is short of, or nothing."""
    if num_sessions < rule.min_base_sessions:
        return f"{num_sessions} baseline session{'' if num_sessions == 1 else 's'} (of {rule.min_base_sessions})"
    if num_sessions - num_close < rule.min_base_sessions:
        lie = "lies" if num_close == 1 else "lie"
        return (
            f"{num_close} of {num_sessions} baseline sessions {lie} within an hour of another "
            f"({rule.min_base_sessions} an hour apart are needed)"
        )
    if num_processes < rule.min_base_processes:
        return f"{num_processes} baseline processes (of {rule.min_base_processes})"
    return ""


# For people; the literals stay what they are, whatever was compared.
_ENERGY_WORDS: dict[Verdict, str] = {"slower": "more energy", "faster": "less energy", "same": "same energy"}


def verdict_word(metric: ComparedMetric, verdict: Verdict) -> str:
    """The verdict in words that suit the metric."""
    return _ENERGY_WORDS.get(verdict, verdict) if metric == "energy" else verdict


def of_energy(reason: str) -> str:
    """The reason of a judgement, when what was judged are joules."""
    return reason.replace(IN_TIME, " in energy", 1)


_LARGEST = math.log1p(1e6)  # what is beyond is no speed of a machine, and soon more than a float can hold


def change(log_ratio: float) -> str:
    """A log ratio as a relative change with its sign: ``+5.1 %``."""
    if log_ratio > _LARGEST:
        return "more than +1e8 %"
    percent = 100 * math.expm1(log_ratio)
    return f"{percent:+.1f} %"
