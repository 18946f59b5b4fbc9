"""Files of external meters: what is accepted, and what is refused before anything is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.meters.base import Meter
from harness.meters.wall import WallMeter
from harness.meters.wall_file import (
    LOOK_BACK_BYTES,
    WALL_METER_VARIABLE,
    WallFileError,
    WallTail,
    check_running,
    check_wall_file,
    parse_row,
    read_layout,
)
from results.errors import UsageError
from results.records import Device

ROOT = Path(__file__).resolve().parents[3]
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


@pytest.mark.parametrize("text", ["time,watts\n", "time,watts\n17640000", "\ufefftime;power_w\r\n1764000000;230,5\r\n"])
def test_files_that_are_accepted(tmp_path, text):
    (tmp_path / "meter.csv").write_bytes(text.encode())
    check_wall_file(tmp_path / "meter.csv")


@pytest.mark.parametrize(
    ("header", "row", "watts"),
    [
        ("time,watts", "1764000000.5,230.25", 230.25),
        ("Volts, Power_W ,TIMESTAMP", "229,230.25,1764000000.5", 230.25),
        ("unix_time;power_w", "1764000000,5;230,25", 230.25),
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


def written(path: Path, ages_s: list[float], now_s: float = 1_764_000_000.0) -> Path:
    path.write_text("time,watts\n" + "".join(f"{now_s - age_s},150\n" for age_s in ages_s))
    return path


def test_a_file_that_nobody_writes_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    now_s = 1_764_000_000.0
    fresh = written(tmp_path / "fresh.csv", [3.0, 2.0, 1.0])
    assert check_running(fresh, now_s) == 1.0
    slow = written(tmp_path / "slow.csv", [70.0, 40.0, 10.0])
    assert check_running(slow, now_s + 80) == 30.0, "one row in 30 s, the last 90 s ago"
    with pytest.raises(UsageError, match=r"--wall-meter: the newest row of .*fresh.csv is 501 s old: start"):
        check_running(fresh, now_s + 500)
    with pytest.raises(UsageError, match="3599 s ahead of this machine's clock"):
        check_running(fresh, now_s - 3600)
    with pytest.raises(UsageError, match="has no rows yet: start the meter's logger first"):
        check_running(written(tmp_path / "empty.csv", []), now_s)
    bare = tmp_path / "kilo.csv"
    bare.write_text("time,power\n1764000000,0.15\n")
    with pytest.raises(UsageError, match="time, power; wanted are one of .* and one of watts, power_w"):
        check_running(bare, now_s)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--wall-meter", "meter.csv"], "start the meter's logger first"),
        (["--wall-meter", "missing.csv"], "--wall-meter: missing.csv"),
        (["--wall-meter", "meter.csv", "--energy", "off"], "leave one of them out"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    written(tmp_path / "meter.csv", [3.0, 2.0])
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "smoke", *arguments], cwd=tmp_path, capture_output=True, text=True,
        timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert words.replace("missing.csv", str(tmp_path / "missing.csv")) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("chipmark-runs"))
