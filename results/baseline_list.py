"""What is in a store: derived from its files, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from results.baseline_records import BaselineSession
from results.baseline_report import EntryListing, EntryState, Listing, SessionLine
from results.baseline_store import Entry, as_run, read_sessions, read_store
from results.baseline_thin import mixed, thinness
from results.evidence import session_cases
from results.session_case import Process


def list_stores(stores: Sequence[Path]) -> Listing:
    """Every entry of every store.

    Raises:
        BaselineError: a store is no folder.
    """
    entries = [describe(entry) for store in stores for entry in read_store(store)]
    return Listing(stores=tuple(map(str, stores)), entries=tuple(entries))


def describe(entry: Entry) -> EntryListing:
    """One entry with its sessions."""
    sessions = read_sessions(entry)
    lines = tuple(_line(entry, session) for session in sessions.stored)
    lacking = (*thinness(sessions.stored), *mixed(sessions.stored))
    info = entry.info
    return EntryListing(
        store=str(entry.store),
        entry=entry.name,
        state=_state(entry, len(lines), bool(thinness(sessions.stored))),
        case=info.case.label if info else None,
        device_name=info.device_name if info else None,
        gating=info.gating if info else (),
        keys=info.keys if info else {},
        created_at=info.created_at if info else None,
        superseded_reason=entry.superseded.reason if entry.superseded else "",
        sessions=lines,
        lacking=() if entry.superseded else lacking,
        problems=(*entry.problems, *sessions.problems),
    )


def _state(entry: Entry, num_sessions: int, thin: bool) -> EntryState:
    if entry.superseded is not None:
        return "superseded"
    if entry.info is None:
        return "damaged"
    if not num_sessions:
        return "empty"
    return "thin" if thin else "in use"


def _line(entry: Entry, session: BaselineSession) -> SessionLine:
    environment = session.run.environment
    found = session_cases(as_run(entry, session))
    processes = [process for case in found for process in case.processes]
    return SessionLine(
        session_id=session.session_id,
        run_id=session.run.run_id,
        created_at=session.run.created_at,
        host_id=environment.host_id,
        chipmark_version=environment.chipmark_version,
        git_commit=environment.git_commit,
        num_processes=len(processes),
        mean_step_s=_median(processes, "mean_step_s"),
        median_s=_median(processes, "median_s"),
        p99_s=_median(processes, "p99_s"),
        step_j=_median(processes, "step_j"),
        problem="; ".join(dict.fromkeys(case.problem for case in found if case.problem)),
    )


def _median(processes: Sequence[Process], name: str) -> float | None:
    values = [value for process in processes if (value := getattr(process, name)) is not None]
    return median(values) if values else None
