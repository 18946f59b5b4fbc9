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


def measure(details: dict[str, Any], seconds: float, num_spans: int = 1, loaded_s: float = 0.0) -> Any:
    """Readings over spans of ``seconds``, with the spans; a guard's card opens and closes meanwhile."""
    where, meter = device(details), NvidiaMeter()
    answer = meter.probe(where)
    assert not answer.reason, answer.reason
    meter.start(where)
    spans = []
    for _ in range(num_spans):
        time.sleep(0.06)
        start = time.perf_counter_ns()
        guard = Card(where)
        guard.open()
        guard.close()
        time.sleep(seconds)
        spans.append((start, time.perf_counter_ns()))
    time.sleep(0.06)
    readings = meter.stop(EnergyWindow(tuple(spans), loaded_before_s=loaded_s))
    return {
        "readings": [msgspec.to_builtins(reading) for reading in readings],
        "spans": spans,
        "names": sorted(meter.traces),
    }
