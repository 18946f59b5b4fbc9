"""An external meter in front of the plug, whose logger appends to a CSV file while chipmark runs.

The file is named by the environment variable ``CHIPMARK_WALL_METER``. Its times are those of a wall
clock, so the window is carried over to that clock, and what is known of the clocks' difference counts
as uncertainty: a logger on this machine and in time adds little, one that writes late adds its delay.
Clocks may differ by 0.8 s, the tolerance of MLPerf Power.

How accurate a meter is, its file does not say: 5 % is taken for all, more than the 1 to 2 % that
makers of plug meters state, and what holds for other sensors here. Tried with written files only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from harness.meters.base import Capability, EnergyWindow, not_for
from harness.meters.channel import U_SENSOR, Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import Tape
from harness.meters.wall_file import WALL_METER_VARIABLE, Row, WallFileError, WallTail, read_layout, usable_layout
from results.energy_estimate import relative_total
from results.energy_trace import Trace
from results.records import Device, EnergyReading

# MLPerf Power lets the clocks of meter and machine differ by so much.
CLOCK_TOLERANCE_S = 0.8
# A wall clock that moved by more against the monotonic one was set, not only steered.
CLOCK_STEP_S = 0.1
# After the pass rows are awaited for so long, and for some intervals of the logger, but not for longer than the last.
WAIT_S, WAIT_INTERVALS, MAX_WAIT_S = 2.0, 3, 10.0
WAIT_POLL_S = 0.05
# A logger that leaves out more was stopped or has lost rows.
MAX_GAP_INTERVALS = 3
MIN_SAMPLES = 3


class Clocks(NamedTuple):
    """The clocks that are needed; tests give their own."""

    now_ns: Callable[[], int] = time.perf_counter_ns
    unix_ns: Callable[[], int] = time.time_ns
    sleep: Callable[[float], None] = time.sleep

    def offset_ns(self) -> int:
        """Unix time less our time: of three looks the one that took least."""
        looks = []
        for _ in range(3):
            before, unix, after = self.now_ns(), self.unix_ns(), self.now_ns()
            looks.append((after - before, unix - (before + after) // 2))
        return min(looks)[1]


class WallMeter(SampledMeter):
    """An external meter (scope ``wall``), whatever the device is.

    Args:
        environ: where the file's name is.
        clocks: ours and the wall's.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, clocks: Clocks | None = None) -> None:
        super().__init__()
        self._environ, self._clocks = environ, clocks or Clocks()
        self._tail: WallTail | None = None
        self._offset_ns = 0

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        name = self._environ.get(WALL_METER_VARIABLE)
        if not name:
            return not_for("an external meter (chipmark run --wall-meter FILE)")
        try:
            usable_layout(Path(name))
        except WallFileError as error:
            return Capability(reason=str(error), remedy="start the meter's logger, and name its CSV file")
        domain = self._domain()
        notes = ("everything behind the plug, other devices and processes included",)
        return Capability(source=domain.parts[0].source, scope="wall", device_id=domain.device_id, notes=notes)

    def start(self, device: Device) -> None:
        """See ``Meter``. Raises WallFileError."""
        path = Path(self._environ[WALL_METER_VARIABLE])
        self._tail = WallTail(path, read_layout(path))
        self._offset_ns = self._clocks.offset_ns()

    def stop(self, window: EnergyWindow) -> list[EnergyReading]:
        """See ``Meter``. Waits some seconds for rows from after the window."""
        tail, self._tail, self.traces = self._tail, None, {}
        domain = self._domain()
        try:
            if tail is None or window.duration_s <= 0:
                raise WallFileError("the window is empty")
            return [self._measured(tail, domain, window)]
        except WallFileError as error:
            source = domain.parts[0].source
            return [EnergyReading(scope="wall", device_id=domain.device_id, source=source, reason=str(error))]

    def _measured(self, tail: WallTail, domain: Domain, window: EnergyWindow) -> EnergyReading:
        late_s = self._await(tail, window)
        offset_ns = self._clocks.offset_ns()
        if abs(offset_ns - self._offset_ns) > CLOCK_STEP_S * 1e9:
            moved_s = (offset_ns - self._offset_ns) / 1e9
            raise WallFileError(f"the clock of this machine was set by {moved_s:+.3g} s while it was measured")
        times_s = [row.unix_s for row in tail.rows]
        check_rows(tail, [((s + offset_ns) / 1e9, (e + offset_ns) / 1e9) for s, e in window.spans])
        channel = domain.parts[0]._replace(update_s=_interval_s(times_s))
        tape = Tape(channel)
        tape.times_ns.extend(round(unix_s * 1e9) - offset_ns for unix_s in times_s)
        tape.values.extend(round(row.watts * 1e6) for row in tail.rows)
        reading = self._reading(domain._replace(parts=(channel,)), window, {id(channel): tape})
        self.traces = {name: _around(trace, window) for name, trace in self.traces.items()}
        if reading.u_window is None:
            return reading
        # Each span may lie off by the difference of the clocks, and hold as much of what is no load.
        shortest_s = min(end - start for start, end in window.spans) / 1e9
        u_window = reading.u_window + (late_s + WAIT_POLL_S) / shortest_s
        return msgspec.structs.replace(reading, u_window=u_window, u_total=relative_total(u_window, domain.u_sensor))

    def _await(self, tail: WallTail, window: EnergyWindow) -> float:
        """Wait for a row from after the window, and for one that comes while we look.

        Returns:
            Seconds by which the newest row was off our clock when it was fresh.

        Raises:
            WallFileError: no such row came, or the meter's clock is not ours.
        """
        began_ns = self._clocks.now_ns()
        end_s = (window.spans[-1][1] + self._clocks.offset_ns()) / 1e9
        ages_s: list[float] = []
        is_fresh = False
        while True:
            came = tail.read()
            if tail.rows and (came or ages_s):
                ages_s.append(self._clocks.unix_ns() / 1e9 - max(row.unix_s for row in tail.rows))
                is_fresh = is_fresh or (came > 0 and len(ages_s) > 1)
            is_over = bool(tail.rows) and tail.rows[-1].unix_s >= end_s
            waited_s = (self._clocks.now_ns() - began_ns) / 1e9
            if (is_over and is_fresh) or waited_s >= _wait_s(tail.rows):
                break
            self._clocks.sleep(WAIT_POLL_S)
        if tail.num_new and not (is_over or is_fresh):
            raise WallFileError(
                f"no row came any more, in {waited_s:.3g} s after the window: the logger stopped, or is slow"
            )
        check_clock(tail, ages_s)
        if not is_over:
            raise WallFileError(f"no row from after the window came within {waited_s:.3g} s of it")
        return min(abs(age_s) for age_s in ages_s)

    def _domain(self) -> Domain:
        path = self._environ.get(WALL_METER_VARIABLE, "")
        # The file's name is no part of the source: it may have a date in it, and runs are compared by source.
        channel = Channel("power", _no_look, "CSV file of an external meter")
        return Domain(scope="wall", device_id=Path(path).name, parts=(channel,), u_sensor=U_SENSOR)


def _around(trace: Trace, window: EnergyWindow) -> Trace:
    """The rows of this pass, with one before and after it: the file holds those of others too."""
    low = max(0, int(np.searchsorted(trace.times_ns, window.spans[0][0])) - 1)
    high = int(np.searchsorted(trace.times_ns, window.spans[-1][1], "right")) + 1
    return Trace(trace.times_ns[low:high], trace.values[low:high])


def check_clock(tail: WallTail, ages_s: list[float]) -> None:
    """Compare the meter's clock with ours by the age of its newest row, as often as was looked.

    Raises:
        WallFileError: it goes ahead, or no row was ever as new as it should be.
    """
    if not tail.num_new:
        raise WallFileError("no row came during the pass: the logger does not run, or keeps its rows back")
    least_s = min(ages_s)
    if least_s < -CLOCK_TOLERANCE_S:
        raise WallFileError(
            f"the meter's clock is {-least_s:.3g} s ahead of this machine's, {CLOCK_TOLERANCE_S:g} s are allowed"
        )
    interval_s = _interval_s([row.unix_s for row in tail.rows])
    if interval_s is not None and least_s > CLOCK_TOLERANCE_S + interval_s:
        raise WallFileError(
            f"the newest row was never less than {least_s:.3g} s old: the meter's clock is behind this machine's,"
            f" or its rows come late; {CLOCK_TOLERANCE_S:g} s and one interval of {interval_s:.3g} s are allowed"
        )


def check_rows(tail: WallTail, spans_s: list[tuple[float, float]]) -> None:
    """Are these rows whole, in order, and close enough over ``spans_s`` (Unix seconds)?

    Raises:
        WallFileError: they are not.
    """
    if tail.bad:
        what = "row came" if tail.bad == 1 else "rows came"
        raise WallFileError(f"{tail.bad} {what} that cannot be used; the first has {tail.first_bad}")
    times_s = np.array([row.unix_s for row in tail.rows])
    if (np.diff(times_s) < 0).any():
        raise WallFileError("the times of the rows go back: their clock was set, or two loggers write one file")
    interval_s = _interval_s(list(times_s))
    for start_s, end_s in spans_s:
        inside = times_s[(times_s >= start_s) & (times_s <= end_s)]
        if len(inside) < MIN_SAMPLES or interval_s is None:
            raise WallFileError(
                f"{len(inside)} rows in a window of {end_s - start_s:.3g} s, {MIN_SAMPLES} are needed: log more often"
            )
        around = times_s[np.searchsorted(times_s, start_s) - 1 :] if times_s[0] < start_s else times_s
        around = around[: np.searchsorted(around, end_s) + 1]
        gap_s = max(float(np.diff(around).max()), float(inside[0] - start_s) if times_s[0] >= start_s else 0.0)
        if gap_s > MAX_GAP_INTERVALS * interval_s:
            raise WallFileError(f"no row for {gap_s:.3g} s, where one comes every {interval_s:.3g} s: rows were lost")


def _interval_s(times_s: list[float]) -> float | None:
    """The logger's usual interval; None if there are too few rows."""
    gaps = np.diff(times_s)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else None


def _wait_s(rows: list[Row]) -> float:
    interval_s = _interval_s([row.unix_s for row in rows]) or 0.0
    return min(WAIT_S + WAIT_INTERVALS * interval_s, MAX_WAIT_S)


def _no_look() -> int:
    raise WallFileError("the rows of a file are not polled")
