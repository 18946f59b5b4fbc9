"""What one side of a comparison is called on the command line."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness.cli.run_argument import refuse_imported, resolve_run
from results.errors import UsageError


def paths_of(side: str) -> list[Path]:
    """The folders that a side names: one, ``latest``, or several separated by commas.

    Raises:
        UsageError: it names none, or a file of imported results.
        RunFolderError: there is no run to be the latest.
    """
    with contextlib.suppress(OSError):  # many names in a row may be too long for one
        if Path(side).exists():  # a folder's own name may hold commas
            refuse_imported(Path(side))
            return [Path(side)]
    names = [part.strip() for part in side.split(",") if part.strip()]
    if not names:
        raise UsageError(f"{side!r} names no run")
    return [resolve_run(name) for name in names]
