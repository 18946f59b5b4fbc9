"""A store of baselines on disk: what lies where, and reading it.

Layout of a store::

    <workload>@<version>/<device>/<precision>-<config hash>[-<generation>]/
        baseline.json              BaselineEntry: one case on one device, and what must match
        sessions/<utc>-<id>.json   BaselineSession: what one run measured of it
        raw/<sha256>.npz           raw samples, named by their checksum
        superseded.json            Superseded: if there, the entry is no longer used

Nothing is ever changed or deleted. A session's file is made last, so that a crash leaves at most
raw samples that nobody names. What is damaged is reported and skipped; the rest is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from results.baseline_records import BASELINE_SCHEMA_VERSION, BaselineEntry, BaselineSession, Superseded, checksum
from results.errors import BaselineError, did_you_mean
from results.records import Measurement, RunInfo
from results.store import StoredRun, from_json

ENTRY_FILE = "baseline.json"
SUPERSEDED_FILE = "superseded.json"
SESSIONS_FOLDER = "sessions"
RAW_FOLDER = "raw"
# Where `baseline create` writes and `compare` looks first.
DEFAULT_STORE = Path("chipmark-baselines")
# What is shipped with chipmark; read only.
SHIPPED_STORE = Path(__file__).resolve().parent / "baselines"

T = TypeVar("T", BaselineEntry, BaselineSession, Superseded)


class BaselineRun(StoredRun):
    """A session as a run: the same readers derive the same numbers from it."""

    samples_folder = RAW_FOLDER


class Entry(NamedTuple):
    """An entry as found. ``info`` is None, with a problem, if its ``baseline.json`` is unusable."""

    store: Path
    path: Path
    info: BaselineEntry | None
    superseded: Superseded | None
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """``llm-decoder@1/nvidia-h100-80gb-hbm3/bf16-0123456789ab``, as commands take it."""
        return self.path.relative_to(self.store).as_posix()


class Sessions(NamedTuple):
    """The sessions of an entry, oldest first, and what was wrong with others."""

    stored: list[BaselineSession]
    problems: list[str]


def slug(text: str) -> str:
    """Text as a name for a folder: ``NVIDIA H100 80GB HBM3`` -> ``nvidia-h100-80gb-hbm3``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "unknown"


def folder_name(workload: str) -> str:
    """A workload's name as a folder's: a plugin's may hold a slash."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", workload).lstrip(".") or "unknown"


def default_stores() -> list[Path]:
    """The user's own store here, if there is one, and the shipped one."""
    return [path for path in (DEFAULT_STORE, SHIPPED_STORE) if path.is_dir()]


def is_store(path: Path) -> bool:
    """Whether a folder looks like a store of baselines."""
    return next(_entry_folders(path), None) is not None


def read_store(store: Path) -> list[Entry]:
    """All entries, superseded ones too, by name.

    Raises:
        BaselineError: there is no such folder.
    """
    if not store.is_dir():
        raise BaselineError(f"{store}: no such store of baselines; make one with `chipmark baseline create RUN`")
    return [read_entry(store, path) for path in sorted(_entry_folders(store))]


def read_entry(store: Path, path: Path) -> Entry:
    """One entry, as far as it can be read."""
    info: BaselineEntry | None = None
    superseded: Superseded | None = None
    problems = []
    try:
        info = read_record(path / ENTRY_FILE, BaselineEntry)
    except BaselineError as error:
        problems.append(str(error))
    try:
        superseded = read_record(path / SUPERSEDED_FILE, Superseded)
    except BaselineError as error:
        if (path / SUPERSEDED_FILE).exists():  # whatever it says: someone meant it to be no longer used
            problems.append(str(error))
            superseded = Superseded(reason="cannot be read", superseded_at="", chipmark_version="")
    return Entry(store, path, info, superseded, tuple(problems))


def find_entry(stores: Sequence[Path], name: str) -> Entry:
    """The entry that ``name`` names: as listed, its end, its hash, or its folder.

    Raises:
        BaselineError: none or several are meant, or a store is no folder.
    """
    entries = [entry for store in stores for entry in read_store(store)]
    wanted = name.strip("/")
    found = [e for e in entries if wanted and (e.name == wanted or e.name.endswith("/" + wanted))]
    with contextlib.suppress(OSError):  # of a name that is too long for a folder's
        found = found or [e for e in entries if wanted and e.path.resolve() == Path(name).resolve()]
    # The hash alone names the entry that is in use; its generations share it.
    found = found or [e for e in entries if e.info and e.info.config_hash == wanted and not e.superseded]
    looked = ", ".join(map(str, stores)) or "no store"
    if len(found) == 1:
        return found[0]
    if found:
        raise BaselineError(f"{looked}: {name!r} may be {' or '.join(str(e.path) for e in found)}; give its folder")
    raise BaselineError(f"{looked}: no entry {name!r}{did_you_mean(name, [e.name for e in entries])}")


def read_sessions(entry: Entry, check_raw: bool = True) -> Sessions:
    """The usable sessions of an entry.

    Args:
        entry: as found.
        check_raw: whether raw samples must be there and whole.
    """
    stored, problems = [], []
    for file in sorted((entry.path / SESSIONS_FOLDER).glob("*.json")):
        try:
            session = read_record(file, BaselineSession)
        except BaselineError as error:
            problems.append(str(error))
            continue
        problem = _keys_problem(entry, session) or (_raw_problem(entry.path, session) if check_raw else "")
        if problem:
            problems.append(f"{file}: {problem}")
        else:
            stored.append(session)
    return Sessions(stored, problems)


def as_run(entry: Entry, session: BaselineSession) -> BaselineRun:
    """A session as a run, so that everything derived from runs is derived from it alike."""
    return BaselineRun(entry.path, session.run, list(session.measurements), [])


def read_record(file: Path, kind: type[T]) -> T:
    """One file of a store, of any version this chipmark knows.

    Raises:
        BaselineError: it is missing, damaged, changed, or of a newer version.
    """
    try:
        fields = msgspec.json.decode(file.read_bytes())
        if not isinstance(fields, dict):
            raise ValueError("expected an object")
        _check_version(fields)
        if checksum(fields) != fields.get("sha256"):
            raise ValueError("does not match its checksum: it was changed or damaged")
        return _convert(fields, kind)
    except OSError as error:
        raise BaselineError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{file}: {error}") from error


def _check_version(fields: dict[str, Any]) -> None:
    version = fields.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"schema version {version!r} is unknown")
    if version > BASELINE_SCHEMA_VERSION:
        raise ValueError(
            f"schema version {version} is newer than this chipmark reads ({BASELINE_SCHEMA_VERSION}); upgrade chipmark"
        )


def _convert(fields: dict[str, Any], kind: type[T]) -> T:
    if kind is BaselineSession:
        stored = fields.get("measurements")
        if not isinstance(stored, list):
            raise ValueError("holds no list of measurements")
        run = from_json(fields.get("run"), RunInfo)
        measurements = [from_json(each, Measurement) for each in stored]
        migrated = {"run": msgspec.to_builtins(run), "measurements": msgspec.to_builtins(measurements)}
        fields = {**fields, **migrated}
    return msgspec.convert(fields, kind)


def _keys_problem(entry: Entry, session: BaselineSession) -> str:
    if entry.info is not None and session.keys != entry.info.keys:
        return "was measured under other conditions than its entry's"
    return ""


def _raw_problem(folder: Path, session: BaselineSession) -> str:
    """Why a session's raw samples are not what was stored, or ""."""
    for measurement in session.measurements:
        reference = measurement.samples
        if reference is None:
            continue
        if reference.file != f"{RAW_FOLDER}/{reference.sha256}.npz":
            return f"{reference.file!r} is not where raw samples lie"
        try:
            content = (folder / reference.file).read_bytes()
        except (OSError, ValueError) as error:
            return f"{reference.file} cannot be read: {getattr(error, 'strerror', None) or error}"
        if hashlib.sha256(content).hexdigest() != reference.sha256:
            return f"{reference.file} does not match its checksum: it was changed or damaged"
    return ""


def _entry_folders(store: Path) -> Iterator[Path]:
    for path in store.glob("*@*/*/*"):
        if (path / ENTRY_FILE).exists() or (path / SESSIONS_FOLDER).is_dir():
            yield path
