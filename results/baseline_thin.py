"""What a baseline lacks before one may bet on it. A thin one is kept and used; it says so."""

from __future__ import annotations

from collections.abc import Sequence

from results.baseline_records import BaselineSession
from results.sessions_apart import num_apart
from results.verdict import RULE

# Sessions of several hosts are welcome: what differs between hosts is then known.
MAY_DIFFER = frozenset(("host_id", "container"))


def thinness(sessions: Sequence[BaselineSession]) -> list[str]:
    """What to add to an entry with these sessions (oldest first); empty if nothing."""
    found = []
    apart = num_apart([session.run.created_at for session in sessions])
    missing = RULE.min_base_sessions - apart
    if missing > 0:
        too_close = len(sessions) - apart
        close = f": it has {len(sessions)}, {too_close} of them too close to another" if too_close else ""
        found.append(f"needs {missing} more session{'' if missing == 1 else 's'}, an hour apart{close}")
    short = [len(s.measurements) for s in sessions if len(s.measurements) < RULE.min_base_processes]
    if short:
        found.append(
            f"{len(short)} of {len(sessions)} sessions have fewer than {RULE.min_base_processes} processes "
            f"(run with --replicates {RULE.min_base_processes})"
        )
    return found


def mixed(sessions: Sequence[BaselineSession]) -> list[str]:
    """Circumstances that are not the same in all sessions: their changes would pass for drift."""
    names = sorted({name for session in sessions for name in session.context} - MAY_DIFFER)
    found = []
    for name in names:
        values = list(dict.fromkeys(str(session.context.get(name)) for session in sessions))
        if len(values) > 1:
            found.append(f"{name} differs between sessions: {', '.join(values)}")
    return found
