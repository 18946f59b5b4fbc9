"""The ceilings that a run measured: the best products, and the best copies, of each device.

A ceiling belongs to a device and a number of threads; a product's also to a precision. Whichever
backend reached it counts: what one library can do there, the device can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from results.case_summary import CaseSummary
from results.records import Device, Measurement, Work
from results.render import find_device
from results.roofline import MIN_CACHE_MULTIPLE, Traffic, cache_problem, traffic

COMPUTE_WORKLOAD, MEMORY_WORKLOAD = "gemm", "memory-bandwidth"

Place = tuple[str, object]  # device id and number of threads


class Subject(NamedTuple):
    """One case with what the arithmetic needs beside its summary."""

    summary: CaseSummary
    work: Work
    executed: str  # precision as executed, not as asked for: tf32 where FP32 products were rounded to it
    executed_reason: str  # why that is no single known precision; "" if it is
    device: Device | None
    cache_bytes: int | None  # the last-level cache of its device

    @property
    def place(self) -> Place:
        """Where it ran: device and threads."""
        return self.summary.case.device, self.summary.case.options.get("threads")

    @property
    def traffic(self) -> Traffic:
        """What a cycle moves."""
        return traffic(self.summary.case, self.work)


class Ceiling(NamedTuple):
    """A measured rate, the case it is from, and the guards that said FAIL while it was measured."""

    per_s: float
    source: str
    failed_guards: tuple[str, ...] = ()


class Measured(NamedTuple):
    """The ceilings of a run."""

    compute: dict[tuple[Place, str], Ceiling]
    memory: dict[Place, Ceiling]
    memory_problems: dict[Place, str]  # why what was measured there is none

    @property
    def failed_guards(self) -> dict[str, tuple[str, ...]]:
        """Of each ceiling, by its source."""
        return {found.source: found.failed_guards for found in (*self.compute.values(), *self.memory.values())}


def subject_of(summary: CaseSummary, replicates: Sequence[Measurement], devices: Sequence[Device]) -> Subject | None:
    """A case with its measurements and the run's devices taken in; None where it has no numbers."""
    known = [m for m in replicates if m.work is not None and m.timing is not None]
    if summary.numbers_from is None or not known:
        return None
    work, executed = known[0].work, known[0].facts.get("precision_executed")
    assert work is not None
    precision = executed if isinstance(executed, str) and executed else "unknown"
    reason = ""
    if precision == "mixed":
        reason = "its products were executed in mixed precisions: none of them has this ceiling"
    elif precision == "unknown":
        reason = "the precision that was executed is not known"
    # Not every backend tells the cache of a device: what one of them told holds for all.
    sizes = [d.details.get("last_level_cache_bytes") for d in devices if d.id == summary.case.device]
    cache_bytes = next((size for size in sizes if isinstance(size, int)), None)
    return Subject(summary, work, precision, reason, find_device(devices, summary.case), cache_bytes)


def measured_ceilings(subjects: Sequence[Subject]) -> Measured:
    """The best of each kind among ``subjects``, which are all cases of a run."""
    found = Measured({}, {}, {})
    for subject in subjects:
        summary, place = subject.summary, subject.place
        if summary.numbers_from != "ok":
            continue
        if summary.case.workload == COMPUTE_WORKLOAD and not subject.executed_reason:
            _raise(found.compute, (place, subject.executed), summary.flops_per_s, summary)
        if summary.case.workload == MEMORY_WORKLOAD:
            problem = ceiling_problem(subject)
            if problem:
                found.memory_problems[place] = problem
            else:
                _raise(found.memory, place, summary.bytes_per_s, summary)
    return found


def ceiling_problem(subject: Subject) -> str:
    """Why a memory-bandwidth case is no ceiling; ``""`` if it is one."""
    problem = cache_problem(subject.traffic.per_step(subject.work), subject.cache_bytes)
    if problem and subject.cache_bytes:
        least_mib = -(-MIN_CACHE_MULTIPLE * subject.cache_bytes // (2 * 2**20))
        problem += f"; give it a shape of array_mib = {least_mib} or more"
    return problem


def _raise(ceilings: dict[Any, Ceiling], key: object, per_s: float | None, summary: CaseSummary) -> None:
    if per_s is not None and (key not in ceilings or per_s > ceilings[key].per_s):
        failed = dict.fromkeys(guard.name for guard in summary.guards if guard.verdict == "FAIL")
        ceilings[key] = Ceiling(per_s, summary.case.label, tuple(failed))


def where(subject: Subject) -> str:
    """``on cpu with threads=1``: what a ceiling must have in common with a case."""
    device, threads = subject.place
    return f"on {device}" + ("" if threads is None else f" with threads={threads}")
