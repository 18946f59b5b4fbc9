"""What may not become part of a baseline, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from results.errors import RunFolderError
from results.failed_guards import by_guard, of_energy
from results.functional_only import marks_of
from results.records import Device, Measurement
from results.replicates import check
from results.store import StoredRun

if TYPE_CHECKING:
    import numpy as np


def reasons_against(run: StoredRun, measurements: Sequence[Measurement], device: Device | None) -> list[str]:
    """Why the replicates of one case of a run may not become a baseline; empty if they may.

    All of them are barred if one is: what is left would be a choice of what went well. Guards on
    the energy bar nothing: it is not part of the baseline then (``results.energy_evidence``).
    """
    failed = [
        [f"{g.name}: {g.reason}" for g in m.guards if g.verdict == "FAIL" and not of_energy(g.name)]
        for m in measurements
    ]
    return [
        *_device_reasons(device),
        *(reason for m in measurements for reason in _reasons(run, m)),
        *(f"failed guard {text}" for text in by_guard(failed)),
    ]


def cautions(measurements: Sequence[Measurement]) -> list[str]:
    """What to know about replicates that may become a baseline."""
    found = []
    unsteady = [m for m in measurements if m.stats is not None and m.stats.steady is False]
    if unsteady:
        found.append(f"{len(unsteady)} of {len(measurements)} processes never became steady")
    drifting = [m for m in measurements if m.stats is not None and m.stats.drifting]
    if drifting:
        found.append(f"{len(drifting)} of {len(measurements)} processes drifted")
    return found


def _device_reasons(device: Device | None) -> list[str]:
    who = device.id if device else ""
    return [f"device {who} is marked {mark}: its times are not a chip's" for mark in marks_of(device)]


def _reasons(run: StoredRun, measurement: Measurement) -> list[str]:
    who = f"replicate {measurement.replicate}"
    if measurement.status != "ok":
        why = f": {measurement.reason}" if measurement.reason else ""
        return [f"{who} ended {measurement.status} at {measurement.stage}{why}"]
    try:
        check(run.path, measurement)
        samples = run.samples(measurement)
        check(run.path, measurement, samples)
    except RunFolderError as error:
        return [f"{who}: {error}"]
    return [f"{who}: {text}" for text in (*_numbers(measurement), *_durations(samples))]


def _numbers(measurement: Measurement) -> list[str]:
    if measurement.stats is not None and measurement.stats.problem:
        return [measurement.stats.problem]
    if measurement.numerics is not None and measurement.numerics.verdict == "fail":
        return [f"numerics failed: {measurement.numerics.reason or 'no reason was given'}"]
    return []


def _durations(samples: Mapping[str, np.ndarray]) -> list[str]:
    """A clock that stepped shows as a step that took no time, or less."""
    steps = samples.get("latency_ns")
    if steps is not None and len(steps) and int(steps.min()) <= 0:
        return [f"a step of {int(steps.min())} ns: the clock stepped"]
    return []
