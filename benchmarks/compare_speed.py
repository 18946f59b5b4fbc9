"""Time and memory of comparing two stored runs of 10,000 cases x 5 processes each.

The runs are written as real folders, lines and raw samples included (500 samples a process), because
every side file is read and checked against its checksum. Goal: at most 10 s and 1 GB.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from results.process_stats import ProcessStats, Quantile
from results.records import (
    SCENARIOS,
    CaseSpec,
    Device,
    EnergyReading,
    Environment,
    Guard,
    Measurement,
    MeasureSpec,
    Memory,
    Numerics,
    PlannedCase,
    RunInfo,
    SamplesRef,
    Scenario,
    Support,
    Timing,
    Warmup,
    Window,
    Work,
)

NUM_CASES, NUM_PROCESSES, NUM_SAMPLES, NUM_WINDOWS = 10_000, 5, 500, 20
ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "harness", "compare", "--format", "json")


def case_of(i: int) -> CaseSpec:
    """Case ``i``."""
    return CaseSpec(
        workload="llm-decoder", workload_version=1, phase="prefill", preset="tiny", precision="bf16", batch_size=i + 1,
        shape={"prompt_length": 64}, backend="torch", device="cuda:0", options={"compile": True},
    )  # fmt: skip


def run_info(name: str, num_cases: int) -> RunInfo:
    """The ``run.json`` of a run."""
    return RunInfo(
        run_id=name,
        suite="many",
        command="chipmark run many",
        created_at=f"2026-01-0{len(name)}T00:00:00+00:00",
        order_seed=len(name),
        measure=MeasureSpec(),
        environment=Environment(
            chipmark_version="0.1.0", python_version="3.11.7", platform="Linux", cpu_name="Example CPU",
            cpu_count_logical=16, cpu_count_physical=8, cpu_count_usable=16, memory_bytes=2**37,
            packages={"torch": "2.13.0"}, variables={}, host_id="0123456789ab",
        ),
        devices=(Device(id="cuda:0", backend="torch", kind="cuda", name="Example GPU", memory_bytes=80 * 2**30),),
        plan=tuple(PlannedCase(case=case_of(i), replicates=NUM_PROCESSES) for i in range(num_cases)),
    )  # fmt: skip


def measurements(seed: int, num_cases: int, sha256: str) -> Iterator[Measurement]:
    """Lines of the size that real runs have: many facts and guards, some windows."""
    generator = np.random.default_rng(seed)
    facts = {f"fact_{i}": f"what is known about it, {i}" for i in range(20)}
    facts |= {"threads": 8, "precision_executed": "bf16", "num_parameters": 1_000_000}
    machine = {"power_limit_w": 700.0, "mig_mode": "disabled", "clock_lock": "default", "ecc_mode": "enabled"}
    guards = tuple(
        Guard(name=f"guard_{i}", value=0.1, threshold=0.2, verdict="PASS", reason="0.1 is below 0.2, as it should be")
        for i in range(18)
    )
    for i in range(num_cases):
        case = case_of(i)
        for replicate in range(NUM_PROCESSES):
            step_ns = int(1e6 * np.exp(generator.normal(0, 0.008)))
            windows = tuple(Window(iterations=100, elapsed_ns=100 * step_ns) for _ in range(NUM_WINDOWS))
            quantile = Quantile(value_s=step_ns / 1e9, low_s=step_ns / 1e9, high_s=step_ns / 1e9)
            yield Measurement(
                case_id=case.id, case=case, replicate=replicate, status="ok", stage="finish",
                started_at="2026-01-01T00:00:00+00:00", elapsed_s=9.5, support=Support(level="native"),
                facts={**facts, "peak": replicate}, machine=machine, guards=guards,
                work=Work(items=8, item_unit="token", tokens=8, flops=10**9),
                timing=Timing(
                    clock="perf_counter_ns", prepare_s=0.5, first_step_s=0.1, windows=windows,
                    warmup=Warmup(iterations=40, elapsed_s=0.5, steady=True, stop_reason="steady"),
                    num_latency_samples=NUM_SAMPLES,
                ),
                samples=SamplesRef(
                    file=f"samples/{case.id}-r{replicate}.npz", sha256=sha256, arrays={"latency_ns": NUM_SAMPLES}
                ),
                stats=ProcessStats(
                    num_samples=NUM_SAMPLES, num_kept=NUM_SAMPLES, num_effective=400.0, steady=True, drift=0.001,
                    median_s=step_ns / 1e9, mean_s=step_ns / 1e9, max_s=step_ns / 1e9, half_width=0.005, p90=quantile,
                    p99=quantile, num_windows=NUM_WINDOWS, mean_step_s=step_ns / 1e9, window_half_width=0.005,
                ),
                numerics=Numerics(reference="torch eager fp32", verdict="pass"),
                energy=tuple(reading(name, step_ns) for name in SCENARIOS), memory=Memory(peak_bytes=10**9),
            )  # fmt: skip


def reading(scenario: Scenario, step_ns: int) -> EnergyReading:
    """Energy of one pass, 300 W for a hundred steps of each of its windows."""
    seconds = NUM_WINDOWS * 100 * step_ns / 1e9
    u_window, u_sensor = 0.004, 0.05
    return EnergyReading(
        meter="nvidia", scenario=scenario, energy_j=300.0 * seconds, average_power_w=300.0, duration_s=seconds,
        steps=NUM_WINDOWS * 100, scope="gpu_board", device_id="GPU-0", source="nvmlDeviceGetTotalEnergyConsumption",
        method="counter_tick", num_samples=500, num_windows=1, poll_s=0.02, max_gap_s=0.03, update_s=0.1,
        loaded_before_s=0.3, crosscheck_ratio=1.01, crosscheck_source="nvmlDeviceGetPowerUsage", peak_power_w=350.0,
        u_window=u_window, u_sensor=u_sensor, u_total=math.hypot(u_window, u_sensor), power_limit_w=700.0,
        driver="580.65.06",
    )  # fmt: skip


def write_run(folder: Path, seed: int, num_cases: int) -> Path:
    """A run folder, written without the fsync of each line, which is not what is measured here."""
    (folder / "samples").mkdir(parents=True)
    buffer = io.BytesIO()
    samples = np.random.default_rng(seed).integers(900_000, 1_100_000, NUM_SAMPLES)
    np.savez_compressed(buffer, allow_pickle=False, latency_ns=samples)
    content = buffer.getvalue()
    with (folder / "measurements.jsonl").open("wb") as file:
        for measurement in measurements(seed, num_cases, hashlib.sha256(content).hexdigest()):
            file.write(msgspec.json.encode(measurement) + b"\n")
            (folder / f"samples/{measurement.case_id}-r{measurement.replicate}.npz").write_bytes(content)
    (folder / "run.json").write_bytes(msgspec.json.encode(run_info(folder.name, num_cases)))
    return folder


def measure(num_cases: int = NUM_CASES) -> str:
    """Once; the files are in the page cache, as they have just been written."""
    with tempfile.TemporaryDirectory() as name:
        folders = [write_run(Path(name) / side, seed, num_cases) for seed, side in enumerate(("new", "base"))]
        line_bytes = (folders[0] / "measurements.jsonl").stat().st_size / num_cases / NUM_PROCESSES
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([*COMMAND, *map(str, folders)], stdout=subprocess.PIPE, check=False, cwd=ROOT)
        elapsed_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{num_cases} cases x {NUM_PROCESSES} processes against as many, {line_bytes / 1e3:.1f} kB a line: "
        f"`chipmark compare --format json` takes {elapsed_s:.1f} s ({cpu_s:.1f} s of CPU time) and at most "
        f"{after.ru_maxrss * 1024 / 1e6:.0f} MB (goal: 10 s, 1000 MB); {len(report['rows'])} rows, {report['reason']}"
    )
