"""The devices of the ONNX Runtime that is installed: one for each provider and hardware device."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from backends.base import MissingDevice
from backends.gpu_driver import APIS, list_gpus
from backends.onnx_provider_row import ProviderRow, Target
from backends.onnx_providers import BY_NAME, ROWS
from backends.onnxruntime_hardware import describe, simulator_reason
from backends.onnxruntime_missing import cannot_use, not_installed, unknown_provider
from backends.onnxruntime_plugins import hardware_of, is_installed, register, registered
from backends.onnxruntime_presence import library_problem, session_problem
from backends.onnxruntime_provider import Provider
from results.errors import UsageError, did_you_mean
from results.records import Device

# Providers that compute nothing here.
_IGNORED = ("AzureExecutionProvider",)
_MOST_INDEXED = 16  # devices of a provider that no driver lists


@dataclass(frozen=True)
class OrtDevice:
    """A device and how a session is opened on it."""

    device: Device
    provider: Provider


@dataclass(frozen=True)
class Found:
    """What is here, best first, and what is not."""

    devices: tuple[OrtDevice, ...]
    missing: tuple[MissingDevice, ...]


@functools.cache
def find(runtime: ModuleType, backend: str) -> Found:
    """What the imported ``onnxruntime`` can run on here; asked once a process, for it loads libraries.

    Plugin providers are registered by this, so it must never be called in the fork server.
    """
    return scan(runtime, backend, ROWS)


def scan(runtime: ModuleType, backend: str, rows: Iterable[ProviderRow]) -> Found:
    """As :func:`find`, for these rows and without remembering."""
    built_in = [name for name in runtime.get_available_providers() if name not in registered()]
    results = [known for row in rows for known in _of_row(runtime, backend, row, row.name in built_in)]
    unknown = [unknown_provider(name) for name in built_in if name not in BY_NAME and name not in _IGNORED]
    devices = [known for known in results if isinstance(known, OrtDevice)]
    missing = [known for known in results if isinstance(known, MissingDevice)]
    return Found(tuple(sorted(devices, key=_rank)), (*missing, *unknown))


def provider_of(runtime: ModuleType, device: Device) -> Provider:
    """The provider behind ``device``.

    Raises:
        UsageError: no such device here, and why, where that is known.
    """
    found = find(runtime, device.backend)
    known = {here.device.id: here.provider for here in found.devices}
    if device.id in known:
        return known[device.id]
    why = next((f": {lost.reason}" for lost in found.missing if lost.device == device.id), "")
    raise UsageError(f"onnxruntime: unknown device {device.id!r}{why or did_you_mean(device.id, known)}")


def _rank(known: OrtDevice) -> tuple[bool, bool, bool]:
    """Own hardware first, then the CPU provider, then other providers for CPUs; simulators last."""
    device = known.device
    return bool(device.details.get("functional_only")), device.kind == "cpu" and device.id != "cpu", device.id == "cpu"


def _of_row(runtime: ModuleType, backend: str, row: ProviderRow, built_in: bool) -> Iterator[OrtDevice | MissingDevice]:
    if built_in:
        if problem := library_problem(runtime, row):
            yield cannot_use(row, "", problem)
            return
        for target in row.targets:
            yield from _of_target(runtime, backend, row, target)
    elif is_installed(row):
        yield from _of_plugin(runtime, backend, row)
    else:
        yield not_installed(row)


def _of_target(
    runtime: ModuleType, backend: str, row: ProviderRow, target: Target
) -> Iterator[OrtDevice | MissingDevice]:
    """The devices of a provider that was built in."""
    if target.suffix != "N":
        suffix = f":{target.suffix}" if target.suffix else ""
        provider = Provider(row.name, row.short + suffix, target.kind, row, target.options)
        problem = "" if row.name == "CPUExecutionProvider" else _problem(runtime, provider)
        yield cannot_use(row, target.suffix, problem) if problem else _device(runtime, backend, provider, target)
    elif target.kind in APIS:  # listed by the driver, without a context on each
        gpus, problem = list_gpus(target.kind)
        if problem:
            yield cannot_use(row, "", problem)
        for index in range(len(gpus)):
            yield _device(runtime, backend, _indexed(row, target, index), target, index)
    else:
        yield from _of_indices(runtime, backend, row, target)


def _of_indices(
    runtime: ModuleType, backend: str, row: ProviderRow, target: Target
) -> Iterator[OrtDevice | MissingDevice]:
    """Devices 0, 1, ... until one cannot be opened: no driver lists them."""
    for index in range(_MOST_INDEXED):
        provider = _indexed(row, target, index)
        if problem := _problem(runtime, provider):
            if index == 0:
                yield cannot_use(row, "", problem)
            return
        yield _device(runtime, backend, provider, target, index)


def _indexed(row: ProviderRow, target: Target, index: int) -> Provider:
    options = {name: value.format(N=index) for name, value in target.options.items()}
    return Provider(row.name, f"{row.short}:{index}", target.kind, row, options)


def _problem(runtime: ModuleType, provider: Provider) -> str:
    # Where options choose the hardware, only a node that is on it tells whether they did.
    return session_problem(runtime, provider, needs_node=len(provider.row.targets) > 1)


def _of_plugin(runtime: ModuleType, backend: str, row: ProviderRow) -> Iterator[OrtDevice | MissingDevice]:
    if problem := register(runtime, row):
        yield cannot_use(row, "", problem)
        return
    offered = hardware_of(runtime, row)
    counts: dict[str, int] = {}
    for hardware in offered:
        target = _target_of(row, hardware)
        index = counts.get(target.suffix, 0)
        counts[target.suffix] = index + 1
        name = str(index) if target.suffix == "N" else target.suffix + (f".{index}" if index else "")
        provider = Provider(row.name, f"{row.short}:{name}", target.kind, row, target.plugin_options, (hardware,))
        yield _device(runtime, backend, provider, target, index)
    if not offered:
        yield cannot_use(row, "", "its library loads, but offers no device here")


def _target_of(row: ProviderRow, hardware: Any) -> Target:
    """The row's target of this type of hardware, else its first: what a simulator stands for."""
    kind = hardware.device.type.name
    return next((target for target in row.targets if target.hardware == kind), row.targets[0])


def _device(runtime: ModuleType, backend: str, provider: Provider, target: Target, index: int = 0) -> OrtDevice:
    device = describe(runtime, backend, provider, target, index)
    if reason := simulator_reason(provider, target):
        device.details["functional_only"] = reason
    software = [str(device.details[name]) for name in ("package", "plugin", "version") if device.details.get(name)]
    identity = ", ".join((device.name, *software))
    return OrtDevice(device, dataclasses.replace(provider, identity=identity))
