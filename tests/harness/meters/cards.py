"""States of the NVML stub: cards with power that follows the time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.nvml_stub.trace import Wave

ADA, A100, HOPPER, BLACKWELL = "8.9", "8.0", "9.0", "10.0"


def uuid(card: int) -> str:
    """Without ``GPU-``, as torch tells it."""
    return f"{card + 1:08x}-1111-2222-3333-444444444444"


def bus(card: int) -> str:
    """PCI bus id; NVML counts by it."""
    return f"0000:{0x10 + 0x11 * card:02x}:00.0"


def wave(mean_w: float = 300.0, period_s: float = 0.037) -> Wave:
    """A load of 140 % and 60 % of ``mean_w``, for a minute already."""
    return Wave(1.4 * mean_w, 0.6 * mean_w, period_s, 0.5, time.perf_counter_ns() - 60_000_000_000)


def card(power: Wave, number: int = 0, capability: str = ADA, **changes: object) -> dict[str, object]:
    """State of one card that tells everything; a change to None takes away. Dots are written ``__``."""
    values: Mapping[str, object] = {
        "uuid": f"GPU-{uuid(number)}", "pci": bus(number), "compute_capability": capability, "mig_mode": 0,
        "virtualization_mode": 0, "power_limit_mw": 450_000, "power_limit_default_mw": 500_000,
        "trace": power.spec, "update_ms": 23, "energy_mj": "trace", "power_mw": "trace", "field.186": "trace",
        "field.185": "trace",
    }  # fmt: skip
    values = {**values, **{key.replace("__", "."): value for key, value in changes.items()}}
    state: dict[str, object] = {"driver": "580.65.06", "t0_ns": power.t0_ns}
    return state | {f"card.{number}.{key}": value for key, value in values.items() if value is not None}
