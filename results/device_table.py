"""The device table (``configs/devices.csv``): sourced dense peaks, and which row a device is.

The table's units (TFLOP/s, TOP/s, GB/s, GiB) stay as its columns name them; :func:`peak_per_s` and
:func:`bandwidth_per_s` convert.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from results.device_names import KINDS, SAME_PEAKS_AT_MEMORY_GIB, lesser_word, row_name, shared_reason
from results.errors import DeviceTableError, did_you_mean

CONFIDENCES = ("high", "medium", "low", "none")
# A share of a peak is given only against figures of these.
TRUSTED = ("high", "medium")
# Precision as executed -> column of the dense peak, in 1e12 operations a second.
PEAK_COLUMNS = {
    "fp32": "fp32_tflops",
    "tf32": "tf32_tflops",
    "fp16": "fp16_tflops",
    "bf16": "bf16_tflops",
    "fp8": "fp8_tflops",
    "int8": "int8_tops",
}
# Usable memory is a few percent below the name's, and GB is written for GiB or the reverse (7 %).
MEMORY_TOLERANCE = 0.10


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One part. Peaks are dense; None is "not sourced", never zero."""

    device: str
    vendor: str
    role: Literal["training", "inference", "both"]
    segment: str
    fp32_tflops: float | None
    tf32_tflops: float | None
    fp16_tflops: float | None
    bf16_tflops: float | None
    fp8_tflops: float | None
    int8_tops: float | None
    fp4_tflops: float | None
    int8_tops_sparse: float | None
    memory_gib: float | None
    memory_type: str
    memory_bw_gb_s: float | None
    interconnect_gb_s: float | None
    tdp_w: float | None
    confidence: Literal["high", "medium", "low", "none"]
    source: str
    note: str


class DeviceTable(NamedTuple):
    """All rows by name, and the SHA-256 of the file they were read from."""

    path: Path
    sha256: str
    rows: dict[str, DeviceRow]


class DeviceMatch(NamedTuple):
    """The row a device is, or None with the reason."""

    row: DeviceRow | None
    reason: str = ""


class Figure(NamedTuple):
    """A sourced figure in SI units and where it is from, or None with the reason."""

    per_s: float | None
    source: str = ""
    reason: str = ""


def load_devices(path: Path | None = None) -> DeviceTable:
    """Read and check a device table.

    Args:
        path: a CSV file with the fields of :class:`DeviceRow` as columns, in any order; None for
            the one that chipmark ships.

    Raises:
        DeviceTableError: the file is missing or a cell is wrong; the message names row and column.
    """
    from results.configs import config_path

    file = path or config_path("devices.csv")
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DeviceTableError(f"{file}: the device table cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DeviceTableError(
            f"{file}: the device table is not UTF-8: {error.reason} at byte {error.start}"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in DeviceRow.__struct_fields__ if name not in (reader.fieldnames or [])]
    if missing:
        raise DeviceTableError(f"{file}: row 1: missing column {', '.join(missing)}")
    rows: dict[str, DeviceRow] = {}
    try:
        for cells in reader:
            row = _row(cells, f"{file}: row {reader.line_num}")
            if row.device in rows:
                raise DeviceTableError(f"{file}: row {reader.line_num}: column device: {row.device!r} is there twice")
            rows[row.device] = row
    except csv.Error as error:
        raise DeviceTableError(f"{file}: row {reader.line_num + 1}: {error}") from error
    return DeviceTable(file, hashlib.sha256(content).hexdigest(), rows)


@functools.cache
def shipped_devices() -> DeviceTable:
    """The table that chipmark ships, read once.

    Raises:
        DeviceTableError: see :func:`load_devices`.
    """
    return load_devices()


def match(table: DeviceTable, name: str, kind: str, memory_bytes: int | None) -> DeviceMatch:
    """The row of the part that a driver calls ``name``; never a guess.

    Args:
        table: where to look.
        name: as the driver prints it.
        kind: of device, as in ``results.records.Device``: cuda, rocm, ...
        memory_bytes: what the device tells of its own memory; must fit the row where both are known.
    """
    if kind == "cpu":
        return DeviceMatch(None, "the device table holds no CPUs")
    row = table.rows.get(row_name(name, table.rows) or "")
    if row is None:
        lesser, shared = lesser_word(name), shared_reason(name)
        why = f", and {lesser!r} in its name marks another or lesser part" if lesser else ""
        why += f": {shared}" if shared else ""
        return DeviceMatch(None, f"{name!r} is no name of a part in {table.path.name}{why}")
    if kind not in KINDS.get(row.vendor, (kind,)):
        return DeviceMatch(None, f"{name!r} is a {kind} device, but {row.device} is made by {row.vendor}")
    if memory_bytes is not None and not memory_fits(row, memory_bytes / 2**30):
        sizes = " or ".join(f"{size:g}" for size in memories_gib(row))
        has = f"{memory_bytes / 2**30:.1f} GiB"
        return DeviceMatch(None, f"{name!r} has {has}, {row.device} in {table.path.name} has {sizes}: another version")
    return DeviceMatch(row)


def memories_gib(row: DeviceRow) -> tuple[float, ...]:
    """The memory sizes that a row stands for, in GiB; empty where none is known."""
    return SAME_PEAKS_AT_MEMORY_GIB.get(row.device) or ((row.memory_gib,) if row.memory_gib else ())


def memory_fits(row: DeviceRow, memory_gib: float) -> bool:
    """Whether a part with this memory in GiB may be the row's; a row without a memory takes any."""
    listed = memories_gib(row)
    return not listed or any(abs(size - memory_gib) <= MEMORY_TOLERANCE * size for size in listed)


def peak_per_s(table: DeviceTable, found: DeviceMatch, precision: str) -> Figure:
    """The dense peak of a matched device in FLOP/s (int8: operations) at a precision as executed."""
    if found.row is None:
        return Figure(None, reason=f"peak not sourced: {found.reason}")
    return _figure(table, found.row, PEAK_COLUMNS.get(precision, ""), precision, 1e12)


def bandwidth_per_s(table: DeviceTable, found: DeviceMatch) -> Figure:
    """The memory bandwidth of a matched device in bytes/s."""
    if found.row is None:
        return Figure(None, reason=f"bandwidth not sourced: {found.reason}")
    return _figure(table, found.row, "memory_bw_gb_s", "bandwidth", 1e9)


def _figure(table: DeviceTable, row: DeviceRow, column: str, what: str, unit: float) -> Figure:
    cell: float | None = getattr(row, column, None)
    lead = "bandwidth" if what == "bandwidth" else "peak"
    if cell is None:
        return Figure(None, reason=f"{lead} not sourced: {table.path.name} has no {what} figure for {row.device}")
    if row.confidence not in TRUSTED:
        why = f"the row of {row.device} in {table.path.name} has confidence {row.confidence}"
        return Figure(None, reason=f"{lead} not sourced: {why}")
    return Figure(cell * unit, f"{row.device} {what}, confidence {row.confidence}: {row.source}")


def _row(cells: dict[Any, Any], where: str) -> DeviceRow:
    if None in cells or None in cells.values():
        raise DeviceTableError(f"{where}: has another number of cells than row 1")
    values = {}
    for name in DeviceRow.__struct_fields__:
        try:
            values[name] = _cell(name, cells[name].strip())
        except ValueError as error:
            raise DeviceTableError(f"{where}: column {name}: {error}") from error
    return DeviceRow(**values)


_CHOICES = {"role": ("training", "inference", "both"), "confidence": CONFIDENCES}
_TEXTS = ("device", "vendor", "role", "segment", "memory_type", "confidence", "source", "note")
_NEEDED = ("device", "vendor", "role", "segment", "confidence")


def _cell(name: str, text: str) -> Any:
    if name in _NEEDED and not text:
        raise ValueError("must not be empty")
    if name in _CHOICES and text not in _CHOICES[name]:
        raise ValueError(f"{text!r} is none of {', '.join(_CHOICES[name])}{did_you_mean(text, _CHOICES[name])}")
    if name in _TEXTS:
        return text
    return _positive(text) if text else None


def _positive(text: str) -> float:
    try:
        if not text.isascii() or "_" in text:  # float() takes more than a table should hold
            raise ValueError(text)
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is not a positive number; leave the cell empty if it is not known")
    return number
