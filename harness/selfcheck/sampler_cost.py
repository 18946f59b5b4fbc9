"""What the power sampler costs the work beside it: fixed work with and without it, in turns.

The whole time of a half counts, not the median of its steps: the few steps that a poll falls into are
what there is to find.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from harness import meters
from harness.ab.order import turns
from harness.clock import HostClock
from harness.meters.base import EnergyWindow
from harness.meters.channel import Channel
from harness.meters.metered import DeviceMeters
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler, Tape
from harness.selfcheck.fixed_work import FixedWork
from results.errors import ChipmarkError
from results.records import Device
from results.stats import interval_indices

HALF_S = 0.08  # four polls
QUICK_PAIRS, FULL_PAIRS = 16, 60
WARMUP_S = 0.15
THIS_CPU = Device(id="cpu", backend="selfcheck", kind="cpu", name="CPU")
STAND_IN = "a stand-in: reads of a small file, because no meter reads this machine"
# Linux makes its text anew for each read; elsewhere any small file will do.
STAND_IN_FILES = (Path("/proc/uptime"), Path(__file__))


class SamplerCost(NamedTuple):
    """Time with the sampler over time without, half its 95 % interval, and what was polled."""

    ratio: float
    half_width: float
    source: str


class Polling(Protocol):
    """Something that the shared sampler polls between ``on`` and ``off``."""

    source: str

    def on(self) -> None:
        """Begin."""

    def off(self) -> None:
        """End."""


class MeterPolling:
    """The real meters of a device, as they poll during a pass.

    ``source`` is empty if none reads it, or none polls.
    """

    def __init__(self, device: Device) -> None:
        self._meters = DeviceMeters(device)
        self.source = ""
        if self._meters.names:
            self.on()
            now_ns = time.perf_counter_ns()
            found = self._meters.stop(EnergyWindow(((now_ns - 1, now_ns),)), None, None)
            # One that could not start has no source.
            polled = [str(r.meter) for r in found.readings if r.source and _polls(r.meter)]
            self.source = f"{', '.join(dict.fromkeys(polled))} of {device.id} ({device.name})" if polled else ""

    def on(self) -> None:
        """Begin."""
        self._meters.start()

    def off(self) -> None:
        """End; what was read does not matter here."""
        self._meters.stop(EnergyWindow(()), None, None)


class FilePolling:
    """Reads of a small file, each about as dear as one of a counter in sysfs."""

    source = STAND_IN

    def __init__(self, sampler: Sampler = SAMPLER) -> None:
        file = next(file for file in STAND_IN_FILES if file.is_file())
        self._sampler = sampler
        self._channel = Channel("counter", lambda: len(file.read_bytes()), str(file))
        self._tapes: list[Tape] = []

    def on(self) -> None:
        """Begin."""
        self._tapes = self._sampler.add([self._channel])

    def off(self) -> None:
        """End."""
        self._sampler.remove(self._tapes)


def _polls(name: str | None) -> bool:
    """Whether a meter is polled by the sampler, and does not take a difference or read a file afterwards."""
    return name is not None and isinstance(meters.REGISTRY.get(name), SampledMeter)


def first_polling(devices: Sequence[Device]) -> Polling:
    """The meters of the first of ``devices`` that has any, accelerators first; else a stand-in."""
    for device in sorted(devices, key=lambda device: device.kind == "cpu"):
        found = MeterPolling(device)
        if found.source:
            return found
    return FilePolling()


def sampler_cost(repeats: int, polling: Polling, num_pairs: int) -> SamplerCost:
    """Measure ``num_pairs`` pairs of fixed work of ``repeats`` sweeps a step, in ABBA order.

    Raises:
        ChipmarkError: the clock did not move, or there are too few pairs for an interval.
    """
    work = FixedWork(repeats)
    until = time.perf_counter() + WARMUP_S
    num_warm = 0
    start_ns = HostClock.now_ns()
    while time.perf_counter() < until:
        work.run(0)
        num_warm += 1
    warm_ns = HostClock.now_ns() - start_ns
    if warm_ns <= 0:
        raise ChipmarkError("the clock did not move while the sampler's cost was measured")
    steps = max(1, round(num_warm * HALF_S * 1e9 / warm_ns))
    ratios = []
    for pair in range(num_pairs):
        times = {side: _half_ns(work, steps, polling if side == "b" else None) for side in turns(pair)}
        if times["a"] <= 0:
            raise ChipmarkError("the clock did not move while the sampler's cost was measured")
        ratios.append(times["b"] / times["a"])
    ratio, half_width = median_interval(ratios)
    return SamplerCost(ratio, half_width, polling.source)


def _half_ns(work: FixedWork, steps: int, polling: Polling | None) -> int:
    """Time of so many steps; beginning and ending to poll is not part of it."""
    if polling is not None:
        polling.on()
    try:
        start_ns = HostClock.now_ns()
        for i in range(steps):
            work.run(i)
        return HostClock.now_ns() - start_ns
    finally:
        if polling is not None:
            polling.off()


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The median, and the farther end of its 95 % interval from order statistics: no wild pair can move it.

    Raises:
        ChipmarkError: so few values have no such interval.
    """
    bounds = interval_indices(len(values), len(values), 50)
    if bounds is None:
        raise ChipmarkError(f"{len(values)} pairs are too few for an interval")
    ordered, middle = sorted(values), statistics.median(values)
    low, high = (ordered[k] for k in bounds)
    return middle, max(high - middle, middle - low)
