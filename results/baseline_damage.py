"""Entries of a store that cannot be used, and whose they were.

A gate whose evidence was lost must not open: what an entry held is then not known, which is not the
same as that there never was a baseline.
"""

from __future__ import annotations

from results.baseline_records import BaselineSession, hash_keys
from results.baseline_store import Entry, folder_name, read_sessions, slug
from results.comparability import case_keys, differences
from results.session_case import SessionCase


def may_hold(entry: Entry, candidate: SessionCase) -> bool:
    """Whether an entry without a readable ``baseline.json`` may be that of a candidate's case.

    Its sessions tell, where one can be read; else the folder's name, which has the hash of all
    conditions, and where that is another one, the workload, device and precision: conditions that are
    not known on one side change the hash, and fit nevertheless.
    """
    sessions = read_sessions(entry, check_raw=False).stored
    if sessions:
        return any(_is_of(session, candidate) for session in sessions)
    case = candidate.case
    if hash_keys(candidate.keys) in entry.path.name:
        return True
    workload, device, conditions = entry.path.relative_to(entry.store).parts
    return (
        workload == f"{folder_name(case.workload)}@{case.workload_version}"
        and device == slug(str(candidate.keys.get("device_name") or case.device))
        and conditions.startswith(f"{case.precision}-")
    )


def damage_of(entry: Entry) -> list[str]:
    """Why nothing of an entry can be used."""
    problems = list(entry.problems)
    if entry.info is not None:
        problems += read_sessions(entry, check_raw=False).problems
    return problems or [f"{entry.name}: holds no session"]


def stand_in(entry: Entry, candidate: SessionCase) -> SessionCase:
    """A session without a process that says what happened to the evidence."""
    gating = entry.info.gating if entry.info else None
    return SessionCase(
        case=candidate.case,
        session_id=f"damaged baseline {entry.name}",
        created_at=entry.info.created_at if entry.info else "unknown",
        host_id="unknown",
        device_kind=candidate.device_kind,
        keys=candidate.keys,
        context={},
        processes=(),
        problem=f"the stored baseline cannot be used ({'; '.join(damage_of(entry))}); restore it, or supersede it",
        status="missing",
        gating=gating,
    )


def _is_of(session: BaselineSession, candidate: SessionCase) -> bool:
    names = case_keys(candidate.case)
    return all(
        each.base is None or each.new is None
        for each in differences(session.keys, candidate.keys)
        if each.key in names or each.key == "device_name"
    )
