"""External meter over CSV files that are written while it reads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from harness.meters.base import EnergyWindow
from harness.meters.wall import WallMeter
from harness.meters.wall_file import LOOK_BACK_BYTES, WALL_METER_VARIABLE, WallTail, read_layout
from results.records import Device, EnergyReading
from tests.harness.meters.wall_world import EPOCH_S, World

CPU = Device(id="cpu", backend="torch", kind="cpu", name="a CPU")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "wall.csv")


def meter_of(world: World) -> WallMeter:
    return WallMeter({WALL_METER_VARIABLE: str(world.file)}, world.clocks())


def measure(world: World, seconds: float = 10.37, during: Callable[[], None] = lambda: None) -> EnergyReading:
    meter = meter_of(world)
    assert not meter.probe(CPU).reason
    meter.start(CPU)
    world.run(0.31)
    start_ns = round(world.now_s * 1e9)
    world.run(seconds / 2)
    during()
    world.run(seconds / 2)
    end_ns = round(world.now_s * 1e9)
    world.run(0.25)
    (reading,) = meter.stop(EnergyWindow(((start_ns, end_ns),), step_s=0.01, loaded_before_s=0.3))
    if reading.energy_j is None:
        assert reading.reason
        assert reading.average_power_w is None
    else:
        assert not reading.reason
        assert reading.trace in meter.traces
    return reading


# Measuring


@pytest.mark.parametrize("interval_s", [0.1, 0.5, 1.0, 2.0])
def test_energy_of_a_constant_power(tmp_path, interval_s):
    reading = measure(World(tmp_path / "wall.csv", interval_s))
    assert reading.energy_j == pytest.approx(400 * 10.37)
    assert (reading.scope, reading.method) == ("wall", "integral")
    assert reading.poll_s == pytest.approx(interval_s)
    assert reading.update_s == pytest.approx(interval_s)
    assert reading.u_sensor == 0.05
    assert reading.u_total > reading.u_window > interval_s / 10.37


@pytest.mark.parametrize("interval_s", [0.1, 1.0])
@pytest.mark.parametrize("phase_s", [0.05, 0.3, 0.55, 0.8])
def test_bound_covers_idle_edges_and_clocks_that_differ(tmp_path, interval_s, phase_s):
    for ahead_s, delay_s in ((0.0, 0.0), (-0.7, 0.0), (0.7, 0.0), (0.0, 0.6)):
        world = World(tmp_path / "wall.csv", interval_s)
        world.next_s, world.ahead_s, world.delay_s = 100 + phase_s, ahead_s, delay_s
        world.power = lambda s: 400.0 if 102 <= s < 112.93 else 100.0
        world.run(2)
        reading = measure(world)
        assert reading.energy_j is not None, reading.reason
        assert abs(reading.energy_j / (400 * 10.37) - 1) <= reading.u_window
        assert reading.u_window < 0.3


def test_times_with_an_offset_from_utc(world):
    zone = timezone(timedelta(hours=5, minutes=30))
    world.row = lambda unix_s, watts: f"{datetime.fromtimestamp(unix_s, zone).isoformat()},{watts}\n"
    assert measure(world).energy_j == pytest.approx(400 * 10.37)


def test_rows_of_before_are_not_counted(world):
    world.power = lambda s: 5000.0
    world.run(50)
    world.power = lambda s: 400.0
    assert measure(world).average_power_w == pytest.approx(400)


def test_torn_last_line_is_taken_when_it_is_whole(world):
    def tear() -> None:
        with world.file.open("a") as file:
            file.write(f"{EPOCH_S + world.now_s:.3f},4")
            file.flush()
            WallTail(world.file, read_layout(world.file)).read()
            file.write("00.0\n")

    assert measure(world, during=tear).energy_j == pytest.approx(400 * 10.37)
    tail = WallTail(world.file, read_layout(world.file))
    with world.file.open("a") as file:
        file.write(f"{EPOCH_S + 500:.3f},40")
    tail.read()
    assert (tail.num_new, tail.bad) == (0, 0)
    with world.file.open("a") as file:
        file.write("0\n")
    tail.read()
    assert (tail.num_new, tail.bad, tail.rows[-1]) == (1, 0, (EPOCH_S + 500, 400.0))


def test_waits_for_the_row_after_the_window(world):
    reading = measure(world)
    assert reading.energy_j
    assert world.file.read_text().count("\n") > 11  # rows came while it waited


def write(world: World, *lines: str) -> Callable[[], None]:
    def do() -> None:
        with world.file.open("a") as file:
            file.writelines(f"{line.replace('NOW', format(EPOCH_S + world.now_s, '.3f'))}\n" for line in lines)

    return do


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["NOW,n/a", "NOW,-", "NOW,400"], "2 rows came that cannot be used; the first has a power of 'n/a'"),
        (["NOW,-5"], "1 row came that cannot be used; the first has a power of -5 W"),
        (["NOW,1e9"], "a power of 1e+09 W, more than 100000 W"),
        (["NOW,nan"], "a power of 'nan', which is no number"),
        (["time,watts"], "a power of 'watts', which is no number|a time of 'time'"),
        ([f"{EPOCH_S + 101:.0f},400"], "the times of the rows go back"),
    ],
)
def test_rows_that_are_refused(world, lines, told):
    reading = measure(world, during=write(world, *lines))
    assert reading.energy_j is None
    assert any(part in reading.reason for part in told.split("|")), reading.reason


def test_bad_rows_before_the_pass_do_no_harm(world):
    write(world, "NOW,400")()
    world.run(5)
    write(world, "NOW,n/a")()
    assert measure(world).energy_j == pytest.approx(400 * 10.37)


def test_zero_watts_is_no_energy(world):
    world.power = lambda s: 0.0
    assert measure(world).energy_j is None


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [
        (0.9, "the meter's clock is 0."),
        (3600.0, "s ahead of this machine's, 0.8 s are allowed"),
        (-3600.0, "the meter's clock is behind this machine's"),
        (-2.5, "the meter's clock is behind this machine's"),
    ],
)
def test_clocks_that_differ_too_much(world, ahead_s, told):
    world.ahead_s = ahead_s
    reading = measure(world)
    assert reading.energy_j is None
    assert told in reading.reason


def test_logger_that_writes_late(world):
    world.delay_s = 3.0
    assert "or its rows come late" in measure(world).reason


@pytest.mark.parametrize(
    ("at_s", "told"),
    [(0.0, "no row came during the pass"), (106.0, "the logger stopped"), (110.5, "the logger stopped")],
)
def test_logger_that_stops(world, at_s, told):
    world.stops_at_s = at_s
    write(world, "NOW,400")()
    reading = measure(world)
    assert reading.energy_j is None
    assert told in reading.reason
    assert world.now_s < 130  # the wait is bounded


def test_last_row_is_late_and_of_before_the_end(world):
    world.delay_s, world.stops_at_s = 0.7, 110.5
    assert "no row from after the window came" in measure(world).reason


def test_wall_clock_that_is_set(world):
    def step() -> None:
        world.stepped_s = 0.15
        world.ahead_s = 0.15

    assert measure(world, during=step).reason == "the clock of this machine was set by +0.15 s while it was measured"


def test_rows_that_were_lost(world):
    def lose() -> None:
        world.next_s += 4

    assert "no row for 5 s, where one comes every 1 s" in measure(world, seconds=14.3, during=lose).reason


def test_too_few_rows(world):
    assert "2 rows in a window of 2 s, 3 are needed" in measure(world, seconds=2.0).reason


def test_file_that_is_replaced_or_cut(world):
    def rotate() -> None:
        world.file.rename(world.file.with_suffix(".old"))
        world.file.write_text("time,watts\n" + "1764000000,1\n" * 9)

    assert "was replaced or became shorter" in measure(world, during=rotate).reason
    assert "was replaced or became shorter" in measure(world, during=lambda: os.truncate(world.file, 11)).reason


def test_file_that_is_gone(world):
    meter = meter_of(world)
    meter.start(CPU)
    world.run(5)
    world.file.unlink()
    (reading,) = meter.stop(EnergyWindow(((round(101e9), round(104e9)),)))
    assert reading.reason == f"{world.file}: no such file or directory"


def test_only_the_tail_of_a_huge_file_is_read(world):
    with world.file.open("r+b") as file:
        file.seek(2**31)  # sparse: takes no room
        file.write(b"\n")
    reading = measure(world)
    assert reading.energy_j == pytest.approx(400 * 10.37)
    tail = WallTail(world.file, read_layout(world.file))
    taken: list[int] = []
    tail._take = lambda line: taken.append(len(line))  # type: ignore[method-assign]
    tail.read()
    assert sum(taken) <= LOOK_BACK_BYTES


def test_file_that_grows_without_end(world, monkeypatch):
    monkeypatch.setattr("harness.meters.wall_file.MAX_READ_BYTES", 1_000)
    world.interval_s = 0.01
    assert "MiB in one pass" in measure(world).reason


def test_pass_without_a_window(world):
    meter = meter_of(world)
    meter.start(CPU)
    (reading,) = meter.stop(EnergyWindow(((0, 0),)))
    assert (reading.energy_j, reading.reason) == (None, "the window is empty")


# For real


def log(file: Path, rows: Iterable[float], enough: threading.Event) -> None:
    """A logger: a row every 20 ms, now and then in two pieces."""
    with file.open("a") as out:
        for watts in rows:
            line = f"{datetime.now(UTC).isoformat()},{watts}\n"
            out.write(line[:-4])
            out.flush()
            out.write(line[-4:])
            out.flush()
            if enough.wait(0.02):
                return


def test_thread_that_appends_while_the_meter_reads(tmp_path):
    file = tmp_path / "wall.csv"
    file.write_text("time,watts\n")
    enough = threading.Event()
    logger = threading.Thread(target=log, args=(file, iter(lambda: 321.5, None), enough), daemon=True)
    logger.start()
    try:
        meter = WallMeter({WALL_METER_VARIABLE: str(file)})
        meter.start(CPU)
        start_ns = time.perf_counter_ns()
        time.sleep(0.5)
        end_ns = time.perf_counter_ns()
        (reading,) = meter.stop(EnergyWindow(((start_ns, end_ns),)))
    finally:
        enough.set()
        logger.join()
    if reading.energy_j is None:  # a machine so busy that the logger did not get its turn
        assert "rows" in reading.reason or "row" in reading.reason
    else:
        assert reading.average_power_w == pytest.approx(321.5)
        assert reading.device_id == file.name
