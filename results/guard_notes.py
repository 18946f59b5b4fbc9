"""What guards said, summed up for people: one line a guard, not one a case."""

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
    """Guards that FAIL, then those that WARN, each with its worst reading, then what could not be judged."""
    total = len(cases)
    failed, warned = _by_name(cases, "FAIL"), _by_name(cases, "WARN")
    lines = [_line(name, failed.get(name, []), warned.get(name, []), total) for name in {**failed, **warned}]
    unknown = [
        f"{name} in {len({i for i, _ in found})} ({_reasons(guard for _, guard in found)})"
        for name, found in _by_name(cases, "UNKNOWN").items()
    ]
    if unknown:
        lines.append(f"guards that could not be judged, of {total} cases: " + ", ".join(unknown))
    return lines


Found = list[tuple[int, Guard]]  # index of a case, and a guard of it


def _line(name: str, failed: Found, warned: Found, total: int) -> str:
    """``guard NAME FAIL in 2, WARN in 1 of 5 cases: worst: ...``; a case counts by its worst replicate."""
    fails = {i for i, _ in failed}
    warns = {i for i, _ in warned} - fails
    counts = [f"{verdict} in {len(which)}" for verdict, which in (("FAIL", fails), ("WARN", warns)) if which]
    guards = [guard for _, guard in failed or warned]
    worst = max(guards, key=_distance)
    lead = "" if len({guard.reason for _, guard in failed + warned}) == 1 else "worst: "
    return f"guard {name} {', '.join(counts)} of {total} cases: {lead}{worst.reason or 'no reason was given'}"


def _by_name(cases: Sequence[CaseSummary], verdict: GuardVerdict) -> dict[str, Found]:
    """Guard name -> what was found, for guards with this verdict."""
    found: dict[str, Found] = {}
    for i, case in enumerate(cases):
        for guard in case.guards:
            if guard.verdict == verdict:
                found.setdefault(guard.name, []).append((i, guard))
    return found


def _reasons(guards: Iterable[Guard]) -> str:
    reasons = list(dict.fromkeys(guard.reason or "no reason was given" for guard in guards))
    return reasons[0] + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "")


def _distance(guard: Guard) -> float:
    """How far past its threshold, so that the worst of several can be told."""
    if guard.value is None or guard.threshold is None:
        return 0.0
    return abs(guard.value - guard.threshold)
