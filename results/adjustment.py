"""Many metrics in one comparison: Holm over those that gate, Benjamini-Hochberg over the others.

A verdict ``slower`` or ``faster`` stands only if the metric's adjusted p-value is at most .05 as
well; else it becomes ``inconclusive``, with the reason. ``same`` needs no adjustment: it is not
drawn from a test of no difference, and its error (a change that is overlooked) is bounded
metric by metric by the width of its own interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from results.case_comparison import Row
from results.comparison import Adjustment, CaseComparison
from results.many_metrics import benjamini_hochberg, holm
from results.sessions_needed import with_need
from results.verdict import Rule
from results.verdict_reason import verdict_word

FAMILY_ALPHA = 0.05

_METHODS: dict[Adjustment, Callable[[Sequence[float]], list[float]]] = {
    "holm": holm,
    "benjamini-hochberg": benjamini_hochberg,
}


def adjusted(rows: Sequence[Row], rule: Rule, needs: bool = True) -> list[CaseComparison]:
    """The rows' comparisons, adjusted for their number, in the same order.

    Args:
        rows: of the whole comparison.
        rule: the thresholds they were judged with.
        needs: say how many more sessions would settle what is inconclusive.
    """
    done = [row.comparison for row in rows]
    families: tuple[tuple[bool, Adjustment], ...] = ((True, "holm"), (False, "benjamini-hochberg"))
    for gating, method in families:
        family = [
            i
            for i, row in enumerate(done)
            if row.gating == gating and row.judgement is not None and row.judgement.p_value is not None
        ]
        p_values = [_p_value(done[i]) for i in family]
        for i, p_adjusted in zip(family, _METHODS[method](p_values), strict=True):
            done[i] = _with_p(done[i], p_adjusted, method, len(family))
            if needs and done[i].verdict == "inconclusive":
                done[i] = _with_need(done[i], rows[i], rule, FAMILY_ALPHA / len(family) if gating else 1.0)
    return done


def _with_p(row: CaseComparison, p_adjusted: float, method: Adjustment, number: int) -> CaseComparison:
    row = msgspec.structs.replace(row, p_adjusted=p_adjusted, adjustment=method)
    if row.verdict not in ("slower", "faster") or p_adjusted <= FAMILY_ALPHA:
        return row
    name = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}[method]
    alone = verdict_word(row.metric, row.verdict)
    reason = (
        f"{row.reason}; alone it would be {alone}, but among {number} metrics its adjusted p-value "
        f"is {p_adjusted:.2g} ({name}), above {FAMILY_ALPHA:g}"
    )
    return msgspec.structs.replace(row, verdict="inconclusive", reason=reason)


def _with_need(row: CaseComparison, judged: Row, rule: Rule, max_p_value: float) -> CaseComparison:
    """The row with the sessions needed; ``max_p_value`` is what is enough whatever the other metrics say."""
    if row.judgement is None or judged.values is None:
        return row
    judgement = with_need(row.judgement, *judged.values, judged.prior, rule, max_p_value)
    return msgspec.structs.replace(row, judgement=judgement)


def _p_value(row: CaseComparison) -> float:
    return 1.0 if row.judgement is None or row.judgement.p_value is None else row.judgement.p_value
