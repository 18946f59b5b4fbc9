"""The cache of exported ONNX models: one folder per entry, named by a hash of its ingredients.

An entry holds ``model.onnx``, external data beside it where the model is large, and
``entry.json`` with the ingredients and a SHA-256 of every file. Entries are built in a temporary
folder beside their place and renamed under a lock, so readers never see half an entry and two
processes that build the same one do not disturb each other: the first one's stays. Files are
checked against their hashes whenever an entry is used; a damaged one is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

MODEL_FILE = "model.onnx"
ENTRY_FILE = "entry.json"
# An abandoned build (killed worker) is swept away after a day; no export takes that long.
STALE_BUILD_S = 86_400
_BUILD_PREFIX = ".build-"
_LOCK_FILE = ".lock"

Info = dict[str, object]


@dataclass(frozen=True)
class CacheEntry:
    """A verified model folder.

    Attributes:
        folder: holds ``model.onnx``.
        info: what the builder returned when the entry was made.
        cached: it was there already.
        note: what went wrong with the cache, in one line, or ``""``.
        temporary: the folder is not part of the cache and is deleted on exit.
    """

    folder: Path
    info: Info
    cached: bool
    note: str = ""
    temporary: bool = False

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE

    def __enter__(self) -> CacheEntry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def cache_root() -> Path:
    """``CHIPMARK_CACHE``, else ``XDG_CACHE_HOME/chipmark``, else ``~/.cache/chipmark``.

    A relative ``XDG_CACHE_HOME`` is ignored, as the XDG Base Directory Specification says.
    """
    if own := os.environ.get("CHIPMARK_CACHE"):
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else Path("~/.cache").expanduser()) / "chipmark"


def content_key(ingredients: Mapping[str, object]) -> str:
    """First 32 hex digits of the SHA-256 of ``ingredients`` as canonical JSON."""
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def obtain(ingredients: Mapping[str, object], build: Callable[[Path], Info]) -> CacheEntry:
    """The entry for ``ingredients``: from the cache if it is there whole, else built.

    Where the cache folder cannot be written, the model is built in a temporary folder and the
    entry says so. Use the entry as a context manager.

    Args:
        ingredients: everything the content depends on; JSON-able.
        build: writes ``model.onnx`` (and external data) into the folder it is given and
            returns JSON-able facts, kept with the entry.
    """
    root, key = cache_root() / "onnx", content_key(ingredients)
    place, note = root / key, ""
    if place.exists():
        info, damage = _read_entry(place)
        if info is not None:
            return CacheEntry(place, info, cached=True)
        note = f"cached model was damaged ({damage}): built again"
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=_BUILD_PREFIX, dir=root))
    except OSError as error:
        return _build_outside(build, f"cache folder cannot be written ({error.strerror}): model not kept")
    try:
        info = build(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        _write_entry(folder, key, ingredients, info)
        _publish(folder, place)
    except OSError as error:
        note = f"model could not be put into the cache ({error.strerror}): not kept"
        return CacheEntry(folder, info, cached=False, note=note, temporary=True)
    return CacheEntry(place, info, cached=False, note=note)


def _build_outside(build: Callable[[Path], Info], note: str) -> CacheEntry:
    folder = Path(tempfile.mkdtemp(prefix="chipmark-onnx-"))
    try:
        return CacheEntry(folder, build(folder), cached=False, note=note, temporary=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _read_entry(place: Path) -> tuple[Info | None, str]:
    """The entry's facts, or None and what is wrong with it."""
    try:
        entry = json.loads((place / ENTRY_FILE).read_bytes())
        files, info = dict(entry["files"]), dict(entry["info"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return None, f"{ENTRY_FILE}: {type(error).__name__}"
    for name, digest in files.items():
        try:
            if _sha256(place / name) != digest:
                return None, f"{name}: checksum differs"
        except OSError as error:
            return None, f"{name}: {error.strerror}"
    return info, ""


def _write_entry(folder: Path, key: str, ingredients: Mapping[str, object], info: Info) -> None:
    files = {file.name: _sha256(file) for file in sorted(folder.iterdir())}
    entry = {"key": key, "ingredients": dict(ingredients), "info": info, "files": files}
    (folder / ENTRY_FILE).write_text(json.dumps(entry, indent=1, sort_keys=True), encoding="utf-8")


def _publish(folder: Path, place: Path) -> None:
    """Rename ``folder`` to ``place``, unless another process has put a whole entry there.

    A lock keeps two processes from removing each other's entries: only a damaged one is removed.
    """
    import fcntl

    with (place.parent / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists() and _read_entry(place)[0] is not None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        shutil.rmtree(place, ignore_errors=True)
        os.rename(folder, place)


def _sweep(root: Path) -> None:
    oldest = time.time() - STALE_BUILD_S
    for folder in root.glob(f"{_BUILD_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
