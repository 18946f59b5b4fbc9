"""The FP32 outputs that reduced precision, compiled or rearranged cases are held against."""

from __future__ import annotations

import gc
from collections.abc import Mapping

import msgspec
import numpy as np

from backends.base import GATE_STEPS, gate_is_enough
from backends.torch_devices import list_devices, release_memory
from backends.torch_flags import restored
from backends.torch_prepare import build_setup, make_step, set_process_state
from results.records import CaseSpec, Device
from workloads.base import Workload

# An FP32 case of an accelerator is checked on the CPU if that is done in seconds: at 50 GFLOP/s,
# which a few cores reach, this is ten.
MAX_CPU_FLOPS = 500_000_000_000

Outputs = Mapping[str, np.ndarray]


def find_reference(workload: Workload, case: CaseSpec, device: Device) -> tuple[str, Outputs] | None:
    """See ``Backend.reference``.

    Eager FP32 without options that change the arithmetic is its own reference on the CPU
    (``("self", {})``); on an accelerator the CPU checks it, or nothing if that would take long.
    Every other case is compared with eager FP32, TF32 off, on the same device.
    """
    rearranged = any(case.options.get(name) for name in ("compile", "channels_last", "tf32"))
    if case.precision == "fp32" and not rearranged:
        if device.kind == "cpu":
            return "self", {}
        num_steps = min(GATE_STEPS[case.phase], MAX_CPU_FLOPS // max(1, _flops(workload, case)))
        if num_steps < (GATE_STEPS["train"] if case.phase == "train" else 1):
            return None  # of a training run, the last loss is what is compared
        return "torch eager fp32 on cpu", reference_outputs(workload, case, "cpu", num_steps)
    return f"torch eager fp32 on {device.id}", reference_outputs(workload, case, device.id)


def reference_outputs(workload: Workload, case: CaseSpec, device_id: str, num_steps: int | None = None) -> Outputs:
    """Outputs of the first ``num_steps`` (``GATE_STEPS``) steps of ``case`` in eager FP32, stacked on axis 0.

    Returns:
        ``loss`` [K] or ``logits`` [K, ...], FP32; fewer where :func:`gate_is_enough` says so.
        Settings of the process are as before after it.
    """
    threads = case.options.get("threads")
    options = {} if threads is None else {"threads": threads}
    plain = msgspec.structs.replace(case, precision="fp32", options=options)
    device = next(device for device in list_devices("torch") if device.id == device_id)
    with restored():
        set_process_state(plain)
        outputs, place = _run(workload, plain, device, num_steps or GATE_STEPS[case.phase])
    gc.collect()  # modules and optimizers hold cycles; their memory is not the case's
    release_memory(place)
    return {name: np.stack([output[name] for output in outputs]) for name in outputs[0]}


def _run(workload: Workload, case: CaseSpec, device: Device, num_steps: int) -> tuple[list[Outputs], object]:
    setup, _ = build_setup(workload, case, device)
    step = make_step(setup, case)
    step.start()
    outputs: list[Outputs] = []
    while len(outputs) < num_steps and not gate_is_enough(outputs):
        step.run(len(outputs))
        step.sync()
        outputs.append(step.outputs())
    return outputs, setup.place


def _flops(workload: Workload, case: CaseSpec) -> int:
    """Of one compared step and what must come before it."""
    phases = ("prefill", "decode") if case.phase == "decode" else (case.phase,)
    known = [phase for phase in phases if phase in workload.spec.phases]
    return sum(workload.work(case.preset, phase, case.batch_size, case.shape).flops for phase in known)
