"""Files of external meters: what is accepted, and what is refused before anything is measured."""

from __future__ import annotations

import os

import pytest

from harness.meters.base import Meter
from harness.meters.wall import WallMeter
from harness.meters.wall_file import (
    LOOK_BACK_BYTES,
    WALL_METER_VARIABLE,
    WallFileError,
    WallTail,
    check_wall_file,
    parse_row,
    read_layout,
)
from results.errors import UsageError
from results.records import Device

CPU = Device(id="cpu", backend="torch", kind="cpu", name="a CPU")


def test_applies_only_if_asked_for():
    assert isinstance(WallMeter({}), Meter)
    answer = WallMeter({}).probe(CPU)
    assert not answer.applies
    assert answer.reason == "reads an external meter (chipmark run --wall-meter FILE) only"


@pytest.mark.parametrize("kind", ["cpu", "cuda", "rocm", "mps", "npu"])
def test_applies_to_every_device(tmp_path, kind):
    file = tmp_path / "meter.csv"
    file.write_text("time,watts\n")
    answer = WallMeter({WALL_METER_VARIABLE: str(file)}).probe(Device(id=kind, backend="torch", kind=kind, name="any"))
    assert answer.applies
    assert not answer.reason
    assert answer.scope == "wall"
    assert (answer.source, answer.device_id) == ("CSV file of an external meter", file.name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file"),
        ("", "does not begin with a header line"),
        ("time,watts", "does not begin with a header line"),
        ("1764000000,230\n1764000001,230\n", "has no header"),
        ("2025-11-24T16:00:00Z,230\n", "has no header"),
        (
            "when,volts,amps\n",
            "has the columns when, volts, amps; wanted are one of time, timestamp, unix_time and one of",
        ),
        ("time,volts\n", "has the columns time, volts; "),
        ("time,watts\n1764000000000,230\n", "not in Unix seconds"),
        ("time,watts\n2025-11-24 16:00:00,230\n", "without its offset from UTC"),
        ("time,watts\n24.11.2025 16:00,230\n", "neither Unix seconds nor ISO 8601"),
        ("time,watts\n1764000000,n/a\n", "a power of 'n/a', which is no number"),
        ("time,watts\n1764000000,-3\n", "a power of -3 W"),
        ("time,watts\n1764000000\n", "too few columns"),
    ],
)
def test_files_that_are_refused_before_measuring(tmp_path, text, told):
    file = tmp_path / "meter.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError) as refused:
        check_wall_file(file)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    answer = WallMeter({WALL_METER_VARIABLE: str(file)}).probe(CPU)
    assert answer.applies
    assert told in answer.reason
    assert answer.remedy


def test_a_folder_and_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="is not a file"):
            check_wall_file(path)


@pytest.mark.parametrize("text", ["time,watts\n", "time,watts\n17640000", "\ufefftime;power\r\n1764000000;230,5\r\n"])
def test_files_that_are_accepted(tmp_path, text):
    (tmp_path / "meter.csv").write_bytes(text.encode())
    check_wall_file(tmp_path / "meter.csv")


@pytest.mark.parametrize(
    ("header", "row", "watts"),
    [
        ("time,watts", "1764000000.5,230.25", 230.25),
        ("Volts, Power_W ,TIMESTAMP", "229,230.25,1764000000.5", 230.25),
        ("unix_time;power", "1764000000,5;230,25", 230.25),
        ('"time","note","watts"', '"2025-11-24T16:00:00.5+00:00","a, b","230.25"', 230.25),
        ("time,watts", "2025-11-24T17:00:00.5+01:00,230.25", 230.25),
        ("time,watts", "2025-11-24T16:00:00.5Z,230.25", 230.25),
    ],
)
def test_ways_to_write_a_row(tmp_path, header, row, watts):
    file = tmp_path / "meter.csv"
    file.write_text(f"{header}\n{row}\n")
    if ";" in header:
        row = row.replace("1764000000,5", "1764000000.5")
    assert parse_row(row, read_layout(file)) == (1764000000.5, watts)


def test_half_a_row_is_no_row(tmp_path):
    file, row = tmp_path / "meter.csv", "123.5,1764000000\n"
    file.write_text("watts,time\n" + row * 500)
    tail = WallTail(file, read_layout(file))
    tail.read()
    assert LOOK_BACK_BYTES % len(row) == len(row) - 1  # it begins at "23.5,"
    assert {row.watts for row in tail.rows} == {123.5}


def test_start_without_a_file_raises(tmp_path):
    with pytest.raises(WallFileError, match="no such file"):
        WallMeter({WALL_METER_VARIABLE: str(tmp_path / "none.csv")}).start(CPU)
