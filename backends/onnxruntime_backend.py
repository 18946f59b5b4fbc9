"""ONNX Runtime: inference of exported workloads on its execution providers.

Importing this module loads neither onnxruntime nor torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, get_args

import msgspec

from backends.onnx_flat_cache import has_flat_cache
from backends.onnx_precision_options import told
from backends.onnx_provider_row import Int8Scheme
from backends.onnx_source import INSTALL_HINT, ModelSource, source_of
from backends.onnxruntime_devices import find, provider_of
from backends.onnxruntime_error_text import refusal
from backends.onnxruntime_options import KNOWN_OPTIONS as KNOWN_OPTIONS
from backends.onnxruntime_options import check_options
from backends.onnxruntime_packages import check_single
from backends.onnxruntime_provider import Provider
from backends.onnxruntime_tuning import tuned, untunable
from results.errors import BackendUnavailable, ChipmarkError
from results.records import CaseSpec, Device, Precision, Support
from workloads.requests import unsuited_reason

if TYPE_CHECKING:
    import numpy as np

    from backends.base import MissingDevice, Step
    from workloads.base import Workload

# Builds since 1.32 start a thread that sends events about their use to their maker unless this is set before they
# are loaded (Privacy.md in the wheel). A benchmark neither talks to the network nor shares a CPU with an uploader.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# What the fork server imports once for all workers.
PRELOAD = ("onnx", "onnxscript", "backends.torch_preload", "backends.onnxruntime_preload")


class OnnxRuntimeBackend:
    """Runs the ``infer``, ``prefill`` and ``decode`` phases of workloads exported to ONNX."""

    name = "onnxruntime"

    def devices(self) -> list[Device]:
        """One device for each provider that the installed ONNX Runtime has.

        Raises:
            BackendUnavailable: ONNX Runtime cannot be imported.
        """
        runtime = _import_runtime()
        return [known.device for known in find(runtime, self.name).devices]

    def missing(self) -> list[MissingDevice]:
        """The providers that cannot be used here, and what they lack; ``TellsMissing``.

        Raises:
            BackendUnavailable: ONNX Runtime cannot be imported.
        """
        return list(find(_import_runtime(), self.name).missing)

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
        if case.phase == "decode" and not workload.spec.exports_cache:
            reason = f"the model of {case.workload} does not offer its key/value cache as inputs of a graph"
            return Support(level="unsupported", reason=reason)
        provider = tuned(provider_of(_import_runtime(), device), case.options)
        if reason := untunable(provider, case.options):
            return Support(level="unsupported", reason=reason)
        place, graph_precision = told(provider, case.precision)
        if reason := _source(workload, case, graph_precision).lacks():
            return Support(level="unsupported", reason=reason)
        found = _probe(case.precision, place, graph_precision)
        if found.level != "unsupported" and graph_precision == "bf16" and has_flat_cache(workload, case.phase):
            reason = "chipmark cannot hold a key/value cache of BF16 for ONNX Runtime yet"
            return Support(level="unsupported", reason=reason)
        return found

    def prepare(self, workload: Workload, case: CaseSpec, device: Device) -> Step:
        """Export (or load from the cache), quantize for INT8, open and audit the session.

        Raises:
            UsageError: an option is unknown or has a wrong value.
            BackendUnavailable: ONNX Runtime cannot be imported.
            ChipmarkError: the model cannot be exported, or the device does not open it.
        """
        check_options(case.options)
        runtime = _import_runtime()
        from backends.onnxruntime_session import open_step

        provider, graph_precision = told(tuned(provider_of(runtime, device), case.options), case.precision)
        source = _source(workload, case, graph_precision)
        support = _probe(case.precision, provider, graph_precision)
        scheme = _int8_scheme(provider, support) if graph_precision == "int8" else None
        with source.model(scheme) as entry:
            batches = source.batches()
            try:
                return open_step(case, provider, entry, batches, _step_flops(workload, case), support)
            except (ChipmarkError, MemoryError):
                raise
            except Exception as error:  # the binding raises its own types, one per status code
                raise refusal(provider.device_id, error) from error

    def reference(
        self, workload: Workload, case: CaseSpec, device: Device
    ) -> tuple[str, Mapping[str, np.ndarray]] | None:
        """FP32 outputs on the inputs of the first steps."""
        _, graph_precision = told(tuned(provider_of(_import_runtime(), device), case.options), case.precision)
        return _source(workload, case, graph_precision).reference()


def _source(workload: Workload, case: CaseSpec, graph_precision: Precision) -> ModelSource:
    """Of the graph that is to be run, which may be one of another precision than the case's."""
    return source_of(workload, msgspec.structs.replace(case, precision=graph_precision))


def _step_flops(workload: Workload, case: CaseSpec) -> float | None:
    work = workload.work(case.preset, case.phase, case.batch_size, case.shape)
    return work.flops / work.steps or None


def _import_runtime() -> ModuleType:
    check_single()
    try:
        import onnxruntime
    except Exception as error:  # a wheel for another system may raise anything
        reason = f"onnxruntime cannot be imported ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise BackendUnavailable(reason, INSTALL_HINT) from error
    runtime: ModuleType = onnxruntime
    return runtime


def _int8_scheme(provider: Provider, support: Support) -> Int8Scheme:
    """As the probe found it where it had to look; compilers of NPUs take their time."""
    from backends.onnxruntime_int8 import int8_scheme

    found = support.evidence.get("scheme")
    return next((scheme for scheme in get_args(Int8Scheme) if scheme == found), None) or int8_scheme(provider)


_probes: dict[tuple[object, ...], Support] = {}


def _probe(precision: Precision, provider: Provider, graph_precision: Precision) -> Support:
    """What a small graph is executed with; asked once a process."""
    from backends.onnxruntime_precision import probe

    key = (precision, graph_precision, provider.device_id, provider.name, *sorted(provider.options.items()))
    if key not in _probes:
        _probes[key] = probe(precision, provider, graph_precision=graph_precision)
    return _probes[key]
