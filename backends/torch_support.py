"""Whether a case can run on a device through torch, and in which sense."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from backends.torch_devices import activate
from backends.torch_facts import ProductTrace, describe
from backends.torch_flags import tf32_facts
from backends.torch_precision import FLOAT_DTYPES, TF32_SINCE, carrier_dtype, nativeness
from backends.torch_quantization import ConversionError, convert, missing_reason
from results.records import CaseSpec, Device, Phase, Precision, Scalar, Support
from workloads.base import Workload
from workloads.requests import unsuited_reason

MIN_LINEAR_SHARE = 0.9  # of a model's layers with weights, for recipes that convert linear layers
_PROBE_SIZE = 32  # torch._int_mm on CUDA wants more than 16 rows and multiples of 8
# FP8 e4m3 rounds to 3 bits: one product of normal data is off by 4 %; a wrong one by 100 %.
_MAX_PROBE_ERROR = 0.2


def judge_case(workload: Workload, case: CaseSpec, device: Device) -> Support:
    """See ``Backend.supports``; the options are already checked.

    The order is from cheap to dear: names and options, what the model is made of, what the
    device says of itself, and last a small product that is run there in the precision.

    Raises:
        RuntimeError: the device has no memory left or fails in FP32.
    """
    reason = _unsupported_reason(workload, case, device)
    if reason:
        return Support(level="unsupported", reason=reason)
    native, reason, evidence = nativeness(case.precision, device)
    evidence = {**evidence, **_fp32_evidence(case)}
    try:
        executed = probe_product(case.precision, case.phase, device)
    except ConversionError as error:
        return Support(level="unsupported", reason=str(error), evidence=evidence)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        if case.precision == "fp32" or isinstance(error, torch.OutOfMemoryError):
            raise  # every device has FP32: one that fails there is broken or full
        lines = str(error).strip().splitlines() or [""]
        refusal = f"a small {case.precision} product fails on {device.id}: {type(error).__name__}: {lines[0]}"
        return Support(level="unsupported", reason=refusal, evidence=evidence)
    evidence["probe"] = executed
    return Support(level="native" if native else "emulated", reason=reason, evidence=evidence)


def probe_product(precision: Precision, phase: Phase, device: Device) -> str:
    """Run a small product (in ``train`` with its gradients) and say what was executed.

    Raises:
        ConversionError: torchao is missing or refuses.
        RuntimeError: torch refuses, or the result is wrong.
    """
    place = activate(device)
    weight_KN = torch.randn(_PROBE_SIZE, _PROBE_SIZE, generator=torch.Generator().manual_seed(0))
    x_MK = torch.randn(_PROBE_SIZE, _PROBE_SIZE, generator=torch.Generator().manual_seed(1))
    layer = nn.Linear(_PROBE_SIZE, _PROBE_SIZE, bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight_KN.T)
    training = phase == "train"
    model = layer.to(place, FLOAT_DTYPES.get(precision, torch.float32 if training else carrier_dtype(device)))
    if precision not in FLOAT_DTYPES:
        model = convert(nn.Sequential(model), precision, phase).model
    trace = ProductTrace(place.type)
    with torch.set_grad_enabled(training), trace:
        y_MN = model(x_MK.to(place, next(model.parameters()).dtype))
        if training:
            y_MN.float().sum().backward()
    expected_MN = x_MK @ weight_KN
    error = float((y_MN.detach().float().cpu() - expected_MN).norm() / expected_MN.norm())
    if not error <= _MAX_PROBE_ERROR:
        raise RuntimeError(f"the result is off by {error:.1%}")
    facts = describe(trace, precision, tf32=False)
    if not facts["precision_honoured"]:
        raise RuntimeError(f"it runs as something else: {facts['precision_evidence']}")
    executed = ", ".join(sorted({f"{name} {dtype}" for name, dtype in trace.counts}))
    return f"{executed}: relative error {error:.1e}"


class LayerCounts(NamedTuple):
    """Layers with weights, by kind."""

    num_linear: int
    num_convolution: int


class Weightless(TorchDispatchMode):  # type: ignore[misc]
    """While entered, tensors have shapes and types but no storage, whatever device they ask for."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if "device" in named:
            named["device"] = torch.device("meta")
        return func(*args, **named)


def count_layers(workload: Workload, preset: str) -> LayerCounts:
    """What the model is made of, without computing its weights or taking their memory.

    A workload that asks for values while it builds cannot be built so, and is built for real.
    """
    try:
        with torch.device("meta"), Weightless():
            model = workload.model(preset, 0)
    except Exception:  # a value was asked for, or an operator has no shape rule
        model = workload.model(preset, 0)
    modules = list(model.modules())
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return LayerCounts(
        sum(isinstance(module, nn.Linear) for module in modules),
        sum(isinstance(module, convolutions) for module in modules),
    )


def _unsupported_reason(workload: Workload, case: CaseSpec, device: Device) -> str | None:
    reason = unsuited_reason(workload.spec, case.phase, case.precision)
    if reason:
        return reason
    return _option_reason(workload, case, device) or _recipe_reason(workload, case)


def _option_reason(workload: Workload, case: CaseSpec, device: Device) -> str | None:
    options = case.options
    if options.get("compile") and not workload.spec.exportable:
        return f"option compile: {case.workload} writes into memory that it keeps"
    if options.get("compile") and case.phase == "decode":
        return "option compile with decode: the position changes every step, so it would compile again"
    if options.get("compile") and device.kind == "cpu" and not _has_compiler():
        return "option compile on the CPU needs a C++ compiler: install g++ or set CXX"
    if options.get("tf32"):
        if case.precision != "fp32":
            return f"option tf32 changes FP32 products only, the case is {case.precision}"
        if device.kind != "cuda" or torch.cuda.get_device_capability(torch.device(device.id)) < TF32_SINCE:
            return f"option tf32: no evidence that {device.name} multiplies TF32"
    if options.get("channels_last") and not count_layers(workload, case.preset).num_convolution:
        return f"option channels_last: {case.workload} has no convolutions"
    return None


def _recipe_reason(workload: Workload, case: CaseSpec) -> str | None:
    if case.precision in FLOAT_DTYPES:
        return None
    if case.precision == "int8" and case.phase == "train":
        return "INT8 training has no standard recipe"
    reason = missing_reason()
    if reason:
        return reason
    num_linear, num_convolution = count_layers(workload, case.preset)
    total = num_linear + num_convolution
    if num_linear < MIN_LINEAR_SHARE * total or not total:
        return (
            f"torchao's {case.precision} recipe converts nn.Linear only: "
            f"{num_linear} of this model's {total} layers with weights"
        )
    return None


def _fp32_evidence(case: CaseSpec) -> dict[str, Scalar]:
    """What the case will set, beside what torch has set now."""
    if case.precision != "fp32":
        return {}
    now = tf32_facts()["float32_matmul_precision"]
    return {"tf32": bool(case.options.get("tf32", False)), "float32_matmul_precision_before": str(now)}


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++") if name)
