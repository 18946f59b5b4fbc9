"""The hardware behind a provider, as a device record: its name, vendor, memory and versions."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from backends.gpu_driver import APIS, list_gpus
from backends.onnx_provider_row import ProviderRow, Target
from backends.onnxruntime_packages import builds_on
from backends.onnxruntime_provider import Provider
from backends.processor import cpu_name, cpu_vendor
from results.records import Device, Scalar

# In a hardware's description: a Vulkan or Direct3D adapter that computes on the CPU.
_SOFTWARE_ADAPTERS = ("llvmpipe", "lavapipe", "swiftshader", "basic render", "warp")
_RENDER_NODES = Path("/dev/dri")


def describe(runtime: ModuleType, backend: str, provider: Provider, target: Target, index: int) -> Device:
    """The record of a device.

    Args:
        runtime: the imported ``onnxruntime``.
        backend: the backend's name.
        provider: how sessions are opened on it.
        target: which hardware it is.
        index: which of several alike.
    """
    details: dict[str, Scalar] = {"execution_provider": provider.name, "version": runtime.__version__}
    details |= _packages(provider)
    if target.kind == "cpu" and not provider.hardware:
        return _on_cpu(backend, provider, details)
    if provider.hardware:
        return _of_plugin(backend, provider, target, details)
    gpus = list_gpus(target.kind)[0] if target.kind in APIS and target.suffix == "N" else []
    if index < len(gpus):
        gpu = gpus[index]
        return Device(
            id=provider.device_id, backend=backend, kind=target.kind, name=gpu.name, vendor=provider.row.vendor,
            memory_bytes=gpu.memory_bytes, details={**details, **gpu.details},
        )  # fmt: skip
    name = f"{provider.row.vendor} {target.hardware}" if provider.row.vendor != "any" else target.hardware
    vendor = None if provider.row.vendor in ("any", "Microsoft") else provider.row.vendor
    return Device(id=provider.device_id, backend=backend, kind=target.kind, name=name, vendor=vendor, details=details)


def simulator_reason(
    provider: Provider, target: Target, machine: str = platform.machine(), render_nodes: Path = _RENDER_NODES
) -> str:
    """Why the device's times are not those of the hardware that it stands for, or ``""``."""
    row = provider.row
    if row.is_cpu and target.kind == "cpu":
        return ""
    told = [_told(found) for found in provider.hardware]
    if any(kind == "CPU" for kind, _ in told):
        return f"{row.title}'s library computes on the CPU here: it only simulates {row.vendor} hardware"
    if any(word in text.lower() for _, text in told for word in _SOFTWARE_ADAPTERS):
        return f"the adapter of {row.title} is software that computes on the CPU"
    if not provider.hardware and row.short == "qnn" and machine.lower() not in ("arm64", "aarch64"):
        return f"there is no {row.vendor} hardware in a machine of type {machine}: QNN's library only simulates it"
    if not provider.hardware and row.short == "webgpu" and sys.platform == "linux" and not render_nodes.exists():
        return f"there is no GPU here ({render_nodes} is missing): the adapter is software that computes on the CPU"
    return ""


def _told(hardware: Any) -> tuple[str, str]:
    """Type of a plugin's device, and all that it says of itself."""
    device = hardware.device
    return device.type.name, " ".join((device.vendor, *map(str, device.metadata.values())))


def _on_cpu(backend: str, provider: Provider, details: dict[str, Scalar]) -> Device:
    import psutil

    return Device(
        id=provider.device_id, backend=backend, kind="cpu", name=cpu_name(), vendor=cpu_vendor(),
        memory_bytes=psutil.virtual_memory().total, details=details,
    )  # fmt: skip


def _of_plugin(backend: str, provider: Provider, target: Target, details: dict[str, Scalar]) -> Device:
    """As the plugin tells."""
    (found,) = provider.hardware
    device, metadata = found.device, dict(found.device.metadata)
    details = {**details, "hardware_type": device.type.name, "provider_vendor": found.ep_vendor}
    if device.type.name != "CPU":  # a CPU's numbers say nothing
        details |= {"vendor_id": f"{device.vendor_id:#06x}", "hardware_id": f"{device.device_id:#06x}"}
    if bus := metadata.get("pci_bus_id"):
        details["pci_bus_id"] = str(bus).lower()
    return Device(
        id=provider.device_id, backend=backend, kind=target.kind, name=_plugin_name(provider, device, metadata),
        vendor=device.vendor or None, details=details,
    )  # fmt: skip


def _plugin_name(provider: Provider, device: Any, metadata: Mapping[str, str]) -> str:
    """A simulator is not named as the CPU it runs on: tables would take it for that."""
    if device.type.name == "CPU":
        return cpu_name() if provider.row.is_cpu else f"{provider.row.title} on {cpu_name()}"
    return str(metadata.get("Description") or f"{device.vendor} {device.type.name}")


def _packages(provider: Provider) -> dict[str, Scalar]:
    """The distributions that were used: the build of ONNX Runtime, and the plugin's."""
    builds = builds_on()
    told: dict[str, Scalar] = {"package": f"{builds[0].name} {builds[0].version}"} if builds else {}
    if provider.hardware:
        told["plugin"] = _version(provider.row)
    return told


def _version(row: ProviderRow) -> str:
    try:
        return f"{row.package} {importlib.metadata.version(row.package)}"
    except importlib.metadata.PackageNotFoundError:  # a plugin that pip did not install
        return f"{row.plugin} (version unknown)"
