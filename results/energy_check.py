"""Whether a stored energy reading can be true: what every meter's numbers satisfy, whoever wrote the record.

A record is text, and anyone can edit it. A reading that fails here gives no number anywhere: neither in
summaries nor in comparisons.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.energy_record import EnergyReading

# Identities of stored numbers hold to rounding.
TOLERANCE = 1e-6
# No window lasts thirty years, no machine takes a gigawatt while idle.
LONGEST_S = 1e9
LARGEST_IDLE_W = 1e9
# A relative half-width of 1000 % says nothing any more.
LARGEST_U = 10.0
# Joules and watts outside were measured by nobody; squares and ratios of what is inside are finite.
SMALLEST, LARGEST = 1e-12, 1e18
UNCERTAINTIES = ("u_window", "u_sensor", "u_total", "idle_u_window")
# Of the rest it is only asked that they are numbers.
OTHERS = (
    "poll_s", "max_gap_s", "update_s", "averaging_s", "loaded_before_s", "idle_duration_s", "crosscheck_ratio",
    "peak_power_w", "power_limit_w", "power_limit_default_w", "net_energy_j",
)  # fmt: skip


def contradiction(reading: EnergyReading) -> str:
    """Why a reading with an energy and a duration cannot be true; empty if it can."""
    for name in UNCERTAINTIES:
        value = getattr(reading, name)
        if value is not None and not 0 <= value <= LARGEST_U:
            return f"its {name} is {value:g}"
    for name in OTHERS:
        value = getattr(reading, name)
        if value is not None and not math.isfinite(value):
            return f"its {name} is {value:g}"
    if reading.steps is not None and reading.steps <= 0:
        return f"its number of steps is {reading.steps}"
    return _of_energy(reading) or _of_idle(reading) or _of_total(reading)


def _of_energy(reading: EnergyReading) -> str:
    energy_j, seconds, power_w = reading.energy_j, reading.duration_s, reading.average_power_w
    if energy_j is None or seconds is None:
        return "energy or duration are not known"
    possible = SMALLEST <= energy_j <= LARGEST and 0 < seconds < LONGEST_S
    if not possible or not SMALLEST <= energy_j / seconds <= LARGEST:
        return f"{energy_j:g} J in {seconds:g} s cannot be"
    if power_w is not None and not abs(power_w * seconds - energy_j) <= TOLERANCE * energy_j:
        return f"{power_w:g} W for {seconds:g} s are not {energy_j:g} J"
    return ""


def _of_idle(reading: EnergyReading) -> str:
    energy_j, seconds, idle_w = reading.energy_j, reading.duration_s, reading.idle_power_w
    if idle_w is None or energy_j is None or seconds is None:
        return ""
    if not 0 <= idle_w < LARGEST_IDLE_W:
        return f"its idle power is {idle_w:g} W"
    net_j, idle_j = reading.net_energy_j, idle_w * seconds
    if net_j is not None and not abs(net_j - (energy_j - idle_j)) <= TOLERANCE * (energy_j + idle_j):
        return f"{energy_j:g} J less {idle_w:g} W for {seconds:g} s are not {net_j:g} J"
    return ""


def _of_total(reading: EnergyReading) -> str:
    u_window, u_sensor, u_total = reading.u_window, reading.u_sensor, reading.u_total
    if u_window is None or u_sensor is None or u_total is None:
        return ""
    expected = math.hypot(u_window, u_sensor)
    if abs(u_total - expected) <= TOLERANCE * expected:
        return ""
    return f"a u_total of {u_total:g} is not that of a u_window of {u_window:g} and a u_sensor of {u_sensor:g}"
