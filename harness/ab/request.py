"""What ``chipmark compare --ab`` is asked to do."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.plan import Filters
from results.errors import UsageError
from results.paired import MIN_PAIRS

# Even, so that each side goes first equally often (ABBA).
DEFAULT_PAIRS = 8
MAX_PAIRS = 1000
DEFAULT_SUITE = "smoke"
# The working tree as it is, instead of a commit.
WORKING_TREE = ("WORKTREE", ".")


class AbRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides and what to measure on both.

    Args:
        ref_a: a git revision of chipmark's repository, ``WORKTREE`` or ``.`` for the working
            tree as it is, or None for the chipmark that is running.
        ref_b: likewise, the side that is judged against the first.
        python_a: the interpreter of side A; None for the one that is running.
        python_b: likewise.
        suite: a suite's name or TOML file, read by the chipmark that is running.
        filters: as for ``chipmark run``; ``replicates`` must be None.
        pairs: how often each side is measured.
        out: folder for the runs; None for a new one below ``chipmark-runs``.
    """

    ref_a: str | None = None
    ref_b: str | None = None
    python_a: str | None = None
    python_b: str | None = None
    suite: str = DEFAULT_SUITE
    filters: Filters = Filters()
    pairs: int = DEFAULT_PAIRS
    out: Path | None = None


def check_request(request: AbRequest) -> None:
    """Refuse what cannot give a verdict, before anything is started.

    Raises:
        UsageError: too few or too many pairs, or nothing that could differ.
    """
    if not MIN_PAIRS <= request.pairs <= MAX_PAIRS:
        raise UsageError(
            f"--pairs {request.pairs}: must lie between {MIN_PAIRS} and {MAX_PAIRS}; "
            f"fewer than {MIN_PAIRS} pairs cannot tell a change from noise"
        )
    if (request.ref_a is None) != (request.ref_b is None):
        raise UsageError("--ab needs two revisions; give the same one twice for an A/A comparison")
    if request.ref_a is None and request.python_a is None and request.python_b is None:
        raise UsageError("nothing to compare: give --ab REF_A REF_B, or --python-a and --python-b")
    if request.filters.replicates is not None:
        raise UsageError("--replicates has no meaning with --ab: every half of a pair is one process; use --pairs")
