"""What guards said, summed up for people: one line a guard and verdict, not one a case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results.case_summary import CaseSummary
from results.record import GuardVerdict
from results.records import Guard

BARRED = "a guard says FAIL (see below): kept, but barred from baselines"


def guard_case_notes(case: CaseSummary) -> list[str]:
    """What a row must say of its guards: only that one FAILed; which one is said below, once for all."""
    return [BARRED] if any(guard.verdict == "FAIL" for guard in case.guards) else []


def guard_notes(cases: Sequence[CaseSummary]) -> list[str]:
    """FAILs, WARNs, then everything that could not be judged, each guard with its worst reading."""
    total = len(cases)
    lines = []
    for verdict in ("FAIL", "WARN"):
        for name, found in _by_name(cases, verdict).items():
            worst = max((guard for _, guard in found), key=_distance)
            lead = "" if len({guard.reason for _, guard in found}) == 1 else "worst: "
            where = _count(found, total)
            lines.append(f"guard {name} {verdict} in {where}: {lead}{worst.reason or 'no reason was given'}")
    unknown = [
        f"{name} in {_count(found, total)} ({_reasons(guard for _, guard in found)})"
        for name, found in _by_name(cases, "UNKNOWN").items()
    ]
    return [*lines, *(["guards that could not be judged: " + ", ".join(unknown)] if unknown else [])]


def _by_name(cases: Sequence[CaseSummary], verdict: GuardVerdict) -> dict[str, list[tuple[int, Guard]]]:
    """Guard name -> (index of the case, guard), for guards with this verdict."""
    found: dict[str, list[tuple[int, Guard]]] = {}
    for i, case in enumerate(cases):
        for guard in case.guards:
            if guard.verdict == verdict:
                found.setdefault(guard.name, []).append((i, guard))
    return found


def _count(found: Sequence[tuple[int, Guard]], total: int) -> str:
    return f"{len({i for i, _ in found})} of {total} cases"


def _reasons(guards: Iterable[Guard]) -> str:
    reasons = list(dict.fromkeys(guard.reason or "no reason was given" for guard in guards))
    return reasons[0] + (f", and {len(reasons) - 1} more such reasons" if len(reasons) > 1 else "")


def _distance(guard: Guard) -> float:
    """How far past its threshold, so that the worst of several can be told."""
    if guard.value is None or guard.threshold is None:
        return 0.0
    return abs(guard.value - guard.threshold)
