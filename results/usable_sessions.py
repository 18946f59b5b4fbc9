"""Which sessions and processes of a case take part in a comparison, and what is said of the others."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import msgspec

from results.comparability import differences
from results.comparison import Difference
from results.failed_guards import by_guard
from results.record import Scalar
from results.session_case import SessionCase

MAX_GUARDS = 3  # said in full; a busy host fails most of them at once


def usable(
    sessions: Sequence[SessionCase], side: str, elsewhere: Collection[str] = ()
) -> tuple[list[SessionCase], list[str]]:
    """Sessions with processes, each once, oldest first; and what is said of the rest.

    Args:
        sessions: of one case on one side.
        side: its name, for the warnings.
        elsewhere: ids of the other side's sessions: a session is no evidence against itself.
    """
    found: dict[str, SessionCase] = {}
    warnings = []
    for session in sorted(sessions, key=lambda s: s.created_at):
        where = f"{side}, session {session.session_id}"
        if session.session_id in elsewhere:
            warnings.append(f"{where}: is on both sides; left out of the {side}")
        elif session.session_id in found:
            warnings.append(f"{where}: was given twice; counted once")
        elif session.problem or not session.processes:
            warnings.append(f"{where}: {session.problem or 'no process can be used'}")
        else:
            found[session.session_id] = session
            warnings += [f"{where}, {text}" for text in session.left_out]
    return list(found.values()), warnings


def quiet(sessions: Sequence[SessionCase]) -> tuple[list[SessionCase], list[str]]:
    """Baseline sessions without the processes that a FAILed guard bars; and what was left out.

    No guard that is asked looks at the times (``results.failed_guards``), and a candidate with a FAILed
    guard gets no verdict: both sides are then undisturbed processes, which favours neither.
    """
    kept, warnings = [], []
    for session in sessions:
        barred = [p for p in session.processes if p.failed_guards]
        if not barred:
            kept.append(session)
            continue
        guards = "; ".join(by_guard([p.failed_guards for p in session.processes], MAX_GUARDS))
        warnings.append(
            f"baseline, session {session.session_id}: {len(barred)} of {len(session.processes)} processes "
            f"were left out, a guard failed: {guards}"
        )
        rest = tuple(p for p in session.processes if not p.failed_guards)
        if rest:
            kept.append(msgspec.structs.replace(session, processes=rest))
    return kept, warnings


def noise(sessions: Sequence[SessionCase]) -> str:
    """The guards that FAILed in the candidate, or ""."""
    processes = [p for session in sessions for p in session.processes]
    barred = [p for p in processes if p.failed_guards]
    if not barred:
        return ""
    guards = "; ".join(by_guard([p.failed_guards for p in processes], MAX_GUARDS))
    return f"in {len(barred)} of {len(processes)} processes a guard failed ({guards})"


def refusing(base: SessionCase, new: SessionCase) -> list[Difference]:
    """Keys that are known on both sides and differ."""
    return [d for d in differences(base.keys, new.keys) if d.base is not None and d.new is not None]


def disagreement(sessions: Sequence[SessionCase]) -> list[Difference]:
    """Keys that sessions of one side disagree about, with two of the known values."""
    first: dict[str, Scalar] = {}
    found: dict[str, Difference] = {}
    for session in sessions:
        for name, value in session.keys.items():
            if value is not None and first.setdefault(name, value) != value:
                found.setdefault(name, Difference(key=name, base=first[name], new=value))
    return list(found.values())


def known_keys(sessions: Sequence[SessionCase]) -> SessionCase:
    """The first of ``sessions``, which agree, with what any of them knows of the keys."""
    known = {name: value for s in sessions for name, value in s.keys.items() if value is not None}
    return msgspec.structs.replace(sessions[0], keys=sessions[0].keys | known)


def fitting(base: Sequence[SessionCase], new: SessionCase) -> tuple[list[SessionCase], list[list[Difference]]]:
    """Baseline sessions that are comparable, and why each of the others is not.

    A session that does not know a key is taken for what those that know it are: it does not fit where
    one of them is refused by it.
    """
    found = [refusing(session, new) for session in base]
    refused = {difference.key: difference for differing in found for difference in differing}
    kept, misfits = [], []
    for session, differing in zip(base, found, strict=True):
        unknown = [difference for name, difference in refused.items() if session.keys.get(name) is None]
        if differing or unknown:
            misfits.append(differing or unknown)
        else:
            kept.append(session)
    return kept, misfits


def circumstances(base: Sequence[SessionCase], new: Sequence[SessionCase]) -> tuple[Difference, ...]:
    """What is told and does not refuse: context that differs, and keys not known on one side."""
    found = [*_between([s.keys for s in base], [s.keys for s in new])]
    return (*found, *_between([s.context for s in base], [s.context for s in new]))


def _between(base: Sequence[dict[str, Scalar]], new: Sequence[dict[str, Scalar]]) -> list[Difference]:
    if len(base) == len(new) == 1:
        return differences(base[0], new[0])
    names = dict.fromkeys(name for values in (*new, *base) for name in values)
    found = []
    for name in names:
        sides = [{values.get(name): None for values in side} for side in (base, new)]
        if sides[0].keys() != sides[1].keys():
            found.append(Difference(key=name, base=_together(sides[0]), new=_together(sides[1])))
    return found


def _together(values: Collection[Scalar]) -> Scalar:
    known = [value for value in values if value is not None]
    return next(iter(known), None) if len(known) < 2 else " | ".join(sorted(map(str, known)))


def log_values(sessions: Sequence[SessionCase], field: str) -> list[list[float]]:
    """Logs of the processes' times, by session; sessions without any are not there.

    Raises:
        ValueError: a time is not above 0, or not finite.
    """
    found = []
    for session in sessions:
        times = [value for p in session.processes if (value := getattr(p, field)) is not None]
        bad = next((time for time in times if not 0 < time < math.inf), None)
        if bad is not None:
            raise ValueError(f"session {session.session_id}: {field} of {bad} is no duration")
        if times:
            found.append([math.log(time) for time in times])
    return found


def typical(values: Sequence[Sequence[float]]) -> float:
    """Geometric mean of the geometric means of sessions, in seconds: what the verdict compares."""
    return math.exp(math.fsum(math.fsum(session) / len(session) for session in values) / len(values))
