"""``chipmark compare``: all cases of two sides, one verdict for each, and one for the whole.

The order of what counts most: something is slower (exit code 3), something no longer works (1),
something may not be compared (5), something is not known (4), all is the same or faster (0).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from results.adjustment import adjusted
from results.case_comparison import Judge, Options, Row, compare_case, refused
from results.case_matching import Group, match
from results.comparability import differences
from results.comparison import VERDICTS, CaseComparison, ComparisonReport, Outcome, Side
from results.errors import ExitCode
from results.session_case import SessionCase
from results.usable_sessions import refusing
from results.verdict import RULE, Rule, judge
from results.verdict_reason import verdict_word

EXIT_CODES: dict[Outcome, ExitCode] = {
    "faster": ExitCode.DONE,
    "same": ExitCode.DONE,
    "slower": ExitCode.SLOWER,
    "failed": ExitCode.CASE_FAILED,
    "not-comparable": ExitCode.NOT_COMPARABLE,
    "inconclusive": ExitCode.INCONCLUSIVE,
}


class CompareOptions(NamedTuple):
    """How to compare.

    Attributes:
        strict: refuse also where a circumstance (driver, versions, host) differs.
        allow_inconclusive: return 0 where nobody could know.
        rule: thresholds of the verdict.
        judge: how the numbers of one metric are judged; measurements in pairs have their own way.
    """

    strict: bool = False
    allow_inconclusive: bool = False
    rule: Rule = RULE
    judge: Judge = judge


def compare(
    candidate: Sequence[SessionCase],
    base: Sequence[SessionCase],
    options: CompareOptions = CompareOptions(),  # noqa: B008  immutable
    warnings: Sequence[str] = (),
) -> ComparisonReport:
    """Compare every case that both sides have.

    Args:
        candidate: its cases, in one or more sessions.
        base: the same of the baseline.
        options: see there.
        warnings: what is to be said besides, from reading the files.
    """
    how = Options(options.strict, options.rule, options.judge)
    matching = match(candidate, base)
    rows: list[Row] = []
    for new, old in matching.same:
        rows += compare_case(new, old, how)
    for new, old in matching.near:
        rows.append(refused(new, old, refusing(old.first, new.first) or differences(old.first.keys, new.first.keys)))
    comparisons = adjusted(rows, options.rule, needs=options.judge is judge)
    order = {id(case.case): i for i, case in enumerate(candidate)}
    comparisons.sort(key=lambda row: order[id(row.case)])
    outcome = outcome_of(comparisons)
    exit_code = EXIT_CODES[outcome]
    if outcome == "inconclusive" and options.allow_inconclusive:
        exit_code = ExitCode.DONE
    return ComparisonReport(
        outcome=outcome,
        exit_code=int(exit_code),
        reason=_reason(comparisons) + _gone(matching.only_base),
        candidate=_side(candidate),
        base=_side(base),
        rows=tuple(comparisons),
        counts={verdict: sum(row.gating and row.verdict == verdict for row in comparisons) for verdict in VERDICTS},
        num_failed=len({row.case_id for row in comparisons if row.failed}),
        only_in_candidate=_labels(matching.only_new),
        only_in_base=_labels(matching.only_base),
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
        warnings=tuple(warnings),
    )


def outcome_of(rows: Sequence[CaseComparison]) -> Outcome:
    """The whole from its gating rows; without any there was nothing to compare."""
    verdicts = {row.verdict for row in rows if row.gating}
    if "slower" in verdicts:
        return "slower"
    if any(row.failed for row in rows):
        return "failed"
    if not verdicts or "not-comparable" in verdicts:
        return "not-comparable"
    if "inconclusive" in verdicts:
        return "inconclusive"
    return "faster" if "faster" in verdicts else "same"


# Of what counts most; in words.
_ORDER = (
    "slower", "more energy", "not-comparable", "inconclusive", "faster", "less energy", "same", "same energy",
)  # fmt: skip


def _reason(rows: Sequence[CaseComparison]) -> str:
    gating = [row for row in rows if row.gating]
    if not gating:
        return "no case of the candidate is in the baseline, or none that works"
    found = Counter(verdict_word(row.metric, row.verdict) for row in gating if not row.failed)
    parts = [f"{found[word]} {word}" for word in _ORDER if found[word]]
    failed = len({row.case_id for row in rows if row.failed})
    if failed:
        parts.insert(0, f"{failed} no longer end well")
    return f"of {len(gating)} gating metrics: {', '.join(parts)}"


def _gone(groups: Sequence[Group]) -> str:
    """A case that is not there any more must not be overlooked, though it may have been left out on purpose."""
    return f"; {len(groups)} of the baseline not in the candidate" if groups else ""


def _side(cases: Sequence[SessionCase]) -> Side:
    sessions = {case.session_id: case.created_at for case in cases}
    devices = dict.fromkeys(str(name) for case in cases if (name := case.keys.get("device_name")) is not None)
    return Side(
        session_ids=tuple(sessions),
        created_at=tuple(sessions.values()),
        host_ids=tuple(dict.fromkeys(case.host_id for case in cases)),
        device_names=tuple(devices),
        num_cases=len({case.case.id for case in cases}),
    )


def _labels(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group.first.case.label for group in groups))
