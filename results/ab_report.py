"""The report of an A/B comparison, computed from the runs it stored: side A is the base, B is judged.

Cases, keys, guards and the adjustment for many metrics are those of any comparison
(``results.compare``); only the judgement is another one: by pairs (``results.paired``). A pair
counts for a case if both halves measured it well; what one side alone has is left out, so that the
two sides of every pair that is judged were measured one right after the other. The verdict is on whole
pairs; a case that did not end well in some half of B, and did in A, is marked failed beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from results.ab_record import AbHalf, AbRecord, read_ab
from results.ab_work import differing_work
from results.case_comparison import FIELDS, Values
from results.compare import EXIT_CODES, CompareOptions, compare
from results.comparison import ComparisonReport, Judgement, Outcome
from results.errors import ExitCode, RunFolderError
from results.evidence import read_session
from results.notes import one_line
from results.paired import judge_pairs
from results.session_case import Process, SessionCase
from results.verdict import Prior, Rule

# This guard bars no half: the load before a half is that of the half before it.
GUARDS_NOT_ASKED = ("load_before",)


class _Half(NamedTuple):
    """What one half stored: case id -> the case in it, and its folder; or why its run stored nothing at all."""

    cases: dict[str, SessionCase]
    path: Path | None
    failed: str = ""


def ab_report(folder: Path, options: CompareOptions) -> ComparisonReport:
    """Judge what lies in ``folder``.

    Raises:
        RunFolderError: it is no A/B comparison. Runs that are missing or damaged cost their pair.
    """
    record = read_ab(folder)
    warnings: list[str] = []
    pairs: list[tuple[_Half, _Half]] = []
    for number, pair in enumerate(record.pairs, start=1):
        halves = [
            _read(folder, half, f"pair {number}, {side}", warnings) for side, half in (("A", pair.a), ("B", pair.b))
        ]
        pairs.append((halves[0], halves[1]))
    base, new = _complete(pairs, warnings)
    report = compare(new, base, options._replace(judge=judge_sessions), [*_circumstances(record), *warnings])
    if not report.rows:
        report = _without_pairs(record, report)
    work = next((differing_work(a.path, b.path) for a, b in pairs if a.path and b.path), [])
    return msgspec.structs.replace(
        report,
        reason=one_line(f"B ({record.b.label}) against A ({record.a.label}), in pairs: {report.reason}"),
        warnings=(*work, *report.warnings),
    )


def _without_pairs(record: AbRecord, report: ComparisonReport) -> ComparisonReport:
    """No case has anything on both sides: a side always failed, or it was interrupted before it had its turn."""
    failed = any(half and half.reason for pair in record.pairs for half in (pair.a, pair.b)) and not (
        record.interrupted_by
    )
    outcome: Outcome = "failed" if failed else "inconclusive"
    exit_code = EXIT_CODES[outcome]
    if outcome == "inconclusive" and report.allow_inconclusive:
        exit_code = ExitCode.DONE
    return msgspec.structs.replace(
        report, outcome=outcome, exit_code=int(exit_code), reason="no pair has a case that both sides measured"
    )


def judge_sessions(base: Values, new: Values, prior: Prior, rule: Rule) -> Judgement:
    """Judge sessions of one process each, the i-th of one side measured beside the i-th of the other.

    Raises:
        ValueError: the sides do not pair up.
    """
    if len(base) != len(new) or any(len(session) != 1 for session in (*base, *new)):
        raise ValueError(f"{len(base)} and {len(new)} runs do not pair up one process to one")
    return judge_pairs([(a[0], b[0]) for a, b in zip(base, new, strict=True)], rule, prior.meters)


def _read(folder: Path, half: AbHalf | None, where: str, warnings: list[str]) -> _Half:
    """The cases of one half; what is wrong with it goes to ``warnings``."""
    if half is None:
        return _Half({}, None)
    if half.reason:
        warnings.append(one_line(f"{where}: {half.reason}"))
    if half.run is None:
        return _Half({}, None, "" if half.exit_code == ExitCode.INTERRUPTED else half.reason)
    path = folder / half.run
    try:
        session = read_session(path)
    except RunFolderError as error:
        warnings.append(f"{where}: {error}")
        return _Half({}, None)
    warnings += [f"{where}: {text}" for text in session.warnings]
    # A half that was interrupted lacks what it had no time for: that case did not cease to work.
    cut_short = half.exit_code == ExitCode.INTERRUPTED
    cases = [case for case in session.cases if case.processes or not cut_short]
    return _Half({case.case.id: _with_guards_asked(case) for case in cases}, path)


def _with_guards_asked(case: SessionCase) -> SessionCase:
    """``case`` without the FAILs of the guards that are not asked."""
    processes = []
    for process in case.processes:
        asked = [g for g in process.failed_guards if g.partition(":")[0] not in GUARDS_NOT_ASKED]
        processes.append(msgspec.structs.replace(process, failed_guards=tuple(asked)))
    return msgspec.structs.replace(case, processes=tuple(processes))


def _complete(pairs: Sequence[tuple[_Half, _Half]], warnings: list[str]) -> tuple[list[SessionCase], list[SessionCase]]:
    """Both sides' sessions, case by case of whole pairs only.

    Where a case has no whole pair at all, what there is of it is passed on, so that the comparison
    says why: another version, no longer working, disturbed.
    """
    base: list[SessionCase] = []
    new: list[SessionCase] = []
    for case_id in dict.fromkeys(name for pair in pairs for half in pair for name in half.cases):
        seen = [(a.cases.get(case_id), b.cases.get(case_id)) for a, b in pairs]
        whole = [_matched(a, b) for a, b in seen if a is not None and b is not None and _undisturbed(a, b)]
        if whole:
            base += [a for a, _ in whole]
            new += [b for _, b in whole]
            new += _lost(pairs, case_id, whole[0][1])
        else:
            base += [a for a, _ in seen if a is not None]
            new += [b for _, b in seen if b is not None]
        label = next(case.case.label for pair in seen for case in pair if case is not None)
        warnings += _left_out(label, seen) if whole else []
    return base, new


def _lost(pairs: Sequence[tuple[_Half, _Half]], case_id: str, like: SessionCase) -> list[SessionCase]:
    """B's sessions of a case in which it did not end well, or nothing was stored: they make it a failed one.

    They hold no process, so that no pair is judged by them.
    """
    lost = []
    for number, (_, half) in enumerate(pairs, start=1):
        case = half.cases.get(case_id)
        if case is not None and not case.processes and case.status not in ("ok", "missing"):
            lost.append(case)
        elif half.failed:
            changes = {"session_id": f"pair {number}, B", "status": "failed", "problem": half.failed, "processes": ()}
            lost.append(msgspec.structs.replace(like, **changes))
    return lost


def _undisturbed(a: SessionCase, b: SessionCase) -> bool:
    """Whether both ended well and no guard FAILed on either: a disturbed half is no partner."""
    return all(len(side.processes) == 1 and not side.processes[0].failed_guards for side in (a, b))


def _matched(a: SessionCase, b: SessionCase) -> tuple[SessionCase, SessionCase]:
    """The pair with only those times that both have, so that the pairs of every metric line up."""
    ours, theirs = a.processes[0], b.processes[0]
    lacking = {field: None for field in FIELDS.values() if None in (getattr(ours, field), getattr(theirs, field))}
    return _with(a, ours, lacking), _with(b, theirs, lacking)


def _with(case: SessionCase, process: Process, changes: dict[str, None]) -> SessionCase:
    return msgspec.structs.replace(case, processes=(msgspec.structs.replace(process, **changes),))


def _left_out(label: str, seen: Sequence[tuple[SessionCase | None, SessionCase | None]]) -> list[str]:
    """One line for a case some of whose pairs do not count."""
    reasons: dict[str, list[str]] = {}
    for number, sides in enumerate(seen, start=1):
        for name, side in zip("AB", sides, strict=True):
            why = _why_not(side)
            if why:
                reasons.setdefault(f"{name}: {why}", []).append(str(number))
    return [one_line(f"{label}: pair {', '.join(numbers)} left out; {why}") for why, numbers in reasons.items()]


def _why_not(side: SessionCase | None) -> str:
    if side is None:
        return "was not measured"
    if not side.processes:
        return side.problem or "no process can be used"
    guards = [text for process in side.processes for text in process.failed_guards]
    return f"a guard failed ({'; '.join(text.partition(':')[0] for text in guards)})" if guards else ""


def _circumstances(record: AbRecord) -> list[str]:
    """What must be known of the whole comparison."""
    found = list(record.warnings)
    if record.same_code:
        found.append("both sides have the same code and interpreter: an A/A comparison, which should find no change")
    if record.interrupted_by:
        found.append(
            f"interrupted by {record.interrupted_by}: {len(record.pairs)} of {record.pairs_wanted} pairs begun"
        )
    return found
