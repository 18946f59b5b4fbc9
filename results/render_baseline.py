"""What a store of baselines holds, and what was added to it, as text."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.baseline_report import Added, Barred, CreateReport, EntryListing, Listing, SessionLine
from results.notes import one_line


def create_text(report: CreateReport) -> str:
    """What was added, what not and why, and what each entry still lacks."""
    lines = []
    for added in report.added:
        lines += _added(added, report.lacking.get(added.entry, ()))
    for barred in report.barred:
        lines += _barred(barred)
    lines += [f"warning: {text}" for text in report.warnings]
    entries = len({added.entry for added in report.added})
    lines.append(
        f"{len(report.added)} sessions added to {entries} entries of {report.store}, {len(report.barred)} cases barred"
    )
    return _text(lines)


def list_text(listing: Listing) -> str:
    """One line an entry, and what is wrong with it below."""
    lines: list[str] = []
    for store in listing.stores:
        entries = [entry for entry in listing.entries if entry.store == store]
        lines.append(f"{store}: {len(entries) or 'no'} {'entry' if len(entries) == 1 else 'entries'}")
        for entry in entries:
            lines += _listed(entry)
    if not listing.stores:
        lines.append("no store of baselines here; make one with `chipmark baseline create RUN`")
    return _text(lines)


def entry_text(entry: EntryListing) -> str:
    """Everything about one entry."""
    lines = [
        f"entry: {entry.entry}",
        f"store: {entry.store}",
        f"state: {entry.state}" + (f": {entry.superseded_reason}" if entry.superseded_reason else ""),
        f"case: {entry.case or 'unknown'}",
        f"device: {entry.device_name or 'unknown'}",
        f"gating metrics: {', '.join(entry.gating) or 'unknown'}",
        f"created: {entry.created_at or 'unknown'}",
        "must match:",
        *(f"    {name}: {'unknown' if value is None else value}" for name, value in entry.keys.items()),
        "sessions:",
    ]
    for session in entry.sessions:
        lines += _session(session)
    if not entry.sessions:
        lines.append("    none that can be used")
    return _text([*lines, *_remarks(entry, "")])


def _added(added: Added, lacking: Sequence[str]) -> list[str]:
    sessions = f"session {added.num_sessions}, {added.num_processes} processes"
    remarks = [*(f"note: {text}" for text in added.cautions), *lacking]
    return [
        f"added {added.case} of {added.run}",
        f"    {added.entry}: {sessions}",
        *(f"    {text}" for text in remarks),
    ]


def _barred(barred: Barred) -> list[str]:
    return [f"barred {barred.case} of {barred.run}", *(f"    {reason}" for reason in barred.reasons)]


def _listed(entry: EntryListing) -> list[str]:
    processes = sum(session.num_processes for session in entry.sessions)
    newest = f", newest {entry.sessions[-1].created_at[:10]}" if entry.sessions else ""
    numbers = f"{len(entry.sessions)} sessions, {processes} processes{newest}"
    reason = f": {entry.superseded_reason}" if entry.superseded_reason else ""
    case = f"        {entry.case} on {entry.device_name}" if entry.case else "        unknown case"
    return [f"    {entry.entry}", case, f"        {entry.state}{reason}; {numbers}", *_remarks(entry, "        ")]


def _remarks(entry: EntryListing, indent: str) -> list[str]:
    return [
        *(f"{indent}{text}" for text in entry.lacking),
        *(f"{indent}problem: {text}" for text in entry.problems),
    ]


def _session(session: SessionLine) -> list[str]:
    times = (
        f"mean step {units.seconds(session.mean_step_s)}, p50 {units.seconds(session.median_s)}, "
        f"p99 {units.seconds(session.p99_s)}"
    )
    if session.step_j is not None:
        times += f", energy {units.joules(session.step_j)} a step"
    commit = f" ({session.git_commit})" if session.git_commit else ""
    origin = f"host {session.host_id}, chipmark {session.chipmark_version}{commit}"
    return [
        f"    {session.created_at} {session.session_id} (run {session.run_id})",
        f"        {session.num_processes} processes: {times}",
        f"        {origin}",
        *([f"        {session.problem}"] if session.problem else []),
    ]


def _text(lines: Sequence[str]) -> str:
    """Lines with their indentation, and nothing that a terminal would obey."""
    return "".join(f"{' ' * (len(line) - len(line.lstrip(' ')))}{one_line(line)}\n" for line in lines)
