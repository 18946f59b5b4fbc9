"""Runs in the process that has the NVML stub loaded: the NVIDIA meter, asked and at work."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from harness.guards.nvml import Card
from harness.meters.base import EnergyWindow
from harness.meters.nvidia import NvidiaMeter
from results.records import Device

S = 1_000_000_000


def device(details: dict[str, Any], name: str = "cuda:0", kind: str = "cuda") -> Device:
    return Device(id=name, backend="torch", kind=kind, name="Stub", details=details)


def capability(details: dict[str, Any], **which: str) -> Any:
    return msgspec.to_builtins(NvidiaMeter().probe(device(details, **which)))


def measure(details: dict[str, Any], seconds: float, loaded_s: float = 0.0, step_s: float = 0.0) -> Any:
    """Readings over a span of ``seconds``, with the span; a guard's card opens and closes meanwhile."""
    where, meter = device(details), NvidiaMeter()
    answer = meter.probe(where)
    assert not answer.reason, answer.reason
    meter.start(where)
    time.sleep(0.06)
    start = time.perf_counter_ns()
    guard = Card(where)
    guard.open()
    guard.close()
    time.sleep(seconds)
    spans = [(start, time.perf_counter_ns())]
    time.sleep(0.06)
    readings = meter.stop(EnergyWindow(tuple(spans), step_s, loaded_before_s=loaded_s))
    return {
        "readings": [msgspec.to_builtins(reading) for reading in readings],
        "spans": spans,
        "names": sorted(meter.traces),
    }


def values(details: dict[str, Any]) -> list[int]:
    """One look at every channel, in uJ and uW, the main one first."""
    meter, where = NvidiaMeter(), device(details)
    domains = meter.domains(where)
    return [channel.read() for domain in domains for channel in (*domain.parts, *filter(None, [domain.check]))]


def cards_of_one_meter(details: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The cards that one meter reads for two devices of the same id, probed before either is read."""
    meter, devices = NvidiaMeter(), (device(details), device(other))
    for where in devices:
        meter.probe(where)
    return [meter.domains(where)[0].device_id for where in devices]


def left_open(details: dict[str, Any]) -> int:
    """How often a probe opened NVML without closing it."""
    import pynvml

    before = pynvml._nvmlLib_refcount
    NvidiaMeter().probe(device(details))
    return pynvml._nvmlLib_refcount - before
