"""The guards of one device, run around the timed passes; a guard that raises costs its own verdict only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from harness.error_text import one_line
from harness.guards.base import Scene, Unreadable, Watch, unknown
from harness.guards.cpu_setting import Affinity, Governor, Smt
from harness.guards.cpu_time import CpuTimeShare
from harness.guards.gpu_clock import SmClockSpread
from harness.guards.gpu_health import DriverChange, Ecc
from harness.guards.gpu_processes import ForeignMemory, ForeignProcesses
from harness.guards.gpu_state import MigVgpu, PowerLimit, TemperatureDrift
from harness.guards.gpu_throttle import throttle_hw, throttle_sw_power, throttle_sw_thermal
from harness.guards.load import LoadBefore
from harness.guards.nvml import Card
from harness.guards.pressure import CpuPressure
from harness.guards.run_queue import RunQueueWait
from harness.guards.steal import Steal
from harness.guards.thread_count import ThreadCount
from harness.guards.throttling import CgroupThrottled
from results.records import Guard, Scalar

HOST: Mapping[str, Callable[[Scene], Watch]] = {
    watch.name: watch
    for watch in (RunQueueWait, CpuPressure, Steal, CgroupThrottled, LoadBefore, Governor, Smt, Affinity)
}
CPU: Mapping[str, Callable[[Scene], Watch]] = {watch.name: watch for watch in (CpuTimeShare, ThreadCount)}
NVIDIA: Mapping[str, Callable[[Scene, Card], Watch]] = {
    "foreign_processes": ForeignProcesses,
    "foreign_memory": ForeignMemory,
    "throttle_hw": throttle_hw,
    "throttle_sw_thermal": throttle_sw_thermal,
    "throttle_sw_power": throttle_sw_power,
    "sm_clock_spread": SmClockSpread,
    "temperature_drift": TemperatureDrift,
    "power_limit": PowerLimit,
    "mig_vgpu": MigVgpu,
    "ecc": Ecc,
    "driver_change": DriverChange,
}


class GuardSet:
    """Starts, marks and stops the guards that apply to ``scene.device``; never raises.

    ``guards`` and ``machine`` hold what was found once :meth:`stop` was called.
    """

    def __init__(self, scene: Scene) -> None:
        self.machine: dict[str, Scalar] = {}
        self._card = Card(scene.device)
        self._watches: dict[str, Watch] = {}
        self._found: dict[str, Guard] = {}
        makers: dict[str, Callable[[], Watch]] = {name: _bind(make, scene) for name, make in HOST.items()}
        if scene.device.kind == "cpu":
            makers |= {name: _bind(make, scene) for name, make in CPU.items()}
        if scene.device.kind == "cuda":
            with contextlib.suppress(Exception):  # every guard that asks it will say what is wrong
                self._card.open()
            makers |= {name: _bind(make, scene, self._card) for name, make in NVIDIA.items()}
        self._order = list(makers)
        for name, make in makers.items():
            self._try(name, lambda name=name, make=make: self._watches.update({name: make()}))  # type: ignore[misc]

    @property
    def guards(self) -> tuple[Guard, ...]:
        """One verdict each, in the order of the tables above."""
        return tuple(self._found[name] for name in self._order if name in self._found)

    def start(self) -> None:
        """Just before the timed passes."""
        for name, watch in self._alive():
            self._try(name, watch.start)
        self._marked = [(name, watch.mark) for name, watch in self._alive() if type(watch).mark is not Watch.mark]

    def mark(self) -> None:
        """Between two timed windows."""
        for name, mark in self._marked:
            if name not in self._found:
                self._try(name, mark)

    def stop(self) -> None:
        """Just after the timed passes."""
        for name, watch in self._alive():
            self._try(name, lambda name=name, watch=watch: self._found.update({name: watch.stop()}))  # type: ignore[misc]
        for watch in self._watches.values():
            self.machine |= watch.facts
        with contextlib.suppress(Exception):  # the passes are over and the verdicts are in
            self._card.close()

    def _alive(self) -> list[tuple[str, Watch]]:
        return [(name, watch) for name, watch in self._watches.items() if name not in self._found]

    def _try(self, name: str, call: Callable[[], object]) -> None:
        verdict = attempt(name, call)
        if verdict is not None:
            self._found[name] = verdict


def _bind(make: Callable[..., Watch], *arguments: object) -> Callable[[], Watch]:
    return lambda: make(*arguments)


def attempt(name: str, call: Callable[[], object]) -> Guard | None:
    """Do ``call``; whatever it raises becomes an UNKNOWN of guard ``name``, else None."""
    try:
        call()
    except Unreadable as error:
        return unknown(name, str(error))
    except Exception as error:  # a broken guard must not cost the measurement
        return unknown(name, f"the guard failed: {type(error).__name__}: {one_line(error)}")
    return None
