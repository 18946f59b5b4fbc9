"""The folder of a new run: found to be usable before anything is measured, removed if unused."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from results.errors import OutputError
from results.store import LOG_FILE, RUN_FILE
from results.store_writer import check_free_space, refuse_used

DEFAULT_PARENT = Path("chipmark-runs")


class RunFolder:
    """Makes (or takes) the folder for a run. Use as a context manager.

    On leaving without a stored run, what this made is removed; what was there before stays.

    Args:
        out: the user's choice; None for a new folder below :data:`DEFAULT_PARENT`.
        name: what a folder without a name of its own is called after.

    Raises:
        OutputError: it cannot be written, or its disk is full.
        RunFolderError: it holds a run already.
    """

    def __init__(self, out: Path | None, name: str) -> None:
        self.path = out if out is not None else _free_default(name)
        self._made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self._had_log = (self.path / LOG_FILE).exists()
        try:
            str(self.path.absolute()).encode("utf-8")  # as records and messages hold it
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as probe:
                probe.write(b"chipmark")
            check_free_space(self.path)
        except (OSError, UnicodeError) as error:
            self._clean()
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"{self.path}: cannot write results: {reason}; choose another place with --out"
            ) from error
        refuse_used(self.path)

    @property
    def has_run(self) -> bool:
        """Whether a run was started in it."""
        return (self.path / RUN_FILE).exists()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.has_run:
            self._clean()

    def _clean(self) -> None:
        with contextlib.suppress(OSError):
            if not self._had_log:
                (self.path / LOG_FILE).unlink(missing_ok=True)
            for folder in self._made:
                folder.rmdir()


def _free_default(name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    base = DEFAULT_PARENT / f"{stamp}-{Path(name).stem}"
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path
