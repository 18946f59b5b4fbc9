"""How the energy of one case came about: every reading of every process, also those that are not the headline."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary
from results.energy_notes import failed_guards, what
from results.energy_record import EnergyReading
from results.energy_summary import reading_problem
from results.notes import one_line
from results.records import Measurement

INDENT = "  "


def energy_section(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """The headline, what is derived from it, and the readings."""
    if case.energy_j is None:
        lines = [f"Energy: n/a: {one_line(case.energy_j_reason)}"]
    else:
        lines = [
            f"Energy: {units.joules(case.energy_j)} at {units.watts(case.average_power_w)}, of {one_line(what(case))}"
        ]
        lines += [INDENT + one_line(text) for text in (*_per_work(case), _precision(case), _idle(case)) if text]
    failed = failed_guards(case)
    if failed:
        lines.append(f"{INDENT}a guard says FAIL of it ({', '.join(failed)}): not to be compared")
    for measurement in replicates:
        # Where nothing reads the device there is one reason, and it is said above.
        for reading in (r for r in measurement.energy if r.meter or r.energy_j is not None):
            lead = f"{INDENT}process {measurement.replicate}, {reading.scenario or 'both passes'}, "
            lines += [lead + _reading(reading), *(INDENT * 2 + one_line(text) for text in _details(reading))]
    return lines


def _per_work(case: CaseSummary) -> list[str]:
    if case.energy_per_step_j is None:
        return [f"per step n/a: {case.energy_per_step_j_reason}"]
    parts = [f"{units.joules(case.energy_per_step_j)} a step"]
    if case.energy_per_item_j is not None:
        parts.append(f"{units.joules(case.energy_per_item_j)} a {case.item_unit}")
    if case.energy_per_token_j is not None and case.item_unit != "token":
        parts.append(f"{units.joules(case.energy_per_token_j)} a token")
    if case.tokens_per_s_per_w is not None:
        parts.append(f"{units.number(case.tokens_per_s_per_w)} tokens/s/W")
    elif case.items_per_s_per_w is not None:
        parts.append(f"{units.number(case.items_per_s_per_w)} {case.item_unit}s/s/W")
    lines = [", ".join(parts) + ": average power times time of the work, over the work"]
    if case.energy_scenario == "throughput" and case.latency_energy_per_step_j is not None:
        within = _within(case.latency_energy_uncertainty, case.latency_energy_uncertainty_reason)
        lines.append(f"{units.joules(case.latency_energy_per_step_j)} a single synced step, {within}")
    return lines


def _precision(case: CaseSummary) -> str:
    text = _within(case.energy_uncertainty, case.energy_uncertainty_reason)
    if case.energy_precision is not None:
        text += f"; between runs on one device, without its sensor, {_within(case.energy_precision, '')}"
    return text


def _within(value: float | None, reason: str) -> str:
    return f"+- n/a: {reason}" if value is None else f"+-{units.half_width(value)} (95 %)"


def _idle(case: CaseSummary) -> str:
    if case.idle_power_w is None:
        return f"net of idle n/a: {case.idle_power_w_reason}"
    net = f"idle power {units.watts(case.idle_power_w)}, net energy {units.joules(case.net_energy_j)}"
    if case.net_energy_half_width_j is not None:
        net += f" +-{units.joules(case.net_energy_half_width_j)} (95 %)"
    else:
        net += f" (+- n/a: {case.net_energy_half_width_j_reason})"
    if case.net_energy_per_item_j is not None:
        net += f", {units.joules(case.net_energy_per_item_j)} a {case.item_unit}"
    if case.net_energy_j is not None and case.net_energy_j < -(case.net_energy_half_width_j or 0.0):
        net += "; below 0: the device drew more when idle power was taken"
    return net


def _reading(reading: EnergyReading) -> str:
    who = f"meter {reading.meter}" if reading.meter else "no meter"
    scope = f", {reading.scope}" if reading.scope else ""
    device = f" of {reading.device_id}" if reading.device_id else ""
    problem = reading_problem(reading)
    if problem:
        return one_line(f"{who}{scope}{device}: n/a: {problem}")
    source = f" by {reading.source} ({reading.method})" if reading.source else ""
    return one_line(f"{who}{scope}{device}: {units.joules(reading.energy_j)}{source}")


def _details(reading: EnergyReading) -> list[str]:
    """Window, samples, cross-check, uncertainty, idle, limits: what is known of each."""
    remark = [reading.remark] if reading.remark else []
    if reading_problem(reading):
        return remark
    seconds, watts = units.seconds, units.watts
    windows = f" in {reading.num_windows} windows" if (reading.num_windows or 1) > 1 else ""
    parts = [
        (reading.duration_s, f"window {seconds(reading.duration_s)}{windows}"),
        (reading.steps, f"{reading.steps or 0:,} steps"),
        (reading.loaded_before_s, f"under load for {seconds(reading.loaded_before_s)} before"),
    ]
    looks = [
        (reading.num_samples, f"{reading.num_samples or 0:,} samples"),
        (reading.poll_s, f"every {seconds(reading.poll_s)}"),
        (reading.max_gap_s, f"largest gap {seconds(reading.max_gap_s)}"),
        (reading.update_s, f"the sensor's period {seconds(reading.update_s)}"),
        (reading.averaging_s, f"each an average over {seconds(reading.averaging_s)}"),
        (reading.part_time or None, "the sensor looks at part of each period only"),
    ]
    check = f" ({reading.crosscheck_source})" if reading.crosscheck_source else ""
    sure = [
        (reading.u_window, f"u_window {units.half_width(reading.u_window)}"),
        (reading.u_sensor, f"u_sensor {units.half_width(reading.u_sensor)}"),
        (reading.u_total, f"u_total {units.half_width(reading.u_total)}"),
        (reading.crosscheck_ratio, f"{_times(reading.crosscheck_ratio)} of a second source{check}"),
    ]
    power = [
        (reading.average_power_w, f"{watts(reading.average_power_w)} on average"),
        (reading.peak_power_w, f"peak {watts(reading.peak_power_w)}"),
        (reading.power_limit_w, f"limit {watts(reading.power_limit_w)}"),
        (reading.idle_power_w, f"idle {watts(reading.idle_power_w)} over {seconds(reading.idle_duration_s)}"),
        (reading.idle_u_window, f"u_window of idle {units.half_width(reading.idle_u_window)}"),
        (reading.net_energy_j, f"net of it {units.joules(reading.net_energy_j)}"),
    ]
    lines = [", ".join(text for known, text in group if known is not None) for group in (parts, looks, power, sure)]
    return [line for line in (*lines, *remark) if line]


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3f}"
