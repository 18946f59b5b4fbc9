"""The devices of the ONNX Runtime that is installed: one for each provider and hardware device."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from backends.onnxruntime_provider import Provider
from results.errors import UsageError, did_you_mean
from results.records import Device

# ONNX Runtime's provider -> our device id and kind.
PROVIDERS: dict[str, tuple[str, str]] = {"CPUExecutionProvider": ("cpu", "cpu")}


@dataclass(frozen=True)
class OrtDevice:
    """A device and how a session is opened on it."""

    device: Device
    provider: Provider


def list_devices(runtime: ModuleType, backend: str) -> list[OrtDevice]:
    """What the imported ``onnxruntime`` can run on here."""
    import psutil

    from backends.processor import cpu_name

    return [
        OrtDevice(
            Device(
                id=device_id,
                backend=backend,
                kind=kind,
                name=cpu_name(),
                memory_bytes=psutil.virtual_memory().total,
                details={"execution_provider": name, "version": runtime.__version__},
            ),
            Provider(name, device_id, kind),
        )
        for name, (device_id, kind) in PROVIDERS.items()
        if name in runtime.get_available_providers()
    ]


def provider_of(runtime: ModuleType, device: Device) -> Provider:
    """The provider behind ``device``.

    Raises:
        UsageError: no such device here.
    """
    found = {known.device.id: known.provider for known in list_devices(runtime, device.backend)}
    if device.id not in found:
        raise UsageError(f"onnxruntime: unknown device {device.id!r}{did_you_mean(device.id, found)}")
    return found[device.id]
