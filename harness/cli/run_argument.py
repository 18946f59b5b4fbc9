"""The RUN argument that commands on stored runs share."""

from __future__ import annotations

from pathlib import Path

from results.errors import RunFolderError

RUNS_FOLDER = Path("chipmark-runs")
LATEST = "latest"


def resolve_run(run: str) -> Path:
    """The folder that RUN names: a path, or ``latest`` for the newest run below ``chipmark-runs``.

    Newest is by the time the run says it was created, then by folder name.

    Raises:
        RunFolderError: there is no run to be the latest. A wrong path is left to the reader.
    """
    path = Path(run)
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
