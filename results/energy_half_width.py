"""How sure the energies of a case are; the definitions are in :mod:`results.energy_summary`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from results.energy_record import EnergyReading
from results.precision import relative_half_width

# A t interval is tabled up to so many values; more are taken in so many batches.
MAX_SPREAD_VALUES = 31
NO_SENSOR = "the meter does not say how wrong its sensor may be"
NO_WINDOW = "the meter does not say how wrong its window may be"
NO_PHASES = "the sensor looks at part of each period only, and phases were not told apart"
NO_IDLE = "idle power was not taken"
NO_IDLE_WINDOW = "it is not known how wrong the idle power may be"

Width = tuple[float | None, str]


class Metered(NamedTuple):
    """One process: its main reading, and the time and steps of the work that goes with it."""

    reading: EnergyReading
    energy_j: float
    duration_s: float
    elapsed_s: float  # T
    steps: int  # S; 0: not known

    @property
    def power_w(self) -> float:
        """P."""
        return self.energy_j / self.duration_s


def half_widths(processes: Sequence[Metered]) -> dict[str, Any]:
    """``energy_precision`` and ``energy_uncertainty``, relative."""
    precision, why = _precision(processes)
    sensor = _sensor(processes)
    total, why_total = None, why or NO_SENSOR
    if precision is not None and sensor is not None:
        total, why_total = math.hypot(sensor, precision), ""
    return or_reason("energy_precision", precision, why) | or_reason("energy_uncertainty", total, why_total)


def net_half_width(processes: Sequence[Metered], net_j: float | None) -> Width:
    """``net_energy_half_width_j`` in joules, or why there is none."""
    window, why = _window_j(processes)
    sensor = _sensor(processes)
    idle_j = 0.0
    for p in processes:
        if p.reading.idle_power_w is None or net_j is None:
            return None, NO_IDLE
        if p.reading.idle_u_window is None:
            return None, NO_IDLE_WINDOW
        # Added up: idle power is taken once, and is the same number in all processes.
        idle_j += p.reading.idle_u_window * p.reading.idle_power_w * p.duration_s
    if window is None or sensor is None or net_j is None:
        return None, why or NO_SENSOR
    return math.hypot(window, idle_j, sensor * net_j), ""


def or_reason(name: str, value: float | None, reason: str) -> dict[str, Any]:
    """A field and the reason beside it, of which one is empty."""
    return {name: value, f"{name}_reason": reason if value is None else ""}


def _sensor(processes: Sequence[Metered]) -> float | None:
    """The largest u_sensor, or None if one is not known."""
    known = [p.reading.u_sensor for p in processes if p.reading.u_sensor is not None]
    return max(known) if len(known) == len(processes) else None


def _window_j(processes: Sequence[Metered]) -> Width:
    """Of the sum of the energies by their windows, in joules, or why it is not known."""
    parts = []
    for p in processes:
        if p.reading.u_window is None:
            return None, NO_PHASES if p.reading.part_time else NO_WINDOW
        parts.append(p.reading.u_window * p.energy_j)
    return math.hypot(*parts), ""


def _precision(processes: Sequence[Metered]) -> Width:
    """Root of u_window^2 + spread^2, or why it is not known."""
    window_j, why = _window_j(processes)
    if window_j is None:
        return None, why
    # Without steps there is only the power to compare.
    each = [p.power_w * (p.elapsed_s / p.steps if p.steps else 1.0) for p in processes]
    spread = relative_half_width(list(_batches(each))) or 0.0
    return math.hypot(window_j / sum(p.energy_j for p in processes), spread), ""


def _batches(values: Sequence[float]) -> Iterator[float]:
    """The values, or means of as many nearly equal batches as a t interval is tabled for."""
    number = min(len(values), MAX_SPREAD_VALUES)
    for k in range(number):
        batch = values[k * len(values) // number : (k + 1) * len(values) // number]
        yield sum(batch) / len(batch)
