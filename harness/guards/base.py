"""What guards are made of: where they look, how a value becomes a verdict, and the contract."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.guards.before import Before
from harness.guards.table import GUARD
from results.record import GuardVerdict
from results.records import Device, Guard, Scalar


class Unreadable(Exception):
    """What a guard needs cannot be read here; the text is the reason of its UNKNOWN."""


class Roots(NamedTuple):
    """Where the system's trees are mounted; tests put their own here."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    cgroup: Path = Path("/sys/fs/cgroup")


ROOTS = Roots()


def _affinity() -> frozenset[int] | None:
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


@dataclass(frozen=True)
class Scene:
    """The device, what is known of the step on it, and the clocks and trees that guards read.

    The clocks are the host's own and not the measurement's: shares are taken of what the kernel
    counts, in its time.

    Attributes:
        device: where the case runs.
        facts: the step's facts after preparing.
        before: what the parent saw before the run.
        own_device_bytes: device memory that the worker is known to hold, if told.
        roots: the system's trees.
        now_ns: a monotonic clock.
        thread_time_ns: CPU time of the calling thread.
        process_time_ns: CPU time of the whole worker.
        affinity: numbers of the CPUs that the worker may run on, None if the system does not tell.
    """

    device: Device
    facts: Mapping[str, object]
    before: Before | None = None
    own_device_bytes: Callable[[], int | None] = lambda: None
    roots: Roots = ROOTS
    now_ns: Callable[[], int] = time.monotonic_ns
    thread_time_ns: Callable[[], int] = time.thread_time_ns
    process_time_ns: Callable[[], int] = time.process_time_ns
    affinity: Callable[[], frozenset[int] | None] = _affinity


class Watch:
    """One guard over the timed passes: ``start``, ``mark`` between windows, ``stop``.

    Any exception makes the guard UNKNOWN; :class:`Unreadable` gives the reason in words. ``facts``
    become part of ``Measurement.machine``, whatever the verdict.
    """

    name: str

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.facts: dict[str, Scalar] = {}

    def start(self) -> None:
        """Read where things stand just before the passes."""

    def mark(self) -> None:
        """Take a sample between two windows; must be cheap (well below a millisecond)."""

    def stop(self) -> Guard:
        """Read again and judge."""
        raise NotImplementedError


def judge(name: str, value: float, reason: str, *, can_fail: bool = True) -> Guard:
    """The verdict of guard ``name`` on ``value``, by :mod:`harness.guards.table`.

    The threshold stored is the one that was crossed, else the first one that could have been.
    With ``can_fail=False`` what would FAIL is a WARN.

    Raises:
        Unreadable: ``value`` is not finite.
    """
    spec = GUARD[name]
    if not math.isfinite(value):
        raise Unreadable(f"the value read is {value}")

    def crossed(threshold: float | None) -> bool:
        return threshold is not None and (value < threshold if spec.below else value > threshold)

    first = spec.warn if spec.warn is not None else spec.fail
    verdict: GuardVerdict = "PASS"
    threshold = first
    if crossed(spec.fail):
        verdict, threshold = ("FAIL" if can_fail else "WARN"), spec.fail
    elif crossed(spec.warn):
        verdict, threshold = "WARN", spec.warn
    return Guard(name=name, value=float(value), threshold=threshold, verdict=verdict, reason=reason)


def unknown(name: str, reason: str, value: float | None = None) -> Guard:
    """A guard that could not be judged; never a PASS."""
    spec = GUARD[name]
    threshold = spec.warn if spec.warn is not None else spec.fail
    return Guard(name=name, value=value, threshold=threshold, verdict="UNKNOWN", reason=reason or "no reason was given")


def read_text(path: Path) -> str:
    """The text of a file of the system.

    Raises:
        Unreadable: which file, and why.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from error


def elapsed_ns(start_ns: int, end_ns: int) -> int:
    """The time between two readings of a clock.

    Raises:
        Unreadable: the clock did not move, or went back.
    """
    if end_ns <= start_ns:
        raise Unreadable("no time passed between start and end")
    return end_ns - start_ns
