"""What ``chipmark baseline`` prints as JSON: derived from a store, never stored."""

from __future__ import annotations

from typing import Literal

from results.record import Record, Scalar


class Added(Record, frozen=True, kw_only=True):
    """A case of a run that is now a session of an entry."""

    run: str
    case: str
    entry: str
    num_sessions: int  # of the entry, this one included
    num_processes: int  # of this session
    cautions: tuple[str, ...] = ()


class Barred(Record, frozen=True, kw_only=True):
    """A case of a run that did not become a baseline."""

    run: str
    case: str
    reasons: tuple[str, ...]


class CreateReport(Record, frozen=True, kw_only=True):
    """What ``chipmark baseline create`` did."""

    store: str
    added: tuple[Added, ...]
    barred: tuple[Barred, ...]
    lacking: dict[str, tuple[str, ...]]  # entry -> what it lacks to be relied on
    warnings: tuple[str, ...] = ()


class SessionLine(Record, frozen=True, kw_only=True):
    """One session of an entry. Times and energy are of one step, medians over its processes."""

    session_id: str
    run_id: str
    created_at: str
    host_id: str
    chipmark_version: str
    git_commit: str | None
    num_processes: int
    mean_step_s: float | None = None
    median_s: float | None = None
    p99_s: float | None = None
    step_j: float | None = None  # None: no energy that can be compared
    problem: str = ""  # why there is nothing to compare with, if so


EntryState = Literal["in use", "thin", "empty", "superseded", "damaged"]


class EntryListing(Record, frozen=True, kw_only=True):
    """One entry. ``state``: empty = no usable session, damaged = its own file is unusable."""

    store: str
    entry: str
    state: EntryState
    case: str | None = None
    device_name: str | None = None
    gating: tuple[str, ...] = ()
    keys: dict[str, Scalar] = {}
    created_at: str | None = None
    superseded_reason: str = ""
    sessions: tuple[SessionLine, ...] = ()
    lacking: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Listing(Record, frozen=True, kw_only=True):
    """What ``chipmark baseline list`` shows."""

    stores: tuple[str, ...]
    entries: tuple[EntryListing, ...]
