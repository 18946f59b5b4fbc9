"""The energy of a step of one process, from its stored readings: a number with what stands behind it, or why none.

The main reading of the throughput pass counts, or of the latency pass where throughput was not
measured. A reading without scenario (of both passes together, as older formats have it) or without
an uncertainty is no evidence, nor is one whose guards FAILed; nothing stands in for it, least of
all another pass or another scope.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from results.energy_check import contradiction
from results.failed_guards import of_energy
from results.session_case import StepEnergy

if TYPE_CHECKING:
    from results.records import EnergyReading, Measurement, Scenario

# What a reading must say, so that it can be held against another.
REQUIRED = ("scope", "source", "method", "u_window")

Found = tuple[float | None, StepEnergy | None]


def step_energy(stored: Measurement, mean_step_s: float | None) -> Found:
    """Joules a step, and what stands behind them; (None, None) where there is no reading at all.

    Args:
        stored: the record (or the narrow view of it, ``results.stored_process``).
        mean_step_s: of its throughput windows; None: throughput was not measured.
    """
    if not stored.energy:
        return None, None
    failed = tuple(f"{g.name}: {g.reason}" for g in stored.guards if g.verdict == "FAIL" and of_energy(g.name))
    if failed:
        return _none(*failed)
    scenario: Scenario = "latency" if mean_step_s is None else "throughput"
    reading = next((each for each in stored.energy if each.scenario == scenario), None)
    if reading is None:
        return _none(f"no reading: {_no_pass(stored.energy[0], scenario)}")
    if reading.energy_j is None:
        return _none(f"no reading: {reading.reason or 'no reason was stored'}")
    problem = _problem(reading)
    step_j = None if problem else _step_j(reading, mean_step_s)
    if step_j is None:
        return _none(f"unusable reading: {problem or 'its steps are not known'}")
    return step_j, StepEnergy(
        scenario=scenario,
        scope=reading.scope,
        source=reading.source,
        method=reading.method,
        device_id=reading.device_id,
        u_window=reading.u_window,
        u_sensor=reading.u_sensor,
    )


def _none(*reasons: str) -> Found:
    return None, StepEnergy(why_not=reasons)


def _no_pass(first: EnergyReading, scenario: Scenario) -> str:
    """Why there is no reading of the pass, as far as the first reading tells."""
    if first.energy_j is None:
        return first.reason or "no reason was stored"
    if first.scenario is None:
        return "the energy is of both passes together, as older formats have it"
    return f"the {scenario} pass was not metered"


def _problem(reading: EnergyReading) -> str:
    """Why a reading with a number is no evidence, or ""."""
    for name in REQUIRED:
        if getattr(reading, name) is None:
            return f"its {name} is not known"
    if reading.average_power_w is None or reading.duration_s is None:
        return "power or duration are not known"
    return contradiction(reading)


def _step_j(reading: EnergyReading, mean_step_s: float | None) -> float | None:
    """Power times the mean time of a step of the same pass; None if that is not known or no number.

    The mean step of the windows is what is compared as time; the reading's own steps also hold the
    gaps between windows, so they serve only where there are no windows.
    """
    power_w, duration_s = reading.average_power_w, reading.duration_s
    if power_w is None or duration_s is None:
        return None
    if mean_step_s is None:
        mean_step_s = duration_s / reading.steps if reading.steps and reading.steps > 0 else None
    step_j = None if mean_step_s is None else power_w * mean_step_s
    return step_j if step_j is not None and 0 < step_j < math.inf else None
