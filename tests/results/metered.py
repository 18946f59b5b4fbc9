"""Energy readings of measurements built by hand."""

from __future__ import annotations

from typing import Any

from results.energy_estimate import relative_total
from results.records import EnergyReading, Guard

SECONDS = 12.34
WINDOW = Guard(
    name="energy_window", value=0.4, threshold=5.0, verdict="FAIL", reason="a window of 0.4 s, at least 5 s are needed"
)


def reading(power_w: float = 300.0, scenario: str = "throughput", **changes: Any) -> EnergyReading:
    """A sound reading of a pass."""
    fields: dict[str, Any] = {
        "meter": "nvidia", "scenario": scenario, "energy_j": power_w * SECONDS, "average_power_w": power_w,
        "duration_s": SECONDS, "steps": 9_000, "scope": "gpu_board", "device_id": "GPU-1", "source": "nvml energy",
        "method": "counter_tick", "u_window": 0.004, "u_sensor": 0.05,
    }  # fmt: skip
    fields |= changes
    return EnergyReading(**({"u_total": relative_total(fields["u_window"], fields["u_sensor"])} | fields))


def metered(*readings: EnergyReading, guards: tuple[Guard, ...] = ()) -> dict[str, Any]:
    """Fields of a measurement with these readings."""
    return {"energy": readings or (reading(),), "guards": guards}
