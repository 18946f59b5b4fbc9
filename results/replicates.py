"""Replicates of one case taken together: which count, what they add up to, what must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import NamedTuple

from results.errors import RunFolderError
from results.records import Measurement, Work


class Totals(NamedTuple):
    """Sums over all throughput windows; exact integers."""

    work: Work  # one cycle
    iterations: int
    elapsed_ns: int
    items: int
    tokens: int | None
    flops: int
    bytes: int | None


def counted(replicates: Sequence[Measurement]) -> list[Measurement]:
    """The replicates whose numbers count: the ``ok`` ones, else the timed ``invalid`` ones."""
    ok = [m for m in replicates if m.status == "ok"]
    return ok or [m for m in replicates if m.status == "invalid" and m.timing and m.work]


def totals(path: Path, replicates: Sequence[Measurement]) -> Totals:
    """What the windows of ``replicates`` (checked, of one case) add up to.

    Raises:
        RunFolderError: the replicates disagree about the work of a cycle.
    """
    works = {m.work for m in replicates if m.work is not None}
    if len(works) != 1:
        raise RunFolderError(f"{path}: {replicates[0].case.label}: replicates disagree about the work of a step")
    (work,) = works
    windows = [w for m in replicates if m.timing for w in m.timing.windows]
    cycles = sum(w.iterations // work.steps for w in windows)
    return Totals(
        work=work,
        iterations=cycles * work.steps,
        elapsed_ns=sum(w.elapsed_ns for w in windows),
        items=cycles * work.items,
        tokens=None if work.tokens is None else cycles * work.tokens,
        flops=cycles * work.flops,
        bytes=None if work.bytes is None else cycles * work.bytes,
    )


def check(path: Path, measurement: Measurement, arrays: Mapping[str, Sized] | None = None) -> None:
    """Raise RunFolderError if a stored record contradicts itself.

    Args:
        path: the run folder, for the message.
        measurement: the record.
        arrays: its raw samples, once they are read.
    """
    problem = _arrays_problem(measurement, arrays) if arrays is not None else _record_problem(measurement)
    if problem:
        raise RunFolderError(
            f"{path}: {measurement.case.label}, replicate {measurement.replicate}: {problem}; "
            "the record contradicts itself, measure again"
        )


def _record_problem(m: Measurement) -> str:
    if m.case_id != m.case.id:
        return f"is stored as case {m.case_id}, but its case is {m.case.id}"
    if m.status == "ok" and (m.timing is None or m.work is None):
        return "ended ok without timing and work"
    if m.timing is None or m.work is None:
        return ""
    amounts = (m.work.items, m.work.flops, m.work.tokens or 0, m.work.bytes or 0, m.work.min_values or 0)
    if m.work.steps < 1 or min(amounts) < 0:
        return f"work of {m.work.items} items and {m.work.flops} FLOPs in {m.work.steps} steps"
    if m.stats is not None and m.stats.problem:  # marked when it was stored; it gives no number
        return ""
    for window in m.timing.windows:
        if window.iterations <= 0 or window.elapsed_ns <= 0:
            return f"a window of {window.iterations} steps in {window.elapsed_ns} ns"
        if window.iterations % m.work.steps:
            return f"a window of {window.iterations} steps is not a multiple of the cycle of {m.work.steps}"
    return ""


def _arrays_problem(m: Measurement, arrays: Mapping[str, Sized]) -> str:
    if m.timing is None:
        return ""
    promised = {"latency_ns": m.timing.num_latency_samples, "device_ns": m.timing.num_device_samples}
    for name, number in promised.items():
        array = arrays.get(name, ())
        if getattr(array, "ndim", 1) != 1 or str(getattr(array, "dtype", "int64")) != "int64":
            return f"{name} is not a list of int64 samples"
        stored = len(array)
        if stored != number:
            return f"{number} {name} samples were taken, but {stored} are stored"
    return ""
