"""How many more sessions would turn an inconclusive comparison into a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
from scipy.special import stdtr

from results.comparison import Judgement
from results.verdict import RULE, Design, Prior, Rule, classify, design_of, is_short, precision, spread

MAX_SESSIONS = 50

Which = Literal["new", "base", "both"]


class Need(NamedTuple):
    """So many more sessions, of which side ("both": so many on either)."""

    sessions: int
    of: Which


def with_need(
    judgement: Judgement,
    base: Sequence[Sequence[float]],
    new: Sequence[Sequence[float]],
    prior: Prior,
    rule: Rule = RULE,
    max_p_value: float = 1.0,
) -> Judgement:
    """``judgement`` with ``sessions_needed`` filled in.

    Args:
        judgement: of ``base`` and ``new``.
        base: as in :func:`results.verdict.judge`.
        new: as there.
        prior: as there.
        rule: as there.
        max_p_value: what a change must reach besides, because of other metrics.
    """
    if judgement.log_difference is None:
        return judgement
    need = sessions_needed(judgement.log_difference, design_of(spread(base), spread(new), prior), rule, max_p_value)
    if need is None:
        return judgement
    return msgspec.structs.replace(judgement, sessions_needed=need.sessions, sessions_needed_of=need.of)


def sessions_needed(d: float, design: Design, rule: Rule = RULE, max_p_value: float = 1.0) -> Need | None:
    """The fewest more sessions with which the same difference and scatter would give a verdict.

    An estimate: it holds the difference, the process sd and the drift at what was found. Sessions of the
    new side are tried first, then of the baseline, then of both. None: no number up to
    :data:`MAX_SESSIONS` would do, usually because the difference is too near to the smallest change
    that matters.
    """
    if design.dfw == 0:
        return None

    def settles(grown: Design) -> bool:
        known = precision(grown, rule)
        verdict = classify(d, known.half_width, is_short(grown, rule), rule)
        if verdict == "same":
            return True
        return verdict != "inconclusive" and 2 * stdtr(known.df, -abs(d) / known.se) <= max_p_value

    growths: dict[Which, tuple[int, int]] = {"new": (0, 1), "base": (1, 0), "both": (1, 1)}
    for which, growth in growths.items():
        number = _first(lambda k, growth=growth: settles(_grown(design, k * growth[0], k * growth[1])))  # type: ignore[misc]
        if number is not None:
            return Need(number, which)
    return None


def _first(settles: Callable[[int], bool]) -> int | None:
    """The smallest number up to the maximum with which it settles.

    More sessions never make an interval wider, so that what the maximum does not settle, none does.
    """
    if not settles(MAX_SESSIONS):
        return None
    low, high = 0, MAX_SESSIONS  # low does not settle, high does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high


def _grown(design: Design, more_base: int, more_new: int) -> Design:
    """The design with more sessions, each with as many processes as its side's have (harmonic mean)."""
    per_base, per_new = round(1 / design.mean_inverse_n_base), round(1 / design.mean_inverse_n_new)
    more_dfw = more_base * (per_base - 1) + more_new * (per_new - 1)
    return design._replace(
        sessions_base=design.sessions_base + more_base,
        sessions_new=design.sessions_new + more_new,
        processes_base=design.processes_base + more_base * per_base,
        dfw=design.dfw + more_dfw,
        df_tau=design.df_tau + more_base + more_new,
    )
