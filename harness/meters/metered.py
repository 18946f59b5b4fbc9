"""Every meter that can read a device, asked together; a broken one costs its own readings only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from harness import meters
from harness.error_text import one_line
from harness.meters.base import Capability, EnergyWindow, Meter
from results.energy_trace import Trace
from results.records import Device, EnergyReading, Scenario

Beat = Callable[[], object]
# A meter may wait for a logger's next rows, or a driver for a card to wake up, but not this long.
LIMIT_S = 20.0
# While one is waited for the parent is told that nothing hangs.
HEARTBEAT_S = 0.5
EMPTY = EnergyWindow(((0, 0),))
NOT_WANTED = "energy was not asked for"


def no_beat() -> None:
    """Nobody to tell."""


class Metered(NamedTuple):
    """What the meters said of one pass: readings, the main one first, and the samples behind them."""

    readings: tuple[EnergyReading, ...]
    traces: dict[str, Trace]


class DeviceMeters:
    """The meters of one device.

    ``names`` can read something of it, in order of preference; ``reason`` says why none covers the device.
    """

    def __init__(self, device: Device, wanted: bool = True, beat: Beat = no_beat) -> None:
        self._device = device
        self._meters: dict[str, Meter] = {}
        self._failed: dict[str, str] = {}  # meter -> what went wrong in this pass
        answers = {name: ask(name, device, beat) for name in ordered_names()} if wanted else {}
        readable = [name for name, answer in answers.items() if not answer.reason]
        covering = [name for name in readable if answers[name].covers_device]
        # The main one first; what only covers the host comes after it, and never in its place.
        for name in (*covering, *(name for name in readable if name not in covering)):
            self._meters[name] = meters.REGISTRY.get(name)
        self.reason = "" if covering else (no_meter_reason(device, answers) if wanted else NOT_WANTED)
        # How the main one samples, and how far back the averages of any reach.
        self.part_time = any(answers[name].part_time for name in covering[:1])
        self.averaging_s = max((a for name in readable if (a := answers[name].averaging_s)), default=None)

    @property
    def names(self) -> list[str]:
        """Meters that can read the device."""
        return list(self._meters)

    def start(self, beat: Beat = no_beat) -> None:
        """Begin to read with all of them. ``beat`` is called now and then while one is waited for."""
        self._failed = {}
        for name, meter in self._meters.items():
            self._try(name, "start", partial(meter.start, self._device), beat)

    def stop(self, window: EnergyWindow, scenario: Scenario | None, steps: int | None, beat: Beat = no_beat) -> Metered:
        """End reading; one reading at least, with a reason if there is no number."""
        missing = [EnergyReading(scenario=scenario, reason=self.reason)] if self.reason else []
        readings: list[EnergyReading] = missing
        traces: dict[str, Trace] = {}
        for name, meter in self._meters.items():
            found: list[EnergyReading] = []
            if name not in self._failed:  # where there was no window it is stopped all the same
                self._try(name, "stop", partial(_stop, meter, window if window.spans else EMPTY, found), beat)
            if name in self._failed or not window.spans:
                found = [EnergyReading(reason=self._failed.get(name, "the pass had no whole window"))]
            own: dict[str, Trace] = getattr(meter, "traces", {})
            lead = f"{scenario or 'idle'}_{name}_"
            if found and name not in self._failed:
                traces |= {f"{lead}{trace}": t for trace, t in own.items() if isinstance(t, Trace)}
            for reading in found:
                kept = [f"{lead}{trace}" for trace in (reading.trace or "").split() if trace in own]
                marks = {"meter": name, "scenario": scenario, "steps": steps, "trace": " ".join(kept) or None}
                readings.append(msgspec.structs.replace(checked(reading), **marks))
        return Metered(tuple(readings), traces)

    def _try(self, name: str, what: str, call: Callable[[], None], beat: Beat) -> None:
        problem = within(call, beat)
        if problem:  # a broken meter must not cost the measurement
            self._failed[name] = f"meter {name} failed at {what}: {problem}"


def within(call: Callable[[], object], beat: Beat = no_beat, limit_s: float = LIMIT_S) -> str:
    """Do ``call`` in a thread of its own; why it failed, or "" if it did not.

    Whatever it raises, ends or waits for is its own affair: a thread that does not come back is left behind.
    """
    problem = [f"it did not answer within {limit_s:g} s"]

    def run() -> None:
        try:
            call()
            problem[0] = ""
        except BaseException as error:  # a plugin may even ask the interpreter to exit
            problem[0] = f"{type(error).__name__}: {one_line(error)}"

    thread = threading.Thread(target=run, name="chipmark-meter", daemon=True)
    thread.start()
    end_s = time.monotonic() + limit_s
    while thread.is_alive() and (left_s := end_s - time.monotonic()) > 0:
        thread.join(min(left_s, HEARTBEAT_S))
        beat()
    return problem[0]


def _stop(meter: Meter, window: EnergyWindow, found: list[EnergyReading]) -> None:
    """Readings as they can be stored: a plugin's odd types are found here, and cost its readings only."""
    told = [msgspec.convert(msgspec.to_builtins(reading), EnergyReading) for reading in meter.stop(window)]
    if not told:
        raise ValueError("it gave no reading")
    found.extend(told)


def ask(name: str, device: Device, beat: Beat = no_beat, limit_s: float = LIMIT_S) -> Capability:
    """What meter ``name`` can read of ``device``; never raises."""
    answers: list[Capability] = []

    def probe() -> None:
        answer = meters.REGISTRY.get(name).probe(device)
        if not isinstance(answer, Capability):
            raise TypeError(f"probe gave {type(answer).__name__}, not a Capability")
        answers.append(msgspec.convert(msgspec.to_builtins(answer), Capability))  # a plugin's odd types are found here

    problem = within(probe, beat, limit_s)
    return Capability(reason=problem) if problem else answers[0]


def ordered_names() -> list[str]:
    """All meters, in order of preference: the built-in ones as listed, then installed ones by name."""
    names = meters.REGISTRY.names()
    return [*(n for n in meters.BUILT_IN if n in names), *(n for n in names if n not in meters.BUILT_IN)]


def no_meter_reason(device: Device, answers: dict[str, Capability]) -> str:
    """Why no meter reads ``device``: what those say that are for such devices."""
    told = [f"{name}: {answer.reason}" for name, answer in answers.items() if answer.applies and answer.reason]
    return "; ".join(told) or f"no power meter is for a device of kind {device.kind}"


def checked(reading: EnergyReading) -> EnergyReading:
    """``reading`` as it may be stored: a number that cannot be is none, and what is missing has a reason."""
    energy, power, seconds = reading.energy_j, reading.average_power_w, reading.duration_s
    uncertainties = (reading.u_window, reading.u_sensor, reading.u_total)
    reason = ""
    if energy is None:
        reason = reading.reason or "the meter gave neither energy nor reason"
    elif not (energy > 0 and energy < float("inf")):
        reason = f"the meter says {energy:g} J, which cannot be"
    elif seconds is None or not seconds > 0:
        reason = "the meter gave no duration"
    elif any(u is not None and not 0 <= u < float("inf") for u in uncertainties):
        reason = "the meter states an uncertainty that cannot be"
    elif power is None:
        return msgspec.structs.replace(reading, average_power_w=energy / seconds)
    elif not abs(power * seconds - energy) <= 1e-6 * energy:
        reason = f"the meter contradicts itself: {power:g} W for {seconds:g} s are not {energy:g} J"
    if not reason:
        return reading
    return msgspec.structs.replace(
        reading, energy_j=None, average_power_w=None, net_energy_j=None, u_window=None, u_total=None, reason=reason
    )
