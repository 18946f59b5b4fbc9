"""The RUN argument that commands on stored runs share."""

from __future__ import annotations

import os
from pathlib import Path

from results.errors import RunFolderError, UsageError

RUNS_FOLDER = Path("chipmark-runs")
LATEST = "latest"
MAX_SHOWN = 60  # characters of a name that cannot be one


def named_path(name: str) -> Path:
    """A path that can be looked at, whether anything is there or not.

    Raises:
        UsageError: it is too long for a name, or in a folder that may not be read.
    """
    try:
        os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        shown = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..."
        raise UsageError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return Path(name)


def refuse_imported(path: Path) -> None:
    """Refuse results that chipmark did not measure where a run is asked for.

    Raises:
        UsageError: it is a file of imported results.
    """
    if not path.is_file():
        return
    from results.imported_store import is_imported

    if is_imported(path):
        raise UsageError(
            f"{path}: holds results that were measured elsewhere, not a run of chipmark: they are never compared with "
            f"its measurements; see `chipmark import show {path}` and `chipmark cost --imported {path}`"
        )


def resolve_run(run: str) -> Path:
    """The folder that RUN names: a path, or ``latest`` for the newest run below ``chipmark-runs``.

    Newest is by the time the run says it was created, then by folder name.

    Raises:
        RunFolderError: there is no run to be the latest. A wrong path is left to the reader.
        UsageError: it cannot be a path, or it is a file of imported results.
    """
    path = named_path(run)
    refuse_imported(path)
    if run != LATEST or path.is_dir():
        return path
    import msgspec

    from results.store import RUN_FILE

    found = []
    for file in RUNS_FOLDER.glob(f"*/{RUN_FILE}"):
        try:
            created_at = msgspec.json.decode(file.read_bytes()).get("created_at", "")
        except (OSError, AttributeError, msgspec.DecodeError):
            continue  # a damaged run is reported when it is named, not when another is looked for
        found.append((str(created_at), file.parent.name, file.parent))
    if not found:
        raise RunFolderError(f"{RUNS_FOLDER}: no stored run here; make one with `chipmark run`, or give its folder")
    return max(found)[2]
