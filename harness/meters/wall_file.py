"""The CSV file of an external power meter: a header, then rows of time and watts that a logger appends.

Columns are found by their names, in any order, others are ignored: the time is ``time``, ``timestamp``
or ``unix_time`` (Unix seconds, or ISO 8601 with its offset from UTC), the power ``watts`` or ``power_w``
(a name without a unit may mean kilowatts, and is not taken). They are separated by ``,`` or ``;``; after
``;`` a decimal comma is understood.
"""

from __future__ import annotations

import csv
import itertools
import math
import os
import statistics
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from results.errors import UsageError

# Where the worker finds the file's name; ``chipmark run --wall-meter FILE`` sets it.
WALL_METER_VARIABLE = "CHIPMARK_WALL_METER"
TIME_COLUMNS = ("time", "timestamp", "unix_time")
POWER_COLUMNS = ("watts", "power_w")
# A newest row older than this, and so many intervals, was not written by a logger that runs.
STALE_S, STALE_INTERVALS = 10.0, 3.0
# Of a header; a file whose first line is longer is none of ours.
MAX_LINE_BYTES = 65_536
# Read again from before the start of a pass: at 1 row a second more than a minute.
LOOK_BACK_BYTES = 4096
# Read in one pass at most: what grows faster is no log of a power meter.
MAX_READ_BYTES = 64 * 2**20
# No plug gives more.
MAX_W = 100_000.0
# Unix seconds of 2001 and of 2286: what lies outside is of another unit or epoch.
UNIX_RANGE_S = (1e9, 1e10)


class WallFileError(Exception):
    """The file cannot be used; the text is the reason, in one line."""


class Layout(NamedTuple):
    """How the rows are written, and where they begin."""

    separator: str
    time: int
    watts: int
    rows_at: int


class Row(NamedTuple):
    """One sample: Unix seconds and watts."""

    unix_s: float
    watts: float


def check_wall_file(path: str | os.PathLike[str]) -> None:
    """Refuse a file that cannot be measured with, before anything is measured.

    Raises:
        UsageError: it is missing, or its header or first row is wrong.
    """
    try:
        usable_layout(Path(path))
    except WallFileError as error:
        raise UsageError(f"--wall-meter: {error}") from error


def check_running(path: Path, now_s: float) -> float | None:
    """Refuse a file that nobody writes, before anything is measured; returns the usual interval of its rows in s.

    Raises:
        UsageError: it has no row yet, or none that is new.
    """
    try:
        tail = WallTail(path, read_layout(path))
        tail.read()
    except WallFileError as error:
        raise UsageError(f"--wall-meter: {error}") from error
    times_s = sorted(row.unix_s for row in tail.rows)
    if not times_s:
        raise UsageError(f"--wall-meter: {path} has no rows yet: start the meter's logger first")
    gaps_s = [b - a for a, b in itertools.pairwise(times_s) if b > a]
    interval_s = statistics.median(gaps_s) if gaps_s else None
    age_s = now_s - times_s[-1]
    if age_s < -STALE_S:
        raise UsageError(f"--wall-meter: the newest row of {path} is {-age_s:.0f} s ahead of this machine's clock")
    if age_s > STALE_S + STALE_INTERVALS * (interval_s or 0.0):
        raise UsageError(f"--wall-meter: the newest row of {path} is {age_s:.0f} s old: start the meter's logger first")
    return interval_s


def usable_layout(path: Path) -> Layout:
    """Columns by the header, where the first row, if there is one yet, fits them.

    Raises:
        WallFileError: the file cannot be measured with.
    """
    layout = read_layout(path)
    WallTail(path, layout, at=layout.rows_at).first_row()
    return layout


def read_layout(path: Path) -> Layout:
    """Columns by the header.

    Raises:
        WallFileError: no such file, no header, or no such columns.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise WallFileError(f"{path} is not a file")
        with path.open("rb") as file:
            line = file.readline(MAX_LINE_BYTES)
    except OSError as error:
        raise WallFileError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    text = line.decode("utf-8-sig", "replace").strip()
    if not line.endswith(b"\n") or not text:
        raise WallFileError(f"{path} does not begin with a header line")
    separator = ";" if ";" in text else ","
    try:
        names = [name.strip().lower() for name in _fields(text, separator)]
    except ValueError as error:
        raise WallFileError(f"{path} has no header: {error}") from error
    if _is_number(names[0]):
        raise WallFileError(f"{path} has no header: its first line is {text[:80]!r}; {_accepted()}")
    places = [next((names.index(n) for n in known if n in names), None) for known in (TIME_COLUMNS, POWER_COLUMNS)]
    if places[0] is None or places[1] is None:
        raise WallFileError(f"{path} has the columns {', '.join(names)[:200]}; {_accepted()}")
    return Layout(separator, places[0], places[1], len(line))


def parse_row(text: str, layout: Layout) -> Row:
    """One line.

    Raises:
        ValueError: with what is wrong with it.
    """
    fields = _fields(text, layout.separator)
    if len(fields) <= max(layout.time, layout.watts):
        raise ValueError("too few columns")
    unix_s, watts = _unix_s(fields[layout.time].strip()), _number(fields[layout.watts].strip(), layout)
    if watts < 0:
        raise ValueError(f"a power of {watts:g} W")
    if watts > MAX_W:
        raise ValueError(f"a power of {watts:g} W, more than {MAX_W:g} W")
    return Row(unix_s, watts)


class WallTail:
    """Rows that are appended from a place in the file on; what is before is not read.

    Args:
        path: the file.
        layout: of its rows.
        at: where to begin, in bytes; None: a little before where the file ends now.

    Attributes:
        rows: whole rows so far, in the order of the file.
        bad: how many lines since the start are none.
        first_bad: what is wrong with the first of these.
        num_new: rows that came since the start.
    """

    def __init__(self, path: Path, layout: Layout, at: int | None = None) -> None:
        self._path, self._layout = path, layout
        found = self._stat()
        self._file_id, self._start = found.st_ino, found.st_size if at is None else at
        before = max(layout.rows_at, self._start - LOOK_BACK_BYTES)
        # The first line there may be half of one.
        self._skip_line = before > layout.rows_at
        self._first = self._at = before
        self.rows: list[Row] = []
        self.bad, self.first_bad, self.num_new = 0, "", 0

    def read(self) -> int:
        """Take what came; returns how many rows. A last line without its end is left for the next time.

        Raises:
            WallFileError: the file is gone, became shorter, is another one now, or grew too much.
        """
        found = self._stat()
        if found.st_ino != self._file_id or found.st_size < max(self._at, self._start):
            raise WallFileError(f"{self._path} was replaced or became shorter while it was read")
        if found.st_size - self._first > MAX_READ_BYTES:
            raise WallFileError(f"{self._path} grew by more than {MAX_READ_BYTES >> 20} MiB in one pass")
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                block = file.read(found.st_size - self._at)
        except OSError as error:
            raise WallFileError(f"{self._path}: {error.strerror or error}") from error
        count = len(self.rows)
        for line in block[: block.rfind(b"\n") + 1].splitlines(keepends=True):
            self._take(line)
        return len(self.rows) - count

    def first_row(self) -> None:
        """Check the first row, if there is one yet.

        Raises:
            WallFileError: it is none.
        """
        with self._path.open("rb") as file:
            file.seek(self._at)
            line = file.readline(MAX_LINE_BYTES)
        if line.endswith(b"\n"):
            self._take(line)
        if self.bad:
            raise WallFileError(f"{self._path}: its first row has {self.first_bad}")

    def _take(self, line: bytes) -> None:
        is_new, self._at = self._at >= self._start, self._at + len(line)
        text = line.decode("utf-8", "replace").strip()
        if self._skip_line or not text:
            self._skip_line = False
            return
        try:
            self.rows.append(parse_row(text, self._layout))
            self.num_new += is_new
        except ValueError as error:
            # What was wrong before the start does not spoil this pass.
            if is_new:
                self.bad, self.first_bad = self.bad + 1, self.first_bad or str(error)

    def _stat(self) -> os.stat_result:
        try:
            return self._path.stat()
        except OSError as error:
            raise WallFileError(f"{self._path}: {(error.strerror or str(error)).lower()}") from error


def _accepted() -> str:
    return f"wanted are one of {', '.join(TIME_COLUMNS)} and one of {', '.join(POWER_COLUMNS)}"


def _fields(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator))
    except (csv.Error, StopIteration) as error:
        raise ValueError(f"what is no row: {text[:80]!r}") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text[:4].isdigit()  # a date
    return True


def _number(text: str, layout: Layout) -> float:
    plain = text.replace(",", ".") if layout.separator == ";" else text
    try:
        value = float(plain)
    except ValueError:
        raise ValueError(f"a power of {text[:40]!r}, which is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"a power of {text[:40]!r}, which is no number")
    return value


def _unix_s(text: str) -> float:
    """Unix seconds; local time without its offset from UTC could be hours off, and is refused."""
    try:
        unix_s = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"a time of {text[:40]!r}, neither Unix seconds nor ISO 8601") from None
        if moment.tzinfo is None:
            raise ValueError(f"a time of {text[:40]!r} without its offset from UTC") from None
        unix_s = moment.timestamp()
    if not UNIX_RANGE_S[0] <= unix_s <= UNIX_RANGE_S[1]:
        raise ValueError(f"a time of {text[:40]!r}, which is not in Unix seconds")
    return unix_s
