"""Where the model, the inputs and the reference of an ONNX case come from.

Exported on the spot with torch, or read from a bundle that was exported elsewhere.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from backends.base import NUM_ROTATING_BATCHES
from backends.bundle_format import given_bundle
from results.records import CaseSpec
from workloads.base import Workload

if TYPE_CHECKING:
    from backends.onnx_cache import CacheEntry
    from backends.onnx_provider_row import Int8Scheme

INSTALL_HINT = 'install it with: pip install "chipmark[torch,onnx]"'
EXPORT_PACKAGES = ("torch", "onnx", "onnxscript")

Arrays = Mapping[str, np.ndarray]


class ModelSource(Protocol):
    """Four members, each for one case."""

    def lacks(self) -> str:
        """Why the case cannot be had from this source, or ""."""

    def model(self, scheme: Int8Scheme | None) -> CacheEntry:
        """The model; ``scheme`` for INT8 only. Use the entry as a context manager."""

    def batches(self) -> list[Arrays]:
        """The inputs by name, one mapping for each of ``NUM_ROTATING_BATCHES``."""

    def reference(self) -> tuple[str, Arrays]:
        """See ``Backend.reference``: FP32 outputs on the same inputs, and what they were computed with."""


class ExportedHere:
    """Exports with the torch that is installed."""

    def __init__(self, workload: Workload, case: CaseSpec) -> None:
        self._workload, self._case = workload, case

    def lacks(self) -> str:
        """The packages that exporting needs and that are not installed."""
        return missing_packages()

    def model(self, scheme: Int8Scheme | None) -> CacheEntry:
        """See ``ModelSource``."""
        from backends.onnx_export import exported_model
        from backends.onnx_quantize import FP8, quantized_model

        if self._case.precision == "fp8":
            return quantized_model(self._workload, self._case, FP8)
        if scheme is not None:
            return quantized_model(self._workload, self._case, scheme)
        return exported_model(self._workload, self._case)

    def batches(self) -> list[Arrays]:
        """See ``ModelSource``."""
        from backends.onnx_export import inputs_of

        first = self._case.seed + 1
        seeds = range(first, first + NUM_ROTATING_BATCHES)
        return [{n: x.numpy() for n, x in inputs_of(self._workload, self._case, seed).items()} for seed in seeds]

    def reference(self) -> tuple[str, Arrays]:
        """FP32 outputs of eager torch on the CPU."""
        from backends import torch_reference

        outputs = torch_reference.reference_outputs(self._workload, self._case, "cpu")
        return "torch eager fp32 on cpu", outputs


def missing_packages() -> str:
    """Which packages exporting needs that are not installed, or ""."""
    missing = [name for name in EXPORT_PACKAGES if importlib.util.find_spec(name) is None]
    return f"exporting needs {' and '.join(missing)}; {INSTALL_HINT}" if missing else ""


def source_of(workload: Workload, case: CaseSpec) -> ModelSource:
    """The source of ``case``: the bundle that the run was given, else what is installed here.

    Raises:
        BundleError: the bundle cannot be read.
    """
    opened = given_bundle()
    if opened is not None:
        from backends.bundle_source import BundleSource

        return BundleSource(opened, case, workload.work(case.preset, case.phase, case.batch_size, case.shape))
    return ExportedHere(workload, case)
