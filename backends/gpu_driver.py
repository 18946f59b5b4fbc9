"""The GPUs that a driver lists, asked without opening a context on any: CUDA's driver and HIP's runtime.

Both honour their variables for visible devices, so that index n is what a provider's ``device_id`` n means.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from results.records import Scalar


@dataclass(frozen=True)
class Api:
    """The functions of one driver; all return 0 for success.

    Attributes:
        libraries: names of its library by ``sys.platform``.
        init: (flags) -> status.
        count: (int *count).
        name: (char *name, int length, int device).
        memory: (size_t *bytes, int device).
        bus: (char *pci, int length, int device).
        attribute: (int *value, int attribute, int device).
        attributes: details -> numbers of the attributes that make them, joined by dots.
    """

    libraries: Mapping[str, str]
    init: str
    count: str
    name: str
    memory: str
    bus: str
    attribute: str
    attributes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


# Numbers: CUdevice_attribute in cuda.h (75, 76: compute capability; 16: multiprocessors).
CUDA = Api(
    libraries={"linux": "libcuda.so.1", "win32": "nvcuda.dll"},
    init="cuInit",
    count="cuDeviceGetCount",
    name="cuDeviceGetName",
    memory="cuDeviceTotalMem_v2",
    bus="cuDeviceGetPCIBusId",
    attribute="cuDeviceGetAttribute",
    attributes={"compute_capability": (75, 76), "multi_processor_count": (16,)},
)
HIP = Api(
    libraries={"linux": "libamdhip64.so", "win32": "amdhip64.dll"},
    init="hipInit",
    count="hipGetDeviceCount",
    name="hipDeviceGetName",
    memory="hipDeviceTotalMem",
    bus="hipDeviceGetPCIBusId",
    attribute="hipDeviceGetAttribute",
)
APIS = {"cuda": CUDA, "rocm": HIP}  # by kind of device


@dataclass(frozen=True)
class Gpu:
    """One GPU; ``details`` as ``Device.details`` names them."""

    name: str
    memory_bytes: int
    details: Mapping[str, Scalar]


def list_gpus(kind: str) -> tuple[list[Gpu], str]:
    """The GPUs of this kind in the driver's order, and why there are none (``""`` if there are).

    Args:
        kind: a key of ``APIS``.
    """
    api = APIS[kind]
    library = api.libraries.get(sys.platform)
    if library is None:
        return [], f"{kind} has no driver for this system"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return [], f"the driver is missing ({library} cannot be loaded)"
    count = ctypes.c_int()
    status = getattr(driver, api.init)(0) or getattr(driver, api.count)(ctypes.byref(count))
    if status:
        return [], f"the driver finds no device ({api.init} says {status})"
    return [_gpu(driver, api, index) for index in range(count.value)], "" if count.value else "the driver lists no GPU"


def _gpu(driver: ctypes.CDLL, api: Api, index: int) -> Gpu:
    memory = ctypes.c_size_t()
    getattr(driver, api.memory)(ctypes.byref(memory), index)
    details: dict[str, Scalar] = {"pci_bus_id": _text(driver, api.bus, index).lower()}
    for name, numbers in api.attributes.items():
        values = [_attribute(driver, api, number, index) for number in numbers]
        details[name] = values[0] if len(values) == 1 else ".".join(map(str, values))
    return Gpu(_text(driver, api.name, index), memory.value, details)


def _text(driver: ctypes.CDLL, function: str, index: int) -> str:
    buffer = ctypes.create_string_buffer(256)
    getattr(driver, function)(buffer, len(buffer), index)
    return buffer.value.decode(errors="replace")


def _attribute(driver: ctypes.CDLL, api: Api, number: int, index: int) -> int:
    value = ctypes.c_int()
    getattr(driver, api.attribute)(ctypes.byref(value), number, index)
    return value.value
