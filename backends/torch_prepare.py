"""From a case to a step: seed, build, convert, move, look at one step, compile."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from backends.base import NUM_ROTATING_BATCHES
from backends.torch_decode import DecodeStep
from backends.torch_devices import activate
from backends.torch_facts import describe, describe_inputs
from backends.torch_flags import set_inference_mode, set_tf32, tf32_facts
from backends.torch_precision import FLOAT_DTYPES, carrier_dtype
from backends.torch_quantization import ConversionError, Converted, convert
from backends.torch_steps import InferenceStep, PrefillStep, Setup, TorchStep, TrainingStep
from results.errors import ChipmarkError
from results.records import CaseSpec, Device
from workloads.base import Workload


def prepare_step(workload: Workload, case: CaseSpec, device: Device) -> TorchStep:
    """The step of a case, pristine: its first run is the first of its seed.

    Raises:
        ChipmarkError: torchao refuses the model, though it took a small layer.
    """
    set_process_state(case)
    setup, converted = build_setup(workload, case, device)
    step = make_step(setup, case)
    step.noted = _setting_facts(setup, case, converted)
    trace = step.trace()
    if trace.counts or workload.work(case.preset, case.phase, case.batch_size, case.shape).flops:
        step.noted.update(describe(trace, case.precision, tf32=bool(case.options.get("tf32"))))
    else:
        step.noted.update(describe_inputs(setup.batches[0], case.precision))
    torch.manual_seed(case.seed)  # the trace may have drawn random numbers (dropout)
    step.start()
    return step


def set_process_state(case: CaseSpec) -> None:
    """Seed, TF32, threads and gradients, for the whole process."""
    set_inference_mode(False)  # models must be built outside it
    threads = case.options.get("threads")
    if threads is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    set_tf32(bool(case.options.get("tf32", False)))
    torch.manual_seed(case.seed)


def build_setup(workload: Workload, case: CaseSpec, device: Device) -> tuple[Setup, Converted | None]:
    """The converted model and its inputs on the device.

    Training keeps FP32 weights and runs under autocast. Inference in FP32, FP16 and BF16 casts
    the whole model and its floating point inputs. FP8 and INT8 convert linear layers; all else has
    the device's narrowest native floating type (``torch_precision.carrier_dtype``).

    Raises:
        ChipmarkError: torchao refuses the model.
    """
    place = activate(device)
    model = workload.model(case.preset, case.seed)
    working = FLOAT_DTYPES.get(case.precision) or carrier_dtype(device)
    stored = torch.float32 if case.phase == "train" else working
    model = model.to(device=place, dtype=stored)
    if case.options.get("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    converted = None
    if case.precision not in FLOAT_DTYPES:
        try:
            converted = convert(model, case.precision, case.phase)
        except ConversionError as error:
            raise ChipmarkError(f"{case.label}: {error}; choose another precision") from error
        model = converted.model
    setup = Setup(
        workload=workload,
        model=model,
        place=place,
        batches=[_batch(workload, case, i, place, stored) for i in range(NUM_ROTATING_BATCHES)],
        precision=case.precision,
        autocast_dtype=working if case.phase == "train" and working != torch.float32 else None,
        compiled=bool(case.options.get("compile", False)),
    )
    return setup, converted


def make_step(setup: Setup, case: CaseSpec) -> TorchStep:
    """The step of the case's phase."""
    if case.phase == "decode":
        work = setup.workload.work(case.preset, case.phase, case.batch_size, case.shape)
        return DecodeStep(setup, work.steps)
    kinds = {"train": TrainingStep, "infer": InferenceStep, "prefill": PrefillStep}
    return kinds[case.phase](setup)


def _batch(workload: Workload, case: CaseSpec, i: int, place: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Input batch ``i``, drawn from the seed after the weights' own."""
    drawn = workload.batch(case.preset, case.phase, case.batch_size, case.shape, case.seed + 1 + i)
    batch: dict[str, Any] = {}
    for name, tensor in drawn.items():
        moved = tensor.to(place, dtype if tensor.is_floating_point() else tensor.dtype)
        if case.options.get("channels_last") and moved.dim() == 4:
            moved = moved.contiguous(memory_format=torch.channels_last)
        batch[name] = moved
    return batch


def _setting_facts(setup: Setup, case: CaseSpec, converted: Converted | None) -> dict[str, object]:
    dtypes: Counter[str] = Counter()
    for parameter in setup.model.parameters():
        dtypes[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
    facts: dict[str, object] = {
        "torch": str(torch.__version__),
        "compiled": setup.compiled,
        "traced_step": "eager, before torch.compile" if setup.compiled else "eager",
        "channels_last": bool(case.options.get("channels_last", False)),
        "threads": torch.get_num_threads(),
        "tf32": bool(case.options.get("tf32", False)),
        **tf32_facts(),
        "autocast_dtype": str(setup.autocast_dtype).removeprefix("torch.") if setup.autocast_dtype else None,
        "num_parameters": dtypes.total(),
        "parameter_dtypes": dict(dtypes),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
    }
    if converted is not None:
        facts["num_linear_layers"] = converted.num_linear
        facts["num_converted_layers"] = converted.num_converted
        facts["num_skipped_layers"] = converted.num_linear - converted.num_converted
        facts["conversion"] = _conversion_name(converted.model)
    return facts


def _conversion_name(model: nn.Module) -> str:
    from importlib.metadata import version

    from backends.torch_quantization import is_converted

    kinds = {
        type(module).__name__ if type(module) is not nn.Linear else type(module.weight).__name__
        for module in model.modules()
        if is_converted(module)
    }
    return f"torchao {version('torchao')}: {', '.join(sorted(kinds)) or 'nothing converted'}"
