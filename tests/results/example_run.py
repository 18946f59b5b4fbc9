"""Runs built by hand, so that every derived number can be checked by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from results.records import (
    CaseSpec,
    Check,
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
    Support,
    Timing,
    Warmup,
    Window,
    Work,
)
from results.store import StoredRun, open_run
from results.store_writer import RunWriter

CPU = Device(id="cpu", backend="torch", kind="cpu", name="Example CPU 8-Core", memory_bytes=2**34)
CPU_ORT = msgspec.structs.replace(CPU, backend="onnxruntime")
H100 = Device(id="cuda:0", backend="torch", kind="cuda", name="NVIDIA H100 80GB HBM3", memory_bytes=79 * 2**30)
NATIVE = Support(level="native")
EMULATED = Support(level="emulated", reason="the CPU has no FP8 units; values are widened to FP32 for each product")
PASSED = Numerics(
    reference="torch FP32 on cpu",
    verdict="pass",
    checks=(
        Check(name="rel_l2", value=0.0031, threshold=0.08, better="lower", passed=True),
        Check(name="top1_agreement", value=0.96875, threshold=0.8, better="higher", passed=True),
    ),
)
REFERENCE = Numerics(reference="this case is the FP32 reference", verdict="reference")
FAILED = Numerics(
    reference="torch FP32 on cpu",
    verdict="fail",
    checks=(Check(name="rel_l2", value=0.61, threshold=0.25, better="lower", passed=False),),
    reason="rel_l2 0.61 past its limit 0.25",
)
SEQUENCES = Work(items=8, item_unit="sequence", tokens=512, flops=6_000_000_000)
# One cycle is 4 decoding steps: 2 sequences get 4 tokens each.
DECODE = Work(steps=4, items=8, item_unit="token", tokens=8, flops=80_000_000)
IMAGES = Work(items=16, item_unit="image", tokens=None, flops=64_000_000_000)


def case(workload: str, phase: str, precision: str, **changes: Any) -> CaseSpec:
    fields: dict[str, Any] = {
        "workload": workload,
        "workload_version": 1,
        "phase": phase,
        "preset": "tiny",
        "precision": precision,
        "batch_size": 8,
        "shape": {},
        "backend": "torch",
        "device": "cpu",
    }
    return CaseSpec(**{**fields, **changes})


def timing(windows: Iterable[tuple[int, int]], num_latency: int, num_device: int = 0, **changes: Any) -> Timing:
    fields: dict[str, Any] = {
        "clock": "perf_counter_ns",
        "device_clock": "cuda events" if num_device else None,
        "device_clock_reason": "" if num_device else "the device has no event clock",
        "prepare_s": 0.75,
        "first_step_s": 0.125,
        "warmup": Warmup(iterations=40, elapsed_s=0.5, steady=True, stop_reason="steady"),
        "windows": tuple(Window(iterations=n, elapsed_ns=ns) for n, ns in windows),
        "num_latency_samples": num_latency,
        "num_device_samples": num_device,
        "stop_reason": "throughput: enough; latency: enough",
    }
    return Timing(**{**fields, **changes})


def measurement(spec: CaseSpec, status: str = "ok", **changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "case_id": spec.id,
        "case": spec,
        "replicate": 0,
        "status": status,
        "stage": "finish",
        "started_at": "2026-11-22T10:11:13+00:00",
        "elapsed_s": 9.5,
        "support": NATIVE,
        "energy": (EnergyReading(reason="no power meter reads this device yet"),),
        "memory": Memory(peak_bytes=805306368, scope="resident memory of the worker process"),
    }
    return Measurement(**{**fields, **changes})


def run_info(plan: Iterable[tuple[CaseSpec, int]], devices: tuple[Device, ...] = (CPU, CPU_ORT)) -> RunInfo:
    return RunInfo(
        run_id="20261122-101112-quick",
        suite="quick",
        command="chipmark run quick",
        created_at="2026-11-22T10:11:12+00:00",
        order_seed=7,
        measure=MeasureSpec(),
        environment=Environment(
            chipmark_version="0.1.0",
            python_version="3.11.9",
            platform="Linux-6.8-x86_64",
            cpu_name="Example CPU 8-Core",
            cpu_count_logical=16,
            cpu_count_physical=8,
            cpu_count_usable=16,
            memory_bytes=2**35,
            packages={"torch": "2.13.0+cpu", "onnxruntime": "1.32.0", "numpy": "2.4.6"},
            variables={"OMP_NUM_THREADS": "8"},
            host_id="0123456789ab",
        ),
        devices=devices,
        plan=tuple(PlannedCase(case=spec, replicates=replicates) for spec, replicates in plan),
    )


Stored = tuple[Measurement, Mapping[str, np.ndarray]]


def store(folder: Path, info: RunInfo, stored: Iterable[Stored]) -> StoredRun:
    """Write a run with the real writer and read it with the real reader."""
    with RunWriter.create(folder, info) as writer:
        for record, samples in stored:
            writer.append(record, samples)
    return open_run(folder)


def ramp_ns(count: int, start_ns: int = 1_000_000, step_ns: int = 1_000) -> np.ndarray:
    """``count`` shuffled samples start, start + step, ...: the k-th smallest is known.

    The order is one that looks independent and steady: nothing is cut, and each sample counts as one.
    """
    samples = start_ns + step_ns * np.arange(count, dtype=np.int64)
    np.random.default_rng(18).shuffle(samples)
    return samples


def example_stored() -> tuple[RunInfo, list[Stored]]:
    """One case of every kind of outcome, in the order of the plan."""
    shape = {"sequence_length": 64}
    decode_shape = {"prompt_length": 16, "new_tokens": 4}
    train = case("bert-encoder", "train", "fp32", shape=shape)
    bf16 = case("bert-encoder", "train", "bf16", shape=shape)
    fp8 = case("bert-encoder", "infer", "fp8", shape=shape)
    compiled = case("bert-encoder", "infer", "fp32", shape=shape, options={"compile": True})
    decode = case("llm-decoder", "decode", "fp32", batch_size=2, shape=decode_shape)
    int8 = case("llm-decoder", "decode", "int8", batch_size=2, shape=decode_shape, backend="onnxruntime")
    fp16 = case("llm-decoder", "prefill", "fp16", batch_size=2, shape=decode_shape)
    late = case("llm-decoder", "prefill", "fp32", batch_size=2, shape=decode_shape)
    large = case("resnet", "train", "fp32", batch_size=4096)
    images = case("resnet", "infer", "fp32", batch_size=16, backend="onnxruntime")
    bad = case("resnet", "infer", "int8", batch_size=16, backend="onnxruntime")
    plan = [(train, 1), (bf16, 1), (fp8, 1), (compiled, 1), (decode, 1), (int8, 1), (fp16, 1), (late, 1)]
    plan += [(large, 1), (images, 2), (bad, 1)]
    busy = Guard(name="load", value=9.5, threshold=8.0, verdict="WARN", reason="load 9.5 is above 8 (other work?)")
    latency = {"latency_ns": ramp_ns(400), "warmup_ns": ramp_ns(40)}
    stored: list[Stored] = [
        (
            # 100 steps of 8 sequences in 2 s: 400 sequences/s, 25,600 tokens/s.
            measurement(train, work=SEQUENCES, numerics=REFERENCE, guards=(busy,),
                        timing=timing([(40, 800_000_000), (60, 1_200_000_000)], 400)),
            latency,
        ),
        (
            measurement(bf16, "failed", stage="prepare", support=None,
                        reason="RuntimeError: could not create a primitive descriptor for a matmul; the backend "
                        "named no kernel for this type, this size and this machine, and gave up"),
            {},
        ),
        (
            measurement(fp8, work=SEQUENCES, support=EMULATED, numerics=PASSED,
                        timing=timing([(50, 500_000_000)], 112)),
            {"latency_ns": ramp_ns(112)},
        ),
        (measurement(compiled, "timeout", stage="warmup", reason="no progress for 60 s; killed"), {}),
        (
            # 50 cycles of 4 steps and 8 tokens in 0.5 s: 800 tokens/s, 400 steps/s.
            measurement(decode, work=DECODE, numerics=REFERENCE, timing=timing([(200, 500_000_000)], 400)),
            latency,
        ),
        (
            measurement(int8, "invalid", work=DECODE, numerics=FAILED, reason=f"numerics: {FAILED.reason}",
                        timing=timing([(200, 250_000_000)], 36, export_s=0.25)),
            {"latency_ns": ramp_ns(36)},
        ),
        (
            measurement(fp16, "unsupported", stage="support",
                        support=Support(level="unsupported", reason="this CPU has no FP16 products"),
                        reason="this CPU has no FP16 products"),
            {},
        ),
        (measurement(large, "out_of_memory", stage="prepare", reason="cannot allocate 51.5 GB"), {}),
        (
            measurement(images, work=IMAGES, numerics=PASSED, timing=timing([(30, 1_000_000_000)], 30, export_s=1.5)),
            {"latency_ns": ramp_ns(30)},
        ),
        (
            measurement(images, "killed", replicate=1, stage="measure", reason="killed by signal 9"), {},
        ),
        (measurement(bad, "invalid", stage="numerics", work=IMAGES, numerics=FAILED,
                     reason="int8 was asked for but not executed"), {}),
    ]  # fmt: skip
    return run_info(plan), stored


def example_run(folder: Path) -> StoredRun:
    info, stored = example_stored()
    return store(folder, info, stored)
