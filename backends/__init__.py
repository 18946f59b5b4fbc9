"""Where workloads run. ``REGISTRY`` finds backends by name."""

from __future__ import annotations

from backends.base import Backend
from results.registry import Registry

REGISTRY: Registry[Backend] = Registry(
    "backend",
    "chipmark.backends",
    {
        "onnxruntime": "backends.onnxruntime_backend:OnnxRuntimeBackend",
        "torch": "backends.torch_backend:TorchBackend",
    },
    members=("name", "devices", "supports", "prepare", "reference"),
)
