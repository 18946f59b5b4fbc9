"""Runs on disk: one folder each, append-only, readable after a crash at any byte.

Layout of a run folder::

    run.json             RunInfo; written once, atomically, before anything is measured
    measurements.jsonl   one Measurement a line; each line is flushed and fsynced
    samples/*.npz        raw samples of one replicate; named by, and checked against, SHA-256
    worker.log           what libraries printed in the workers

A line that cannot be read (torn by a crash, damaged) is reported and skipped, never fatal.
A later line for the same case and replicate replaces an earlier one in everything derived.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from results.errors import RunFolderError
from results.migrations import migrate
from results.records import SCHEMA_VERSION, Measurement, RunInfo, SamplesRef

if TYPE_CHECKING:
    import numpy as np

RUN_FILE = "run.json"
MEASUREMENTS_FILE = "measurements.jsonl"
SAMPLES_FOLDER = "samples"
LOG_FILE = "worker.log"
# Less free space than this is reported before measuring rather than found in the middle.
MIN_FREE_BYTES = 32 * 1024 * 1024

T = TypeVar("T", RunInfo, Measurement)


class StoredRun:
    """A run read from disk. Construct it with :func:`open_run`."""

    samples_folder = SAMPLES_FOLDER

    def __init__(self, path: Path, info: RunInfo, history: list[Measurement], warnings: list[str]) -> None:
        self.path, self.info, self.history, self.warnings = path, info, history, warnings

    @property
    def measurements(self) -> list[Measurement]:
        """The newest measurement of each (case, replicate), in the order first measured."""
        latest: dict[tuple[str, int], Measurement] = {}
        for measurement in self.history:
            latest[measurement.case_id, measurement.replicate] = measurement
        return list(latest.values())

    def warn(self, text: str) -> None:
        """Add a warning about what was stored, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def samples(self, measurement: Measurement) -> dict[str, np.ndarray]:
        """Raw samples: array name -> int64 nanoseconds; empty if none were taken.

        Raises:
            RunFolderError: the side file is missing or is not what was written.
        """
        import numpy as np

        if measurement.samples is None:
            return {}
        content = self.verified(measurement.samples)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except Exception as error:  # zipfile, zlib and numpy each have errors of their own
            file = self.path / measurement.samples.file
            raise RunFolderError(f"{file}: samples cannot be read: {error}") from error

    def verified(self, reference: SamplesRef) -> bytes:
        """The side file as it was written.

        Raises:
            RunFolderError: it is missing or is not what was written.
        """
        name = reference.file
        folder, _, file_name = name.rpartition("/")
        # A run never reads outside its own folder. Plain text and open(): this is done for every process.
        if folder != self.samples_folder or file_name in ("", ".", "..") or os.sep in file_name:
            raise RunFolderError(f"{self.path}: samples cannot be read: {name!r} is not in {self.samples_folder}/")
        file = f"{self.path}/{name}"
        try:
            with open(file, "rb", buffering=0) as opened:
                content = opened.read()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunFolderError(f"{file}: samples cannot be read: {reason}") from error
        if hashlib.sha256(content).hexdigest() != reference.sha256:
            raise RunFolderError(f"{file}: samples do not match their checksum: the file was changed or damaged")
        return content


def open_run(path: str | os.PathLike[str]) -> StoredRun:
    """Read a run folder.

    Raises:
        RunFolderError: it is missing, is not a run, or is of a newer format.
    """
    folder = Path(path)
    info = read_info(folder)
    history, warnings = [], []
    for line in read_lines(folder):
        try:
            history.append(_decode(line.content, Measurement))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            warnings.append(line.skipped_because(error))
    return StoredRun(folder, info, history, warnings)


def read_info(folder: Path) -> RunInfo:
    """The ``run.json`` of a run folder.

    Raises:
        RunFolderError: as :func:`open_run`.
    """
    file = folder / RUN_FILE
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such run folder; runs are folders that hold a {RUN_FILE}")
    if not file.is_file():
        raise RunFolderError(f"{folder}: not a run: it holds no {RUN_FILE}")
    try:
        return _decode(file.read_bytes(), RunInfo)
    except (msgspec.DecodeError, ValueError, OSError, RecursionError) as error:
        raise RunFolderError(f"{file}: cannot be read as a run: {error}") from error


class Line(NamedTuple):
    """A line of the measurements file that is not empty."""

    number: int
    content: bytes
    is_torn: bool  # the last one, without its end

    def skipped_because(self, error: Exception) -> str:
        """The warning for a line that cannot be read."""
        why = "torn by a crash" if self.is_torn else str(error)
        return f"{MEASUREMENTS_FILE}: line {self.number} was skipped: {why}"


def read_lines(folder: Path) -> Iterator[Line]:
    """The lines of a run's measurements, one at a time; none if there is no such file.

    Raises:
        RunFolderError: the file cannot be read.
    """
    file = folder / MEASUREMENTS_FILE
    try:
        with file.open("rb") as opened:
            for number, content in enumerate(opened, start=1):
                if content != b"\n":
                    yield Line(number, content, not content.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read: {error.strerror}") from error


def _decode(content: bytes, kind: type[T]) -> T:
    return from_json(msgspec.json.decode(content), kind)


def from_json(raw: object, kind: type[T]) -> T:
    """A record of any version this chipmark knows, in the newest.

    Raises:
        ValueError: it is of a newer or an unknown version.
        msgspec.ValidationError: it is no such record.
    """
    if not isinstance(raw, dict):
        raise ValueError("expected an object")
    version = raw.get("schema_version")
    if not isinstance(version, int):
        raise ValueError("no schema_version")
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"schema version {version} is newer than this chipmark reads ({SCHEMA_VERSION}); upgrade chipmark"
        )
    return msgspec.convert(migrate(raw, kind.__name__), kind)
