"""A run whose energies can be checked by hand: 100 W for 2 s, and 10 steps of 4 items in 1.6 s of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from results.energy_estimate import relative_total
from results.records import EnergyReading, Guard, Measurement, Work
from results.store import StoredRun
from tests.results.example_run import (
    FAILED,
    H100,
    PASSED,
    case,
    measurement,
    ramp_ns,
    run_info,
    store,
    timing,
)

WORK = Work(items=4, item_unit="sequence", tokens=32, flops=1_000_000)
IMAGES = Work(items=4, item_unit="image", flops=1_000_000)
WINDOWS = [(4, 640_000_000), (6, 960_000_000)]
SPEC = case("bert-encoder", "infer", "bf16", device="cuda:0", batch_size=4)
COUNTER = {"meter": "nvidia", "scope": "gpu_board", "device_id": "GPU-1", "source": "NVML total energy counter"}


def reading(scenario: str | None = "throughput", power_w: float = 100.0, duration_s: float = 2.0,
            **changes: Any) -> EnergyReading:  # fmt: skip
    fields: dict[str, Any] = {
        **COUNTER,
        "scenario": scenario,
        "energy_j": power_w * duration_s,
        "average_power_w": power_w,
        "duration_s": duration_s,
        "steps": 10,
        "method": "counter_tick",
        "num_samples": 100,
        "poll_s": 0.02,
        "max_gap_s": 0.03,
        "update_s": 0.1,
        "loaded_before_s": 0.3,
        "idle_power_w": 20.0,
        "idle_duration_s": 10.0,
        "idle_u_window": 0.1,
        "crosscheck_ratio": 1.01,
        "crosscheck_source": "NVML power",
        "peak_power_w": 120.0,
        "u_window": 0.03,
        "u_sensor": 0.04,
        "power_limit_w": 700.0,
        "trace": "throughput_nvidia_gpu_board_uj",
    }
    fields |= changes
    if "net_energy_j" not in changes and None not in (fields["energy_j"], fields["duration_s"], fields["idle_power_w"]):
        fields["net_energy_j"] = fields["energy_j"] - fields["idle_power_w"] * fields["duration_s"]
    if "u_total" not in changes:
        fields["u_total"] = relative_total(fields["u_window"], fields["u_sensor"])
    return EnergyReading(**fields)


def lost(reason: str = "the meter was lost", scenario: str = "throughput", **changes: Any) -> EnergyReading:
    return EnergyReading(scenario=scenario, reason=reason, **{**COUNTER, **changes})


def metered(*readings: EnergyReading, spec=SPEC, **changes: Any) -> Measurement:
    fields: dict[str, Any] = {"work": WORK, "timing": timing(WINDOWS, 0), "numerics": PASSED, "energy": readings}
    return measurement(spec, **{**fields, **changes})


def energy_run(folder: Path) -> StoredRun:
    """A quotable case, one with a FAILing guard in a short window, one with images, an invalid, a lost meter."""
    decode = case("llm-decoder", "decode", "bf16", device="cuda:0", batch_size=4)
    images = case("resnet", "infer", "fp16", device="cuda:0", batch_size=4)
    int8 = case("resnet", "infer", "int8", device="cuda:0", batch_size=4)
    fp32 = case("resnet", "infer", "fp32", device="cuda:0", batch_size=4)
    both = (reading(duration_s=32.0, steps=10), reading("latency", 50.0, 4.0))
    gap = Guard(name="energy_gap", value=0.9, threshold=0.5, verdict="FAIL", reason="a gap of 0.9 s")
    package = reading(scope="cpu_package", meter="rapl", device_id=None, source="RAPL package")
    info = run_info([(spec, 1) for spec in (SPEC, decode, images, int8, fp32)], (H100,))
    stored = [
        metered(*both),
        metered(reading(power_w=300.0), spec=decode, guards=(gap,)),
        metered(reading(power_w=0.004, duration_s=12.0, u_window=None), spec=images, work=IMAGES),
        metered(reading(duration_s=20.0), spec=int8, work=IMAGES, numerics=FAILED, status="invalid", reason="error"),
        metered(lost(), package, spec=fp32, work=IMAGES),
    ]
    times_ns = 5_000_000_000 + 20_000_000 * np.arange(3, dtype=np.int64)
    trace = {
        "throughput_nvidia_gpu_board_uj": 7_000_000 + 2_000_000 * np.arange(3, dtype=np.int64),
        "throughput_nvidia_gpu_board_uj_time_ns": times_ns,
        "throughput_nvidia_gpu_board_uw": np.array([99_500_000, 100_500_000]),
        "throughput_nvidia_gpu_board_uw_time_ns": times_ns[:2] + 10_000_000,
        "warmup_ns": ramp_ns(5),
    }
    return store(folder, info, [(record, trace if k == 0 else {}) for k, record in enumerate(stored)])
