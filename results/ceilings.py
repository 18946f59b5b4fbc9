"""Every case against the ceilings: the sourced peak of its device, and what this run measured.

Two yardsticks that are never mixed:

* ``mfu``: achieved FLOP/s over the dense peak that ``configs/devices.csv`` gives the device at the
  precision that was executed;
* ``ceiling_fraction``: achieved FLOP/s over the best ``gemm`` case of the same run at the same
  precision on the same device with the same number of threads, whichever backend ran it;
  ``bandwidth_fraction``: bytes over those of the best ``memory-bandwidth`` case likewise.

A fraction above :data:`MAX_FRACTION` cannot be: it is reported as a warning, not as a feat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from results import units
from results.case_summary import CaseSummary
from results.device_table import DeviceTable, Figure, bandwidth_per_s, match, peak_per_s, shipped_devices
from results.errors import ChipmarkError
from results.measured_ceilings import (
    COMPUTE_WORKLOAD,
    MEMORY_WORKLOAD,
    Ceiling,
    Measured,
    Subject,
    measured_ceilings,
    subject_of,
    where,
)
from results.records import Measurement
from results.roofline import cache_problem, verdict

if TYPE_CHECKING:
    from results.store import StoredRun

# The spread of one measurement; what is further above its ceiling is an error in one of the two.
MAX_FRACTION = 1.05

Fields = dict[str, Any]


def with_ceilings(
    run: StoredRun, summaries: Sequence[CaseSummary], replicates: Mapping[str, Sequence[Measurement]]
) -> list[CaseSummary]:
    """The summaries with their fields about ceilings filled; adds warnings to ``run``.

    Args:
        run: where warnings go; tells the devices.
        summaries: all cases of the run.
        replicates: the measurements of each case id.
    """
    subjects = {
        summary.case_id: subject
        for summary in summaries
        if (subject := subject_of(summary, replicates.get(summary.case_id, ()), run.info.devices)) is not None
    }
    measured = measured_ceilings(list(subjects.values()))
    table, problem = _table(run) if subjects else (None, "")
    filled = []
    for summary in summaries:
        subject = subjects.get(summary.case_id)
        if subject is None:
            filled.append(summary)
            continue
        fields = _fields(subject, measured, table, problem)
        filled.append(msgspec.structs.replace(summary, **fields))
        for warning in impossible(filled[-1], measured.failed_guards):
            run.warn(warning)
    return filled


def impossible(case: CaseSummary, failed_guards: Mapping[str, Sequence[str]]) -> list[str]:
    """A warning for each fraction of ``case`` that cannot be.

    Args:
        case: with its fractions.
        failed_guards: of each measured ceiling, by its source: the likeliest culprits.
    """
    parts = (
        (case.mfu, "FLOP/s", f"the sourced peak ({case.peak_source})"),
        (case.ceiling_fraction, "FLOP/s", case.ceiling_source),
        (case.bandwidth_fraction, "bytes/s", case.ceiling_bytes_source),
    )
    warnings = []
    for fraction, what, ceiling in parts:
        if fraction is not None and fraction > MAX_FRACTION:
            failed = ", ".join(failed_guards.get(ceiling, ()))
            warnings.append(
                f"WARN {case.case.label}: above the ceiling: {units.digits3(fraction)} times the {what} of {ceiling}: "
                "one of the two is wrong"
                + (f"; the ceiling was measured while guards said FAIL: {failed}" * bool(failed))
            )
    return warnings


def _table(run: StoredRun) -> tuple[DeviceTable | None, str]:
    """A device table that somebody broke must not hide what was measured."""
    try:
        return shipped_devices(), ""
    except ChipmarkError as error:
        run.warn(str(error))
        return None, f"peak not sourced: {error}"


def _fields(subject: Subject, measured: Measured, table: DeviceTable | None, problem: str) -> Fields:
    peak, bandwidth = _sourced(subject, table, problem)
    compute = measured.compute.get((subject.place, subject.executed))
    memory = measured.memory.get(subject.place)
    return {
        **_against_peak(subject, peak),
        **_against_gemm(subject, compute),
        **_against_memory(subject, memory, measured.memory_problems.get(subject.place)),
        **_roofline(subject, _ridge(peak, bandwidth, compute, memory)),
    }


def _sourced(subject: Subject, table: DeviceTable | None, problem: str) -> tuple[Figure, Figure]:
    """The table's peak and bandwidth for the device of a case."""
    if table is None:
        return Figure(None, reason=problem), Figure(None, reason=problem)
    device = subject.device
    if device is None:
        unknown = Figure(None, reason="peak not sourced: the run does not describe the device")
        return unknown, unknown
    found = match(table, device.name, device.kind, device.memory_bytes)
    peak = peak_per_s(table, found, subject.executed)
    if found.row is not None and subject.executed_reason and subject.work.flops:
        peak = Figure(None, reason=subject.executed_reason)
    elif peak.per_s and subject.summary.support == "emulated":
        peak = Figure(None, reason=f"{subject.summary.case.precision} is emulated: the device has no peak at it")
    return peak, bandwidth_per_s(table, found)


def _against_peak(subject: Subject, peak: Figure) -> Fields:
    summary = subject.summary
    why = _no_flops(subject) or peak.reason
    return {
        **_value("mfu", None if why else _ratio(summary.flops_per_s, peak.per_s), why),
        **_value("peak_flops_per_s", peak.per_s, peak.reason),
        "peak_source": peak.source,
    }


def _against_gemm(subject: Subject, ceiling: Ceiling | None) -> Fields:
    missing = (
        subject.executed_reason or f"no {COMPUTE_WORKLOAD} case at {subject.executed} in this run {where(subject)}"
    )
    why = _no_flops(subject) or ("" if ceiling else missing)
    per_s = ceiling.per_s if ceiling else None
    return {
        **_value("ceiling_fraction", None if why else _ratio(subject.summary.flops_per_s, per_s), why),
        **_value("ceiling_flops_per_s", per_s, missing),
        "ceiling_source": ceiling.source if ceiling else "",
    }


def _against_memory(subject: Subject, ceiling: Ceiling | None, problem: str | None) -> Fields:
    missing = problem or f"no {MEMORY_WORKLOAD} case in this run {where(subject)}"
    moved, work, summary = subject.traffic, subject.work, subject.summary
    why = moved.reason or ("" if ceiling else missing)
    why = why or cache_problem(moved.per_step(work), subject.cache_bytes) or summary.steps_per_s_reason
    if summary.numbers_from == "invalid":
        why = "the result is invalid"
    achieved = None
    if moved.num_bytes is not None and summary.steps_per_s is not None:
        achieved = moved.num_bytes * summary.steps_per_s / work.steps
    per_s = ceiling.per_s if ceiling else None
    return {
        **_value("bandwidth_fraction", None if why else _ratio(achieved, per_s), why),
        **_value("ceiling_bytes_per_s", per_s, missing),
        "ceiling_bytes_source": ceiling.source if ceiling else "",
    }


class Ridge(NamedTuple):
    """FLOPs per byte where the two limits meet, and what it is made from; or why it is not known."""

    intensity: float | None
    source: str = ""
    reason: str = ""


def _ridge(peak: Figure, bandwidth: Figure, compute: Ceiling | None, memory: Ceiling | None) -> Ridge:
    """From what this run measured; else from the table; never one of each."""
    if compute and memory:
        return Ridge(compute.per_s / memory.per_s, f"measured: {compute.source} over {memory.source}")
    if peak.per_s and bandwidth.per_s:
        return Ridge(peak.per_s / bandwidth.per_s, f"sourced: {peak.source}")
    return Ridge(
        None, reason=f"the run needs a {COMPUTE_WORKLOAD} case at this precision and a {MEMORY_WORKLOAD} case for it"
    )


def _roofline(subject: Subject, ridge: Ridge) -> Fields:
    moved, work = subject.traffic, subject.work
    intensity = work.flops / moved.num_bytes if moved.num_bytes else None
    cached = cache_problem(moved.per_step(work), subject.cache_bytes) if moved.num_bytes else ""
    found = verdict(intensity, moved.basis, ridge.intensity, cached)
    return {
        **_value("arithmetic_intensity", intensity, moved.reason or "it moves nothing"),
        "bytes_basis": moved.basis,
        **_value("ridge_intensity", ridge.intensity, ridge.reason),
        "ridge_source": ridge.source,
        "bound": found.bound,
        "bound_reason": found.reason,
    }


def _no_flops(subject: Subject) -> str:
    """Why there is no achieved FLOP/s to compare; ``""`` if there is."""
    if subject.work.flops == 0:
        return "the workload has no matrix products"
    if subject.summary.numbers_from == "invalid":
        return "the result is invalid"
    return subject.summary.flops_per_s_reason


def _ratio(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else value / whole


def _value(name: str, value: float | None, reason: str) -> Fields:
    """A number without a reason, or a reason without a number."""
    return {name: value, f"{name}_reason": "" if value is not None else (reason or "not measured")}
