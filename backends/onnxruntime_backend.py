"""ONNX Runtime: inference of exported workloads on its execution providers.

Importing this module loads neither onnxruntime nor torch. Another provider is one more row of
``PROVIDERS``.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from results.errors import BackendUnavailable, UsageError, did_you_mean
from results.records import CaseSpec, Device, Precision, Scalar, Support
from workloads.requests import unsuited_reason

if TYPE_CHECKING:
    import numpy as np

    from backends.base import Step
    from backends.onnxruntime_session import Provider
    from workloads.base import Workload

# Builds since 1.32 start a thread that sends events about their use to their maker unless this is set before they
# are loaded (Privacy.md in the wheel). A benchmark neither talks to the network nor shares a CPU with an uploader.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

INSTALL_HINT = 'install it with: pip install "chipmark[torch,onnx]"'
KNOWN_OPTIONS: dict[str, type] = {
    "graph_optimization": str,  # how far ONNX Runtime rewrites the graph: all, extended, basic, off
    "threads": int,  # CPU threads within one operator; default: one per physical core
}
# What the fork server imports once for all workers.
PRELOAD = (
    "onnxruntime",
    "onnxruntime.quantization",
    "onnx",
    "onnxscript",
    "backends.torch_preload",
    "backends.onnx_quantize",
    "backends.onnxruntime_session",
)
GRAPH_OPTIMIZATIONS = ("all", "extended", "basic", "off")
# ONNX Runtime's provider -> our device id and kind.
PROVIDERS: dict[str, tuple[str, str]] = {"CPUExecutionProvider": ("cpu", "cpu")}
_EXPORT_PACKAGES = ("torch", "onnx", "onnxscript")


class OnnxRuntimeBackend:
    """Runs the ``infer`` and ``prefill`` phases of workloads exported to ONNX."""

    name = "onnxruntime"

    def devices(self) -> list[Device]:
        """One device for each provider that the installed ONNX Runtime has.

        Raises:
            BackendUnavailable: ONNX Runtime cannot be imported.
        """
        import psutil

        runtime = _import_runtime()
        from backends.processor import cpu_name

        return [
            Device(
                id=device_id,
                backend=self.name,
                kind=kind,
                name=cpu_name(),
                memory_bytes=psutil.virtual_memory().total,
                details={"execution_provider": provider, "version": runtime.__version__},
            )
            for provider, (device_id, kind) in PROVIDERS.items()
            if provider in runtime.get_available_providers()
        ]

    def supports(self, workload: Workload, case: CaseSpec, device: Device) -> Support:
        """By phase, by installed packages, then by what a small graph is executed with.

        Raises:
            UsageError: an option is unknown or has a wrong value.
            BackendUnavailable: ONNX Runtime cannot be imported.
        """
        check_options(case.options)
        reason = unsuited_reason(workload.spec, case.phase, case.precision)
        if not reason and not workload.spec.exportable:
            reason = f"{case.workload} writes into memory that it keeps, which a graph cannot"
        if reason:
            return Support(level="unsupported", reason=reason)
        if case.phase == "train":
            reason = "ONNX Runtime training is discontinued: inference only"
            return Support(level="unsupported", reason=reason)
        if case.phase == "decode":
            reason = "decoding in ONNX needs the key/value cache as graph inputs, which is not built yet"
            return Support(level="unsupported", reason=reason)
        _import_runtime()
        missing = [name for name in _EXPORT_PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            reason = f"exporting needs {' and '.join(missing)}; {INSTALL_HINT}"
            return Support(level="unsupported", reason=reason)
        return _probe(case.precision, _provider_of(device).name)

    def prepare(self, workload: Workload, case: CaseSpec, device: Device) -> Step:
        """Export (or load from the cache), quantize for INT8, open and audit the session.

        Raises:
            UsageError: an option is unknown or has a wrong value.
            BackendUnavailable: ONNX Runtime cannot be imported.
            ChipmarkError: the model cannot be exported.
        """
        check_options(case.options)
        _import_runtime()
        from backends.onnx_export import exported_model
        from backends.onnx_quantize import quantized_model
        from backends.onnxruntime_precision import int8_scheme
        from backends.onnxruntime_session import make_session, open_step

        provider = _provider_of(device)
        if case.precision == "int8":
            scheme = int8_scheme(functools.partial(make_session, provider=provider))
            entry = quantized_model(workload, case, scheme)
        else:
            entry = exported_model(workload, case)
        with entry:
            return open_step(workload, case, provider, entry)

    def reference(
        self, workload: Workload, case: CaseSpec, device: Device
    ) -> tuple[str, Mapping[str, np.ndarray]] | None:
        """FP32 outputs of eager torch on the CPU, on the inputs of step 0."""
        from backends import torch_reference

        return "torch eager fp32 on cpu", torch_reference.reference_outputs(workload, case, "cpu")


def check_options(options: Mapping[str, Scalar]) -> None:
    """Accept known options with sensible values.

    Raises:
        UsageError: which option is wrong and what it takes.
    """
    for name, value in options.items():
        if name not in KNOWN_OPTIONS:
            raise UsageError(f"onnxruntime: unknown option {name!r}{did_you_mean(name, KNOWN_OPTIONS)}")
        if name == "threads" and (type(value) is not int or value < 1):
            raise UsageError(f"onnxruntime: option threads must be a whole number of 1 or more, not {value!r}")
        if name == "graph_optimization" and value not in GRAPH_OPTIMIZATIONS:
            takes = ", ".join(GRAPH_OPTIMIZATIONS)
            raise UsageError(f"onnxruntime: option graph_optimization must be one of {takes}, not {value!r}")


def _import_runtime() -> ModuleType:
    try:
        import onnxruntime
    except Exception as error:  # a wheel for another system may raise anything
        reason = f"onnxruntime cannot be imported ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise BackendUnavailable(reason, INSTALL_HINT) from error
    runtime: ModuleType = onnxruntime
    return runtime


def _provider_of(device: Device) -> Provider:
    from backends.onnxruntime_session import Provider

    for name, (device_id, kind) in PROVIDERS.items():
        if device.id == device_id:
            return Provider(name, device_id, kind)
    known = [device_id for device_id, _ in PROVIDERS.values()]
    raise UsageError(f"onnxruntime: unknown device {device.id!r}{did_you_mean(device.id, known)}")


@functools.cache
def _probe(precision: Precision, provider_name: str) -> Support:
    from backends.onnxruntime_precision import probe
    from backends.onnxruntime_session import Provider, make_session

    device_id, kind = PROVIDERS[provider_name]
    provider = Provider(provider_name, device_id, kind)
    return probe(precision, functools.partial(make_session, provider=provider))
