"""Imported by the fork server: the parts of torch that every worker needs.

The server must never touch a device: a process forked after CUDA's driver was initialised cannot
use it. Importing torch alone is safe. torchao asks ``torch.cuda.is_available()`` while it is
imported, and a GPU build may load triton behind torch._dynamo, so those are left to the workers
unless this is a build of torch that has no devices at all. There they save seconds: torch._dynamo
is loaded by the first optimizer step or compiler call, torchao by the first FP8 or INT8 case, the
exporter by the first ONNX case.
"""

from __future__ import annotations

import contextlib
import importlib
import os

# Makes torch ask NVML instead of the driver whether there is a GPU ("CUDA semantics" in its notes).
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

ALWAYS = (
    "workloads.image_classifier_model",
    "workloads.llm_decoder_model",
    "workloads.text_encoder_model",
)
WITHOUT_DEVICES = (
    "torch._dynamo",
    "torch._subclasses.fake_tensor",
    "torch.utils.flop_counter",
    "torchao.quantization",
    "torchao.float8",
    "torch.onnx._internal.exporter._core",
    "backends.torch_support",
    "backends.torch_reference",
)


def has_device_code() -> bool:
    """Whether this build of torch can drive anything but the CPU."""
    import torch

    versions = (torch.version.cuda, torch.version.hip, getattr(torch.version, "xpu", None))
    return any(versions) or torch.backends.mps.is_built()


for _name in ALWAYS if has_device_code() else (*ALWAYS, *WITHOUT_DEVICES):
    with contextlib.suppress(Exception):  # the worker that needs it will say what is wrong
        importlib.import_module(_name)
