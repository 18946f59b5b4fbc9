"""Files of imported results: written once, read with every check that was made when they were imported."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from results.errors import OutputError, UsageError
from results.imported_record import IMPORTED_SCHEMA_VERSION, ImportedFile, ImportedResult
from results.store_writer import write_atomically
from results.write_once import write_once

IMPORTS_FOLDER = Path("chipmark-imports")
MAX_BYTES = 512 * 2**20


def write_imported(path: Path, imported: ImportedFile) -> bool:
    """Store ``imported``; whatever else is at ``path`` stays, but for an earlier import of the same source.

    Returns:
        False if the same results are there already; when they were imported does not count.

    Raises:
        UsageError: something else is there.
        OutputError: it cannot be written.
    """
    content = msgspec.json.format(msgspec.json.encode(imported), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None
    try:
        write_once(path, content)
    except FileExistsError:
        there = _there(path)
        if there is not None and _same(there, imported):
            return False
        if there is not None and (there.source_sha256, there.format) == (imported.source_sha256, imported.format):
            # The same source with a better citation, or read by a better chipmark.
            _replace(path, content)
            return True
        raise UsageError(f"{path}: is there already, with other content: give another --out, or move it") from None
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None
    return True


def _cannot_write(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}")


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None


def _there(path: Path) -> ImportedFile | None:
    """What is stored at ``path``, if it is a file of imported results."""
    try:
        return read_imported(path) if path.is_file() else None
    except UsageError:
        return None


def _same(there: ImportedFile, imported: ImportedFile) -> bool:
    same = {"imported_at": there.imported_at, "chipmark_version": there.chipmark_version}
    return msgspec.structs.replace(imported, **same) == there


def read_imported(path: Path) -> ImportedFile:
    """A file that ``chipmark import`` stored.

    Raises:
        UsageError: it is missing, is something else, is damaged, or is of a newer format.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path}: a folder, not a file of imported results")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is no plain file, and so not a file of imported results")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: larger than {MAX_BYTES // 2**20} MiB: not a file of imported results")
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; make one with `chipmark import`") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        version = msgspec.json.decode(content, type=_Versioned).schema_version
        _check_version(path, version)
        imported = msgspec.json.decode(content, type=ImportedFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path}: not a file of imported results, or damaged: {error}; make one with `chipmark import`"
        ) from None
    for result in imported.results:
        _check(path, result)
    return imported


class _Versioned(msgspec.Struct):
    schema_version: int


def _check_version(path: Path, version: int) -> None:
    if version > IMPORTED_SCHEMA_VERSION:
        raise UsageError(
            f"{path}: of format {version}, this chipmark reads up to {IMPORTED_SCHEMA_VERSION}: update chipmark"
        )


def is_imported(path: Path) -> bool:
    """Whether a file is one of imported results, however damaged; False where nothing can be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(4096)
    except (OSError, ValueError):
        return False
    return start.lstrip()[:1] == b"{" and b'"source_sha256"' in start and b'"format"' in start


def _check(path: Path, result: ImportedResult) -> None:
    """Numbers that no import stores."""
    numbers: dict[str, Any] = {
        "value": result.value,
        "value_per_accelerator": result.value_per_accelerator,
        "power_w": result.power_w,
        "num_accelerators": result.num_accelerators,
    }
    for name, number in numbers.items():
        if number is not None and not (math.isfinite(number) and number > 0):
            raise UsageError(f"{path}: result of row {result.row}: {name} of {number:g} cannot be: the file is damaged")
