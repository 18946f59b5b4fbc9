"""Which planned measurements of a run are there, whole, and how they ended."""

from __future__ import annotations

from results.errors import RunFolderError
from results.records import GOOD_STATUSES, Status
from results.replicates import check
from results.store import StoredRun

Slot = tuple[str, int]  # case id, replicate


def planned_slots(run: StoredRun) -> list[Slot]:
    """Every (case id, replicate) of the plan, in plan order."""
    return [(planned.case.id, replicate) for planned in run.info.plan for replicate in range(planned.replicates)]


def endings(run: StoredRun) -> dict[Slot, Status]:
    """How each planned measurement ended. Missing are those never stored, those whose record
    contradicts itself, and good ones whose raw samples are gone or damaged.
    """
    wanted = set(planned_slots(run))
    found: dict[Slot, Status] = {}
    for measurement in run.measurements:
        slot = (measurement.case_id, measurement.replicate)
        if slot not in wanted:
            continue
        try:
            check(run.path, measurement)
            if measurement.status in GOOD_STATUSES:
                check(run.path, measurement, run.samples(measurement))
        except RunFolderError:
            continue
        found[slot] = measurement.status
    return found
