"""The folder of an A/B comparison: found to be usable before anything is measured, removed if unused."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness.ab.frozen_suite import FILE as SUITE_FILE
from harness.run_folder import RunFolder
from results.ab_record import AB_FILE
from results.errors import OutputError


class AbFolder:
    """Makes (or takes) the folder. On leaving without a comparison in it, what this made is removed.

    Args:
        out: the user's choice; None for a new folder below ``chipmark-runs``.

    Raises:
        OutputError: it cannot be written, its disk is full, or it holds a comparison already.
        RunFolderError: it holds a run.
    """

    def __init__(self, out: Path | None) -> None:
        self._folder = RunFolder(out, "ab")
        self.path = self._folder.path
        if (self.path / AB_FILE).exists():
            raise OutputError(f"{self.path}: already holds an A/B comparison; choose another place with --out")

    def __enter__(self) -> AbFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if not (self.path / AB_FILE).exists() or not any(self.path.glob("*-[ab]")):
            with contextlib.suppress(OSError):
                (self.path / AB_FILE).unlink(missing_ok=True)
                (self.path / SUITE_FILE).unlink(missing_ok=True)
            self._folder.__exit__()
