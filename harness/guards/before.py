"""What the parent saw before a run began; workers are told, for they come too late to see it."""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

# Looks at the run queue, and the time between two of them.
NUM_LOOKS = 5
LOOK_INTERVAL_S = 0.01


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The machine before the run; None where it does not tell.

    Attributes:
        load_1min: load average of the last minute.
        num_runnable: threads of others that were running or waiting for a CPU just then, on average.
        driver: version of the NVIDIA driver.
    """

    load_1min: float | None = None
    num_runnable: float | None = None
    driver: str | None = None


@functools.cache
def before() -> Before:
    """This machine before this process measured anything; read at the first call, then remembered.

    Later readings would count chipmark's own cases as load.
    """
    from harness.environment import nvidia_driver

    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = None
    return Before(load_1min=load, num_runnable=num_runnable(), driver=nvidia_driver().get("nvidia-driver"))


def num_runnable(proc: Path = Path("/proc"), sleep: Callable[[float], None] = time.sleep) -> float | None:
    """Mean number of runnable threads beside the caller, over some 50 ms; None where ``/proc`` does not tell.

    The fourth field of ``/proc/loadavg`` is ``runnable/existing``, the reader among them.
    """
    looks = []
    try:
        for _ in range(NUM_LOOKS):
            sleep(LOOK_INTERVAL_S)
            looks.append(int((proc / "loadavg").read_text().split()[3].split("/")[0]) - 1)
    except (OSError, ValueError, IndexError):
        return None
    return max(0.0, statistics.mean(looks))
