"""Runs in the process that has the NVML stub loaded: the guards of one card, over passes of 2 s."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.guards.base import Scene
from harness.guards.before import Before
from harness.guards.guard_set import NVIDIA, GuardSet
from results.records import Device

S = 1_000_000_000


def watch(details: dict[str, Any], marks: int = 6, driver: str | None = None, own_bytes: int | None = None) -> Any:
    """What the guards of a card found: ``guards`` by name, ``machine``."""
    now = [7 * S]
    device = Device(id="cuda:0", backend="torch", kind="cuda", name="Stub", details=details)
    guards = GuardSet(
        Scene(
            device, {}, Before(driver=driver), own_device_bytes=lambda: own_bytes, now_ns=lambda: now[0],
        )
    )  # fmt: skip
    guards.start()
    for _ in range(marks):
        guards.mark()
    now[0] += 2 * S
    guards.stop()
    found = {guard.name: msgspec.to_builtins(guard) for guard in guards.guards if guard.name in NVIDIA}
    assert list(found) == list(NVIDIA)
    return {"guards": found, "machine": guards.machine}
