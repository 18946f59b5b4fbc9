"""Which types a device multiplies natively, from what the device says of itself.

That a product runs proves nothing: torch and torchao run every type here on a CPU without any
unit for it. So a level is ``native`` only where the device names a capability that implies it.

Sources. CUDA: fp16 tensor cores since 7.0, int8 since 7.2, bf16 since 8.0, fp8 since 8.9 (CUDA
C++ Programming Guide, "Compute Capabilities", table of supported input types of WMMA; torchao
asks for 8.9 as well). ROCm: "Data types and precision support" of the ROCm documentation, by
architecture. XPU: the OpenCL extension cl_intel_subgroup_matrix_multiply_accumulate defines
products of fp16, bf16 and int8. CPU: the Intel and Arm instruction set extensions named below.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from backends.torch_devices import cpu_flags
from results.records import Device, Precision, Scalar

# Precision -> the first compute capability with matrix units for it.
CUDA_SINCE: dict[str, tuple[int, int]] = {"fp16": (7, 0), "bf16": (8, 0), "int8": (7, 2), "fp8": (8, 9)}
TF32_SINCE = (8, 0)
_ROCM_MATRIX = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")
ROCM_WITH: dict[str, tuple[str, ...]] = {
    "fp16": _ROCM_MATRIX,
    "bf16": _ROCM_MATRIX,
    "int8": _ROCM_MATRIX,
    "fp8": ("gfx94", "gfx95", "gfx120"),
}
CPU_WITH: dict[str, tuple[str, ...]] = {
    "fp16": ("avx512_fp16", "amx_fp16", "asimdhp"),
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"),
    "fp8": (),
}
XPU_MATRIX = "has_subgroup_matrix_multiply_accumulate"
FLOAT_DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


class Nativeness(NamedTuple):
    """Whether a device multiplies in a type, why that is said, and what was read to say so."""

    native: bool
    reason: str
    evidence: dict[str, Scalar]


def nativeness(precision: Precision, device: Device) -> Nativeness:
    """By the rules in this module; never native without evidence."""
    if precision == "fp32":
        return Nativeness(True, "", {})
    rule = {"cpu": _on_cpu, "cuda": _on_cuda, "rocm": _on_rocm, "xpu": _on_xpu}.get(device.kind)
    if rule is None:
        return Nativeness(False, f"no evidence that {device.kind} devices multiply {precision} natively", {})
    return rule(precision, torch.device(device.id).index or 0)


def carrier_dtype(device: Device) -> torch.dtype:
    """The type of everything that fp8 and int8 recipes leave alone: the narrowest native float.

    BF16 before FP16, for its range; FP32 where neither is native.
    """
    narrow: tuple[Precision, ...] = ("bf16", "fp16")
    for precision in narrow:
        if nativeness(precision, device).native:
            return FLOAT_DTYPES[precision]
    return torch.float32


def _on_cpu(precision: str, index: int) -> Nativeness:
    wanted, flags = CPU_WITH[precision], cpu_flags()
    found = [flag for flag in wanted if flag in flags]
    evidence: dict[str, Scalar] = {"cpu_flags_found": " ".join(found), "cpu_flags_wanted": " ".join(wanted)}
    if found:
        return Nativeness(True, "", evidence)
    lacking = f"the CPU has none of {', '.join(wanted)}" if wanted else "no CPU is known to have it"
    return Nativeness(False, f"no {precision} multiplication unit: {lacking}", evidence)


def _on_cuda(precision: str, index: int) -> Nativeness:
    have, need = tuple(torch.cuda.get_device_capability(index)), CUDA_SINCE[precision]
    evidence: dict[str, Scalar] = {"compute_capability": _dotted(have), "native_since": _dotted(need)}
    if have >= need:
        return Nativeness(True, "", evidence)
    reason = f"compute capability {_dotted(have)} has no {precision} matrix units, {_dotted(need)} has"
    return Nativeness(False, reason, evidence)


def _on_rocm(precision: str, index: int) -> Nativeness:
    properties: Any = torch.cuda.get_device_properties(index)
    architecture = str(properties.gcnArchName).split(":")[0]
    evidence: dict[str, Scalar] = {
        "architecture": architecture,
        "native_on": " ".join(ROCM_WITH[precision]),
    }
    if architecture.startswith(ROCM_WITH[precision]):
        return Nativeness(True, "", evidence)
    return Nativeness(False, f"no evidence that {architecture} multiplies {precision} natively", evidence)


def _on_xpu(precision: str, index: int) -> Nativeness:
    capability = torch.xpu.get_device_capability(index)
    there = capability.get(XPU_MATRIX) is True
    evidence: dict[str, Scalar] = {XPU_MATRIX: there}
    if there and precision in ("fp16", "bf16", "int8"):
        return Nativeness(True, "", evidence)
    return Nativeness(False, f"no evidence that this device multiplies {precision} natively", evidence)


def _dotted(capability: tuple[int, ...]) -> str:
    return ".".join(map(str, capability))
