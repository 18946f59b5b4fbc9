"""CPU time of the whole machine, from ``/proc/stat``: in clock ticks, summed over all CPUs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from harness.guards.base import Unreadable, read_text

# Fields of the ``cpu`` line in the order of proc(5); guest time is part of user and is left out.
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class CpuTicks(NamedTuple):
    """Ticks since boot. ``total`` is everything, ``busy`` is without idle, iowait and steal."""

    total: int
    busy: int
    steal: int
    num_cpus: int


def read_cpu_ticks(proc: Path) -> CpuTicks:
    """The machine's CPU time so far.

    Raises:
        Unreadable: there is no such file, or it has no steal time (before Linux 2.6.11).
    """
    path = proc / "stat"
    lines = read_text(path).splitlines()
    words = lines[0].split() if lines else []
    if words[:1] != ["cpu"] or len(words) <= len(FIELDS):
        raise Unreadable(f"{path} does not begin with the CPU times of proc(5)")
    ticks = dict(zip(FIELDS, map(int, words[1:]), strict=False))
    total = sum(ticks.values())
    busy = total - ticks["idle"] - ticks["iowait"] - ticks["steal"]
    num_cpus = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    return CpuTicks(total, busy, ticks["steal"], num_cpus)


def ticks_per_second() -> int:
    """The kernel's USER_HZ, 100 nearly everywhere."""
    return int(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100
