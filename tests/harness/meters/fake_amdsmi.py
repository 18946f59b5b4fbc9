"""A module ``amdsmi`` with the real names and return types, and the faults that were reported of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import ModuleType

STEP_UJ = ctypes.c_float(15.3).value  # the real package returns the value of a C float


STATUS = {
    2: "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported",
    10: "AMDSMI_STATUS_NO_PERM - Permission Denied",
    32: "AMDSMI_STATUS_NOT_INIT - Device not initialized",
    40: "AMDSMI_STATUS_NO_DATA - No data was found for given input",
}


class AmdSmiLibraryException(Exception):
    def __init__(self, err_code: int) -> None:
        super().__init__(err_code)
        self.err_code = err_code

    def __str__(self) -> str:  # of two lines, as the real one
        return f"Error code:\n\t{self.err_code} | {STATUS[self.err_code]}"


class AmdSmiParameterException(Exception):
    pass


class AmdSmiVirtualizationMode(IntEnum):
    UNKNOWN = 0
    BAREMETAL = 1
    HOST = 2
    GUEST = 3
    PASSTHROUGH = 4


@dataclass(eq=False)
class Card:
    """A handle. ``joules`` is its energy now; None: not supported."""

    bdf: str = "0000:03:00.0"
    hip_id: object = 0
    hip_uuid: str = "GPU-de8287300da37c72"
    market_name: str = "AMD Instinct MI300X"
    joules: Callable[[], float] | None = None
    counter_key: str = "energy_accumulator"
    power: dict[str, object] = field(default_factory=dict)
    partition: str | int | None = "SPX"  # a number is the code of an error
    virtualization: AmdSmiVirtualizationMode | int = AmdSmiVirtualizationMode.BAREMETAL  # a plain number likewise
    power_cap: object = 750_000_000
    driver: str = "6.12.12"
    lost: bool = False

    def count(self) -> int:
        assert self.joules
        return round(self.joules() * 1e6 / 15.3)


def fake_amdsmi(*cards: Card, enumeration: bool = True) -> ModuleType:
    """The module; ``enumeration``: it has what came with ROCm 6.4."""
    module = ModuleType("amdsmi")
    state = {"open": False}

    def known(handle: object) -> Card:
        if not isinstance(handle, Card):
            raise AmdSmiParameterException(handle)
        if not state["open"]:
            raise AmdSmiLibraryException(32)
        if handle.lost:
            raise AmdSmiLibraryException(40)
        return handle

    def amdsmi_init(flag: object = None) -> None:
        state["open"] = True

    def amdsmi_get_energy_count(handle: object) -> dict[str, object]:
        card = known(handle)
        if card.joules is None:
            raise AmdSmiLibraryException(2)
        return {card.counter_key: card.count(), "counter_resolution": STEP_UJ, "timestamp": 1}

    def amdsmi_get_gpu_compute_partition(handle: object) -> str:
        card = known(handle)
        if card.partition is None:
            raise AmdSmiLibraryException(2)
        if isinstance(card.partition, int):
            raise AmdSmiLibraryException(card.partition)
        return card.partition

    def amdsmi_get_gpu_virtualization_mode(handle: object) -> dict[str, object]:
        mode = known(handle).virtualization
        if not isinstance(mode, AmdSmiVirtualizationMode):
            raise AmdSmiLibraryException(mode)
        return {"mode": mode}

    def amdsmi_get_gpu_enumeration_info(handle: object) -> dict[str, object]:
        card = known(handle)
        return {"drm_render": 128, "drm_card": 0, "hsa_id": 1, "hip_id": card.hip_id, "hip_uuid": card.hip_uuid}

    def amdsmi_get_power_cap_info(handle: object) -> dict[str, object]:
        cap = known(handle).power_cap
        return {"power_cap": cap, "default_power_cap": cap, "dpm_cap": 1, "min_power_cap": 0, "max_power_cap": cap}

    for function in (
        amdsmi_init, amdsmi_get_energy_count, amdsmi_get_gpu_compute_partition, amdsmi_get_power_cap_info,
    ):  # fmt: skip
        setattr(module, function.__name__, function)
    if enumeration:
        module.amdsmi_get_gpu_enumeration_info = amdsmi_get_gpu_enumeration_info
        module.amdsmi_get_gpu_virtualization_mode = amdsmi_get_gpu_virtualization_mode
    module.amdsmi_get_processor_handles = lambda: list(cards)
    module.amdsmi_get_gpu_device_bdf = lambda handle: known(handle).bdf
    module.amdsmi_get_power_info = lambda handle: dict(known(handle).power)
    module.amdsmi_get_gpu_asic_info = lambda handle: {"market_name": known(handle).market_name}
    module.amdsmi_get_gpu_driver_info = lambda handle: {"driver_name": "amdgpu", "driver_version": known(handle).driver}
    return module
