"""What the parent saw before a run began; workers are told, for they come too late to see it."""

from __future__ import annotations

import functools
import os

import msgspec


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The load average of the last minute (None: the system has none) and the NVIDIA driver's version."""

    load_1min: float | None = None
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
    return Before(load_1min=load, driver=nvidia_driver().get("nvidia-driver"))
