"""Writing runs: the single writer of a run folder (the format is in ``results.store``)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from results.errors import OutputError, RunFolderError
from results.records import Measurement, RunInfo, SamplesRef
from results.store import MEASUREMENTS_FILE, MIN_FREE_BYTES, RUN_FILE, SAMPLES_FOLDER

if TYPE_CHECKING:
    import numpy as np

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; two writers are then the user's care
    fcntl = None  # type: ignore[assignment]


class RunWriter:
    """Appends finished replicates to a run folder and is its only writer (advisory lock).

    Use as a context manager. Raises OutputError when the folder cannot be written or is full,
    RunFolderError when another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    @classmethod
    def create(cls, path: Path, info: RunInfo) -> RunWriter:
        """Make the folder and its ``run.json``; an existing run is never overwritten."""
        refuse_used(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            check_free_space(path)
            # Of two that start at once in one folder, only one can make this file.
            os.close(os.open(path / MEASUREMENTS_FILE, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            (path / SAMPLES_FOLDER).mkdir(exist_ok=True)
            write_atomically(path / RUN_FILE, msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")
        except FileExistsError as error:
            raise RunFolderError(
                f"{path}: another chipmark has just started a run there; give another --out"
            ) from error
        except OSError as error:
            raise _cannot_write(path, error) from error
        return cls(path)

    def __enter__(self) -> RunWriter:
        file = self.path / MEASUREMENTS_FILE
        try:
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _lock(self._file, self.path)
            self._isolate_torn_tail()
            check_free_space(self.path)
        except OSError as error:
            self.close()
            raise _cannot_write(self.path, error) from error
        except RunFolderError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock and the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, measurement: Measurement, samples: Mapping[str, np.ndarray]) -> Measurement:
        """Store one finished replicate durably and return it as stored.

        The side file is complete on disk before the line that names it is written.
        """
        try:
            if any(len(array) for array in samples.values()):
                reference = self._write_samples(measurement, samples)
                measurement = msgspec.structs.replace(measurement, samples=reference)
            self._append_line(msgspec.json.encode(measurement) + b"\n")
        except OSError as error:
            raise _cannot_write(self.path, error, "; what was stored before is kept") from error
        return measurement

    def _write_samples(self, measurement: Measurement, samples: Mapping[str, np.ndarray]) -> SamplesRef:
        import numpy as np

        buffer = io.BytesIO()
        kept = {name: np.asarray(array, dtype=np.int64) for name, array in samples.items() if len(array)}
        np.savez_compressed(buffer, allow_pickle=False, **kept)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        name = f"{SAMPLES_FOLDER}/{measurement.case_id}-r{measurement.replicate}-{digest[:8]}.npz"
        write_atomically(self.path / name, content)
        return SamplesRef(file=name, sha256=digest, arrays={key: len(a) for key, a in kept.items()})

    def _append_line(self, line: bytes) -> None:
        before = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError:
            # A full disk may have taken half a line: take it back, so that the file stays whole.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
            raise

    def _isolate_torn_tail(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._append_line(b"\n")


def refuse_used(path: Path) -> None:
    """Raise RunFolderError if ``path`` holds (parts of) a run: its lines must not become ours."""
    if (path / RUN_FILE).exists():
        raise RunFolderError(f"{path}: already holds a run; give another --out, or go on with --resume {path}")
    leftovers = [name for name in (MEASUREMENTS_FILE, SAMPLES_FOLDER) if (path / name).exists()]
    if leftovers:
        raise RunFolderError(f"{path}: holds {' and '.join(leftovers)} of another run; give another --out")


def check_free_space(path: Path) -> None:
    """Raise OSError if the disk that holds ``path`` is nearly full."""
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise OSError(28, f"only {free / 2**20:.1f} MiB free, {MIN_FREE_BYTES / 2**20:.0f} MiB are needed")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either absent (or old) or complete, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # not every system can sync a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _lock(file: int, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunFolderError(
            f"{path}: another chipmark is writing this run; wait for it, or use another --out"
        ) from error


def _cannot_write(path: Path, error: OSError, tail: str = "") -> OutputError:
    return OutputError(
        f"{path}: cannot write results: {error.strerror or error}{tail}; choose another place with --out"
    )
