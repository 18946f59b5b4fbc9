"""``ab.json``: which runs of an A/B comparison belong together; the runs lie beside it.

Rewritten after every half, so that whatever ends the comparison, what was measured can be judged.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from results.errors import OutputError, RunFolderError
from results.record import Record

AB_FILE = "ab.json"
# History of the stored format.
#   1  first version
AB_SCHEMA_VERSION = 1


class AbSide(Record, frozen=True, kw_only=True):
    """One side: which chipmark, in which interpreter."""

    label: str  # for people
    ref: str | None  # as asked for; None: the chipmark that was running
    commit: str | None  # None: not from a repository
    python: str
    python_version: str


class AbHalf(Record, frozen=True, kw_only=True):
    """One side of one pair: a ``chipmark run`` of its own."""

    run: str | None  # folder, relative to ab.json; None: it stored nothing
    exit_code: int | None  # of `chipmark run`; negative: ended by that signal; None: stopped at the time limit
    reason: str = ""  # what went wrong, if something did
    started_at: str  # ISO 8601, UTC
    elapsed_s: float


class AbPair(Record, frozen=True, kw_only=True):
    """Two halves, one right after the other. A half that is missing was not reached."""

    first: Literal["a", "b"]
    a: AbHalf | None = None
    b: AbHalf | None = None


class AbRecord(Record, frozen=True, kw_only=True):
    """``ab.json``. Side A is the base, side B is judged against it."""

    schema_version: int = AB_SCHEMA_VERSION
    created_at: str  # ISO 8601, UTC
    command: str
    suite: str
    pairs_wanted: int
    a: AbSide
    b: AbSide
    same_code: bool  # both sides have the same sources and the same interpreter: an A/A comparison
    pairs: tuple[AbPair, ...] = ()
    interrupted_by: str = ""
    warnings: tuple[str, ...] = ()


def write_ab(folder: Path, record: AbRecord) -> None:
    """Write ``ab.json`` atomically.

    Raises:
        OutputError: it cannot be written.
    """
    file, new = folder / AB_FILE, folder / f".{AB_FILE}.new"
    try:
        with new.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(record), indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, file)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}") from error


def read_ab(folder: Path) -> AbRecord:
    """Read ``ab.json`` of a folder.

    Raises:
        RunFolderError: it is missing, damaged, of a newer format or names a run outside its folder.
    """
    file = folder / AB_FILE
    try:
        raw = msgspec.json.decode(file.read_bytes())
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > AB_SCHEMA_VERSION:
            raise ValueError(f"format {version} is newer than this chipmark reads ({AB_SCHEMA_VERSION})")
        record = msgspec.convert(raw, AbRecord)
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RunFolderError(f"{file}: cannot be read as an A/B comparison: {error}") from error
    for pair in record.pairs:
        for half in (pair.a, pair.b):
            if half is not None and half.run is not None and not _is_plain_name(half.run):
                raise RunFolderError(f"{file}: run {half.run!r} is not in its folder")
    return record


def _is_plain_name(name: str) -> bool:
    return name not in ("", "..") and Path(name).name == name
