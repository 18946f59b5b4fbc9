"""The devices torch can run on, and how to wait for them, time them and ask for their memory."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any

import torch

from backends.cache_size import accelerator_cache_bytes, cpu_cache_bytes
from backends.processor import CPUINFO, cpu_name, cpu_vendor, read_cpuinfo
from results.records import Device, Scalar

_CPUINFO = CPUINFO
_ACCELERATOR_VENDORS = {"cuda": "NVIDIA", "rocm": "AMD", "xpu": "Intel", "mps": "Apple"}
# Flags that decide which types a CPU multiplies (see ``torch_precision``), in either system's words.
_SHOWN_CPU_FLAGS = (
    "avx2", "avx512_f", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni", "amx_bf16",
    "amx_fp16", "amx_int8", "bf16", "asimdhp", "fphp", "i8mm", "asimddp", "sve",
)  # fmt: skip


def list_devices(backend: str) -> list[Device]:
    """The accelerators, by index, then the CPU."""
    devices = []
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        devices = [_accelerator(backend, kind, i) for i in range(torch.accelerator.device_count())]
    return [*devices, _cpu(backend)]


def activate(device: Device) -> torch.device:
    """The torch device of ``device``, made current so that events and allocations land on it."""
    place = torch.device(device.id)
    if place.type != "cpu" and place.index is not None:
        torch.accelerator.set_device_index(place.index)
    return place


def waiter(place: torch.device) -> Callable[[], None]:
    """A function that blocks until the device is done; torch runs CPU operators synchronously."""
    if place.type == "cpu":  # torch.accelerator.synchronize raises there
        return lambda: None
    return functools.partial(torch.accelerator.synchronize, place)


class EventTimer:
    """A :class:`backends.base.DeviceTimer` over ``torch.Event``, for one device."""

    name = "torch.Event"

    def __init__(self, place: torch.device) -> None:
        self._place, self._events = place, [torch.Event(device=place, enable_timing=True)]
        self._events.clear()  # the first was made to fail here, and not in a timed loop

    def mark(self) -> None:
        """See ``DeviceTimer``."""
        event = torch.Event(device=self._place, enable_timing=True)
        event.record()
        self._events.append(event)

    def elapsed_ns(self) -> list[int]:
        """See ``DeviceTimer``. Event times are milliseconds in single precision."""
        if self._events:
            self._events[-1].synchronize()
        pairs = zip(self._events, self._events[1:], strict=False)
        elapsed = [round(first.elapsed_time(second) * 1e6) for first, second in pairs]
        self._events.clear()
        return elapsed


def event_timer(place: torch.device) -> EventTimer | None:
    """A timer, or None where torch has no timed events (CPU, some accelerators)."""
    if place.type == "cpu":
        return None
    try:
        return EventTimer(place)
    except (RuntimeError, NotImplementedError):
        return None


def peak_memory_bytes(place: torch.device) -> int | None:
    """Most bytes torch's allocator had handed out at once since the last reset, if it counts them."""
    read = getattr(_device_module(place), "max_memory_allocated", None)
    return int(read(place)) if read is not None else None


def release_memory(place: torch.device) -> None:
    """Give cached memory back and begin a new peak."""
    module = _device_module(place)
    for name, arguments in (("empty_cache", ()), ("reset_peak_memory_stats", (place,))):
        if hasattr(module, name):
            getattr(module, name)(*arguments)


def cpu_flags() -> frozenset[str]:
    """The CPU's instruction set extensions: torch's word for them on x86, else the system's too."""
    read = getattr(torch.cpu, "get_capabilities", None)  # absent before torch 2.10
    known = {name for name, there in (read() if read else {}).items() if there is True}
    if known and platform.machine().lower() in ("x86_64", "amd64"):
        return frozenset(known)
    info = read_cpuinfo(_CPUINFO)
    return frozenset(known | set(f"{info.get('flags', '')} {info.get('Features', '')}".split()))


def _device_module(place: torch.device) -> Any:
    return None if place.type == "cpu" else torch.get_device_module(place)


def _accelerator(backend: str, device_type: str, index: int) -> Device:
    kind = "rocm" if device_type == "cuda" and torch.version.hip else device_type
    module = torch.get_device_module(device_type)
    properties: Any = None
    if hasattr(module, "get_device_properties"):
        properties = module.get_device_properties(index)
    memory = getattr(properties, "total_memory", None)
    if memory is None and hasattr(module, "recommended_max_memory"):
        memory = module.recommended_max_memory()  # MPS: the share of unified memory for the GPU
    return Device(
        id=device_type if device_type == "mps" else f"{device_type}:{index}",
        backend=backend,
        kind=kind,
        name=_accelerator_name(kind, properties),
        vendor=_ACCELERATOR_VENDORS.get(kind),
        memory_bytes=memory,
        details=_accelerator_details(kind, index, properties),
    )


def _accelerator_name(kind: str, properties: Any) -> str:
    named = getattr(properties, "name", None)
    if not named and kind == "mps":
        read = getattr(torch.backends.mps, "get_name", None)
        named = read() if read else f"{platform.processor()} GPU"
    return str(named or kind)


def _accelerator_details(kind: str, index: int, properties: Any) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {"torch": str(torch.__version__)}
    if kind == "cuda":
        details["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability(index)))
        details["cuda"] = torch.version.cuda
    elif kind == "rocm":
        details["architecture"] = getattr(properties, "gcnArchName", None)
        details["rocm"] = torch.version.hip
    for name in ("uuid", "multi_processor_count", "driver_version"):
        if hasattr(properties, name):
            value = getattr(properties, name)
            details[name] = value if isinstance(value, int) else str(value)
    if all(hasattr(properties, f"pci_{part}_id") for part in ("domain", "bus", "device")):
        # As NVML and lspci write it; CUDA tells no function number, and it is 0.
        domain, bus, slot = properties.pci_domain_id, properties.pci_bus_id, properties.pci_device_id
        details["pci_bus_id"] = f"{domain:04x}:{bus:02x}:{slot:02x}.0"
    details["last_level_cache_bytes"] = accelerator_cache_bytes(kind, properties)
    return details


def _cpu(backend: str) -> Device:
    import psutil

    flags = cpu_flags()
    return Device(
        id="cpu",
        backend=backend,
        kind="cpu",
        name=cpu_name(_CPUINFO),
        vendor=cpu_vendor(_CPUINFO),
        memory_bytes=psutil.virtual_memory().total,
        details={
            "torch": str(torch.__version__),
            "architecture": platform.machine(),
            "flags": " ".join(flag for flag in _SHOWN_CPU_FLAGS if flag in flags),
            "last_level_cache_bytes": cpu_cache_bytes(),
        },
    )
