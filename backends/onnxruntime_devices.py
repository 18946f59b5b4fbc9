"""The devices of the ONNX Runtime that is installed: one for each provider and hardware device."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from backends.onnx_provider_row import ProviderRow
from backends.onnx_providers import CPU
from backends.onnxruntime_provider import Provider
from results.errors import UsageError, did_you_mean
from results.records import Device

# The rows whose devices are found so far.
FOUND: tuple[ProviderRow, ...] = (CPU,)


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
                id=row.short,
                backend=backend,
                kind=row.targets[0].kind,
                name=cpu_name(),
                memory_bytes=psutil.virtual_memory().total,
                details={"execution_provider": row.name, "version": runtime.__version__},
            ),
            Provider(row.name, row.short, row.targets[0].kind, row),
        )
        for row in FOUND
        if row.name in runtime.get_available_providers()
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
