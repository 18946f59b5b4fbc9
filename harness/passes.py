"""The timed passes of a worker, with the guards and meters that watch them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from backends.base import Step
from harness.clock import Clock
from harness.guards.energy import energy_guards
from harness.guards.guard_set import GuardSet
from harness.guards.step_times import step_time_guards
from harness.meters.base import EnergyWindow
from harness.meters.energy_pass import EnergyPass, Load, energy_budget
from harness.meters.metered import DeviceMeters, Metered
from harness.timed_loop import Budget, Position, measure_device_time, measure_latency, measure_throughput, quiet_gc
from results.energy_record import IdlePower, net_of_idle
from results.energy_trace import Trace
from results.records import SCENARIOS, EnergyReading, Guard, MeasureSpec, Scenario, Window

Send = Callable[..., None]
# Device and governor get this long to fall back to idle before idle power is taken.
IDLE_SETTLE_S = 1.0
# While nothing happens the parent is told at least so often that nothing hangs.
HEARTBEAT_S = 0.5


def measure_idle(meters: DeviceMeters, seconds: float, clock: Clock, send: Send) -> tuple[IdlePower, ...]:
    """Power of the device with its context open and nothing to do, over ``seconds`` after it settled."""
    _wait(IDLE_SETTLE_S, clock, send)
    meters.start(send)
    start_ns = clock.now_ns()
    _wait(seconds, clock, send)
    end_ns = clock.now_ns()
    found = meters.stop(EnergyWindow(((start_ns, end_ns),), loaded_before_s=IDLE_SETTLE_S), None, None, send)
    return tuple(
        IdlePower(
            meter=reading.meter or "",
            scope=reading.scope or "",
            device_id=reading.device_id,
            power_w=reading.average_power_w,
            duration_s=reading.duration_s,
            u_window=reading.u_window,
        )
        for reading in found.readings
        if reading.average_power_w is not None and reading.duration_s is not None
    )


def _wait(seconds: float, clock: Clock, send: Send) -> None:
    end_ns = clock.now_ns() + round(seconds * 1e9)
    while (left_s := (end_ns - clock.now_ns()) / 1e9) > 0:
        time.sleep(min(left_s, HEARTBEAT_S))
        send()


class Passes:
    """The throughput and latency passes of one replicate, then the device-time pass.

    Args:
        step: what is measured.
        clock: of everything timed.
        position: the step counter.
        spec: how long.
        send: tells the parent.
        guards: watch the passes.
        meters: of the device.
        idle: its idle power, where known.
    """

    def __init__(
        self, step: Step, clock: Clock, position: Position, spec: MeasureSpec, send: Send, guards: GuardSet,
        meters: DeviceMeters, idle: tuple[IdlePower, ...],
    ) -> None:  # fmt: skip
        self._step, self._clock, self._position = step, clock, position
        self._spec, self._send, self._watched, self._meters, self._idle = spec, send, guards, meters, idle
        self._readings: list[EnergyReading] = []
        self._traces: dict[str, Trace] = {}
        self._latency_ns = bytearray()
        self._paused_s = 0.0

    def run(self, scenarios: tuple[Scenario, ...], step_ns: float) -> None:
        """All passes that are planned; everything found is sent between windows or at the end."""
        reasons = []
        budget = Budget.of(self._spec)
        planned = [name for name in SCENARIOS if name in scenarios]
        with quiet_gc():
            self._watched.start()
            for scenario in planned:
                own = energy_budget(budget, self._spec, self._meters, is_main=scenario == planned[0])
                reasons.append(f"{scenario}: {self._pass(scenario, own, step_ns)}")
            self._watched.stop()
            self._send(stop_reason="; ".join(reasons))
            name = measure_device_time(self._step, self._position, budget, step_ns, lambda b: self._send(device_ns=b))
        self._send(device_clock=name, device_clock_reason="" if name else "the device has no event clock")

    def guards(self) -> tuple[Guard, ...]:
        """What the guards said of the passes."""
        times = step_time_guards(np.frombuffer(self._latency_ns, np.int64), self._position.cycle)
        return (*self._watched.guards, *times, *energy_guards(self._readings))

    def _pass(self, scenario: Scenario, budget: Budget, step_ns: float) -> str:
        load = Load(self._step, self._clock, self._position, step_ns, self._send)
        energy = EnergyPass(self._meters, scenario, load, budget.min_ns / 1e9, self._paused_s)

        def report(busy_ns: int, steps: int, **news: Any) -> None:
            """Between two windows or chunks, never inside one."""
            self._send(**news)
            self._watched.mark()
            energy.chunk(busy_ns, steps)

        def window(found: Window) -> None:
            report(found.elapsed_ns, found.iterations, windows=(found,))

        def chunk(samples: bytes) -> None:
            times_ns = np.frombuffer(samples, np.int64)
            self._latency_ns.extend(samples)
            report(int(times_ns.sum()), len(times_ns), latency_ns=samples)

        try:
            energy.begin()
            if scenario == "throughput":
                reason = measure_throughput(self._step, self._clock, self._position, budget, step_ns, window)
            else:
                reason = measure_latency(self._step, self._clock, self._position, budget, step_ns, chunk)
        except BaseException:  # the step is broken: it must not be run again for the meters' sake
            energy.abandon()
            raise
        start_ns = self._clock.now_ns()
        self._keep(energy.end())
        self._paused_s = (self._clock.now_ns() - start_ns) / 1e9
        # At once: what comes after may end the worker.
        self._send(energy=tuple(self._readings), traces=_packed(self._traces))
        return reason

    def _keep(self, metered: Metered) -> None:
        for reading in metered.readings:
            idle = next((i for i in self._idle if (i.meter, i.scope) == (reading.meter, reading.scope)), None)
            self._readings.append(net_of_idle(reading, idle) if idle else reading)
        self._traces |= metered.traces


def _packed(traces: dict[str, Trace]) -> dict[str, bytes]:
    """Traces as the side file keeps them: ``NAME`` and ``NAME_time_ns``, int64."""
    packed = {}
    for name, trace in traces.items():
        packed[name] = trace.values.astype(np.int64).tobytes()
        packed[f"{name}_time_ns"] = trace.times_ns.astype(np.int64).tobytes()
    return packed
