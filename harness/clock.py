"""The clock of everything timed; injected, so that tests need no sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock. ``now_ns`` returns integer nanoseconds."""

    name: str
    now_ns: Callable[[], int]


class HostClock:
    """``time.perf_counter_ns``: monotonic, the finest clock Python offers on every system."""

    name = "perf_counter_ns"
    now_ns = staticmethod(time.perf_counter_ns)
