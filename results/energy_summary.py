"""Energy of a case: what the readings of its processes say together.

Definitions; i counts the processes whose numbers count, all of one scope and one device:

* The headline is the main reading of the first planned pass: throughput if it is planned, else latency.
  Where one of its readings has no number, the case has none; another scope is never put in its place.
* ``energy_j`` = sum of E_i, ``energy_duration_s`` = sum of D_i, ``average_power_w`` = their quotient.
* Work goes with time: the throughput windows of process i took T_i for S_i steps, at power P_i = E_i / D_i.
  In a latency pass T_i = D_i and S_i is the number of steps in the metered window.
* ``energy_per_step_j`` = sum of P_i * T_i / sum of S_i; per item and per token likewise, with the items and
  tokens of those steps. Ratios of sums, never means of ratios.
* ``tokens_per_s_per_w`` = ``tokens_per_s`` / (sum of P_i * T_i / sum of T_i): tokens per joule.
* ``idle_power_w`` = sum of idle_i * D_i / sum of D_i, ``net_energy_j`` = ``energy_j`` - ``idle_power_w`` *
  ``energy_duration_s``; the net of an item is sum of (P_i - idle_i) * T_i over the items. A net below 0 says
  that idle was not idle.
* ``energy_precision`` = root of u_window^2 + spread^2. u_window = root of the sum of (u_window_i * E_i)^2,
  over ``energy_j``: windows err independently. spread = half of the 95 % t interval of the mean of P_i *
  T_i / S_i over processes, where there are two at least.
* ``energy_uncertainty`` = root of u_sensor^2 + ``energy_precision``^2 with the largest u_sensor_i: it is
  the same error in every process of one card, so that averaging does not reduce it.
* ``net_energy_half_width_j`` = root of window^2 + idle^2 + (u_sensor * ``net_energy_j``)^2, in joules because
  the net may be near 0. window = root of the sum of (u_window_i * E_i)^2, idle = sum of idle_u_window_i *
  idle_i * D_i, which is not averaged away: idle power is taken once, and serves all processes of a device.

``energy_precision`` and ``energy_uncertainty`` are relative, and of gross energies; all are half-widths of
95 % intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.energy_check import contradiction
from results.energy_half_width import NO_IDLE, Metered, half_widths, net_half_width, or_reason
from results.energy_record import EnergyReading, Scenario
from results.records import SCENARIOS, CaseSpec, Measurement, Work

Fields = dict[str, Any]

# Every number of this module; all of them are metrics.
PER_WORK_METRICS = (
    "energy_per_step_j", "energy_per_item_j", "energy_per_token_j", "net_energy_per_item_j",
    "items_per_s_per_w", "tokens_per_s_per_w", "tokens_per_s_per_megawatt",
)  # fmt: skip
ENERGY_METRICS = (
    *PER_WORK_METRICS,
    "energy_j", "average_power_w", "idle_power_w", "net_energy_j", "net_energy_half_width_j", "energy_duration_s",
    "energy_window_s", "energy_uncertainty", "energy_precision", "latency_energy_per_step_j",
    "latency_energy_uncertainty",
)  # fmt: skip
# Identities hold to float rounding or not at all.
ROUNDING = 1e-9


def energy_fields(replicates: Sequence[Measurement], work: Work, rates: Mapping[str, Any]) -> Fields:
    """The energy part of a case's summary.

    Args:
        replicates: those whose numbers count, of one case.
        work: of one cycle of it.
        rates: its ``throughput_per_s`` and ``tokens_per_s``.
    """
    case = replicates[0].case
    scenario = headline_scenario(case)
    readings = [main_reading(m, scenario) for m in replicates]
    beside = _beside(replicates, scenario)
    fields = {
        **_told(readings),
        "energy_beside": beside,
        "energy_scenario": next((r.scenario for r in readings if r and r.scenario), None),
    }
    why = _why_none(readings)
    if why:
        return {**fields, **dict.fromkeys((f"{name}_reason" for name in ENERGY_METRICS), why), "energy_reason": why}
    processes = [_metered(m, r) for m, r in zip(replicates, readings, strict=True) if r]
    if scenario == "latency":  # the rates are of another pass, if there are any
        rates = dict.fromkeys(("throughput_per_s_reason", "tokens_per_s_reason"), "scenario throughput was not planned")
    fields |= _sums(processes) | _per_work(processes, work, rates) | half_widths(processes)
    return fields | _latency(replicates, readings)


def headline_scenario(case: CaseSpec) -> Scenario:
    """The pass whose energy is the case's."""
    return next((name for name in SCENARIOS if name in case.scenarios), SCENARIOS[0])


def main_reading(measurement: Measurement, scenario: Scenario) -> EnergyReading | None:
    """The first reading of a pass; before version 3 there was one over both passes."""
    return next((r for r in measurement.energy if r.scenario in (scenario, None)), None)


def _why_none(readings: Sequence[EnergyReading | None]) -> str:
    """Why there is no number; empty if every process has one, all of the same thing."""
    reasons = [reading_problem(reading) for reading in readings]
    lacking = [reason for reason in reasons if reason]
    if lacking:
        several = len(lacking) < len(readings)
        lead = f"in {len(lacking)} of {len(readings)} processes: " if several else ""
        return lead + "; ".join(dict.fromkeys(lacking))
    for name, noun in (("scope", "scopes"), ("device_id", "devices")):
        found = _distinct(readings, name, keep_none=True)
        if len(found) > 1:
            return f"processes were metered in different {noun}: {', '.join(text or 'not told' for text in found)}"
    return ""


def reading_problem(reading: EnergyReading | None) -> str:
    """Why a stored reading gives no number; empty if it does."""
    if reading is None:
        return "not measured"
    if reading.energy_j is None:
        return reading.reason or "the meter gave neither energy nor reason"
    if reading.duration_s is None:
        return "the meter gave no duration"
    problem = contradiction(reading)
    return f"unusable reading: {problem}" if problem else ""


def _metered(measurement: Measurement, reading: EnergyReading) -> Metered:
    energy, seconds = reading.energy_j or 0.0, reading.duration_s or 0.0
    if reading.scenario == "throughput" and measurement.timing:
        windows = measurement.timing.windows
        elapsed_s = sum(window.elapsed_ns for window in windows) / 1e9
        return Metered(reading, energy, seconds, elapsed_s, sum(window.iterations for window in windows))
    steps = reading.steps or 0 if reading.scenario == "latency" else 0
    return Metered(reading, energy, seconds, seconds, steps)


def _told(readings: Sequence[EnergyReading | None]) -> Fields:
    names = {"energy_meter": "meter", "energy_scope": "scope", "energy_source": "source", "energy_method": "method"}
    names |= {"energy_device_id": "device_id", "energy_remark": "remark"}
    return {field: "; ".join(_distinct(readings, name)) for field, name in names.items()}


def _beside(replicates: Sequence[Measurement], scenario: Scenario) -> str:
    """Scopes with a number in the headline's pass that are not its main reading: ``gpu_board (nvidia)``."""
    others = [r for m in replicates for r in m.energy if r.scenario == scenario and r is not main_reading(m, scenario)]
    return "; ".join(dict.fromkeys(f"{r.scope} ({r.meter})" for r in others if r.energy_j is not None))


def _distinct(readings: Sequence[EnergyReading | None], name: str, keep_none: bool = False) -> list[str]:
    values = dict.fromkeys(getattr(reading, name) for reading in readings if reading)
    return [value or "" for value in values if value or keep_none]


def _sums(processes: Sequence[Metered]) -> Fields:
    energy_j, duration_s = sum(p.energy_j for p in processes), sum(p.duration_s for p in processes)
    fields: Fields = {
        "energy_j": energy_j,
        "energy_duration_s": duration_s,
        "energy_window_s": min(p.duration_s for p in processes),
        "average_power_w": energy_j / duration_s,
    }
    idle_w = [p.reading.idle_power_w for p in processes]
    known = [watts for watts in idle_w if watts is not None]
    if len(known) < len(idle_w):
        names = ("idle_power_w", "net_energy_j", "net_energy_half_width_j")
        return fields | {f"{name}_reason": NO_IDLE for name in names}
    idle_j = sum(watts * p.duration_s for watts, p in zip(known, processes, strict=True))
    net_j = energy_j - idle_j
    fields |= {"idle_power_w": idle_j / duration_s, "net_energy_j": net_j}
    return fields | or_reason("net_energy_half_width_j", *net_half_width(processes, net_j))


def _per_work(processes: Sequence[Metered], work: Work, rates: Mapping[str, Any]) -> Fields:
    why = _why_no_work(processes)
    if why:
        return {f"{name}_reason": why for name in PER_WORK_METRICS}
    steps = sum(p.steps for p in processes)
    energy_j = sum(p.power_w * p.elapsed_s for p in processes)
    mean_power_w = energy_j / sum(p.elapsed_s for p in processes)
    items = steps / work.steps * work.items
    tokens = None if work.tokens is None else steps / work.steps * work.tokens
    no_tokens = "the workload has no tokens" if tokens is None else "no tokens were processed"
    fields = {
        "energy_per_step_j": energy_j / steps,
        **or_reason("energy_per_item_j", energy_j / items if items else None, "no items were processed"),
        **or_reason("energy_per_token_j", energy_j / tokens if tokens else None, no_tokens),
        **_net_per_item(processes, items),
    }
    per_w = [*_per_watt("throughput_per_s", rates, mean_power_w), *_per_watt("tokens_per_s", rates, mean_power_w)]
    fields |= or_reason("items_per_s_per_w", per_w[0], per_w[1])
    fields |= or_reason("tokens_per_s_per_w", per_w[2], per_w[3])
    megawatt = None if per_w[2] is None else 1e6 * per_w[2]
    fields |= or_reason("tokens_per_s_per_megawatt", megawatt, per_w[3])
    # The identity that gives the numbers their meaning.
    for rate, per in (("throughput_per_s", "energy_per_item_j"), ("tokens_per_s", "energy_per_token_j")):
        _check_identity(rates.get(rate), fields[per], mean_power_w)
    return fields


def _why_no_work(processes: Sequence[Metered]) -> str:
    if any(p.reading.scenario is None for p in processes):
        return "the reading is over both passes, whose steps differ: made with a chipmark that read energy so"
    if any(p.steps <= 0 or p.elapsed_s <= 0 for p in processes):
        return "it is not known how many steps the energy is of"
    return ""


def _per_watt(name: str, rates: Mapping[str, Any], power_w: float) -> tuple[Any, Any]:
    """A rate per watt, and why there is none."""
    rate = rates.get(name)
    return (None, rates.get(f"{name}_reason") or "not measured") if not rate else (rate / power_w, "")


def _check_identity(rate: float | None, energy_j: float | None, power_w: float) -> None:
    if rate and energy_j is not None and abs(rate * energy_j - power_w) > ROUNDING * power_w:
        raise AssertionError(f"{energy_j} J an item * {rate} items/s is not {power_w} W")


def _net_per_item(processes: Sequence[Metered], items: float) -> Fields:
    idle_w = [p.reading.idle_power_w for p in processes]
    if any(watts is None for watts in idle_w) or not items:
        return {"net_energy_per_item_j_reason": NO_IDLE if items else "no items were processed"}
    net_j = sum((p.power_w - (watts or 0.0)) * p.elapsed_s for p, watts in zip(processes, idle_w, strict=True))
    return {"net_energy_per_item_j": net_j / items}


def _latency(replicates: Sequence[Measurement], headline: Sequence[EnergyReading | None]) -> Fields:
    """Energy of single synced steps, of the same scope and device as the headline."""
    names = ("latency_energy_per_step_j", "latency_energy_uncertainty")
    if "latency" not in replicates[0].case.scenarios:
        return {f"{name}_reason": "scenario latency was not planned" for name in names}
    readings = [next((r for r in m.energy if r.scenario == "latency"), None) for m in replicates]
    why = _why_none(readings)
    if not why and any(_distinct([*headline, *readings], name, keep_none=True)[1:] for name in ("scope", "device_id")):
        why = "the latency pass was metered in another scope or on another device than the throughput pass"
    processes = [] if why else [_metered(m, r) for m, r in zip(replicates, readings, strict=True) if r]
    why = why or _why_no_work(processes)
    if why:
        return {f"{name}_reason": why for name in names}
    per_step_j = sum(p.energy_j for p in processes) / sum(p.steps for p in processes)
    widths = half_widths(processes)
    return {
        "latency_energy_per_step_j": per_step_j,
        "latency_energy_uncertainty": widths["energy_uncertainty"],
        "latency_energy_uncertainty_reason": widths["energy_uncertainty_reason"],
    }
