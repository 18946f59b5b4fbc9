"""What runs: one family of models per module. ``REGISTRY`` finds them by name."""

from __future__ import annotations

from results.registry import Registry
from workloads.base import Workload

REGISTRY: Registry[Workload] = Registry(
    "workload",
    "chipmark.workloads",
    {
        "gemm": "workloads.gemm:Gemm",
        "image-classifier": "workloads.image_classifier:ImageClassifier",
        "llm-decoder": "workloads.llm_decoder:LlmDecoder",
        "memory-bandwidth": "workloads.memory_bandwidth:MemoryBandwidth",
        "text-encoder": "workloads.text_encoder:TextEncoder",
    },
    members=("spec", "model", "batch", "loss", "work"),
)
