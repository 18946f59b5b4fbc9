"""The NVIDIA card of a torch device, asked through NVML (``nvidia-ml-py``).

Cards are found by UUID, or by PCI bus id: torch numbers what ``CUDA_VISIBLE_DEVICES`` leaves, by speed;
NVML numbers all cards, by bus. Where torch tells neither, ``harness.meters.visible_devices`` says which
card an index names, or that this cannot be known.
"""

from __future__ import annotations

import os
from typing import Any

from harness.guards.base import Unreadable
from harness.meters.visible_devices import ListedCard, visible_card
from results.records import Device, Scalar

# nvmlReturn_t
SUCCESS, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 0, 3, 4, 6
DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND, GPU_IS_LOST = 9, 12, 13, 15
INVALID_ARGUMENT = 2
# nvmlValueType_t of c_nvmlValue_t: where the value lies.
_MEMBERS = {1: "uiVal", 2: "ulVal", 3: "ullVal"}


class NvmlFault(Unreadable):
    """NVML refused; ``code`` is its nvmlReturn_t, None where it was never reached."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class NotSupported(NvmlFault):
    """The card or its driver does not have what was asked for."""


class Card:
    """Opened at first use. ``ask`` is about the whole card, ``ask_part`` about the MIG slice if it is one."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._library: Any = None
        self._handle: Any = None
        self._part: Any = None
        self._problem: Unreadable | None = None
        self.is_mig_part = False

    def open(self) -> None:
        """Find the card now; NVML may take seconds where there are many.

        Raises:
            Unreadable: NVML or the card is not to be reached.
        """
        if self._handle is not None:
            return
        if self._problem is None:
            try:
                self._find()
            except Unreadable as error:
                self._handle, self._problem = None, error
            except Exception as error:  # ctypes and a broken library raise anything
                self._handle, self._problem = None, Unreadable(str(error) or type(error).__name__)
        if self._problem is not None:
            raise self._problem.with_traceback(None)

    def ask(self, function: str, *arguments: object) -> Any:
        """Call an NVML function on the card.

        Raises:
            NotSupported: the card has no such thing.
            Unreadable: NVML or the card is not to be reached, or refuses.
        """
        self.open()
        return self._call(function, self._handle, *arguments)

    def ask_part(self, function: str, *arguments: object) -> Any:
        """Like :meth:`ask`, on the MIG slice that the device is, if it is one."""
        self.open()
        return self._call(function, self._part, *arguments)

    def ask_field(self, field: int, scope: int = 0) -> int:
        """The value of a field (``NVML_FI_*``) in a scope.

        Raises:
            NotSupported: the card has no such field, or not in this scope.
            Unreadable: NVML or the card is not to be reached, or refuses.
        """
        found = self.ask("nvmlDeviceGetFieldValues", [(field, scope)])[0]
        name = f"nvmlDeviceGetFieldValues field {field} scope {scope}"
        if found.nvmlReturn != SUCCESS:
            raise self._fault(name, self._library.NVMLError(found.nvmlReturn))
        member = _MEMBERS.get(found.valueType)
        if member is None:
            raise Unreadable(f"{name}: value of unexpected type {found.valueType}")
        return int(getattr(found.value, member))

    def uuid(self) -> str:
        """The card's own UUID, also where the device is a slice of it.

        Raises:
            Unreadable: NVML or the card is not to be reached.
        """
        return _text(self.ask("nvmlDeviceGetUUID"))

    def driver(self) -> str:
        """The driver's version.

        Raises:
            Unreadable: NVML or the card is not to be reached.
        """
        self.open()
        return _text(self._call("nvmlSystemGetDriverVersion"))

    def close(self) -> None:
        """Let NVML go, if it was opened."""
        if self._handle is not None:
            self._handle = None
            self._problem = Unreadable("NVML was closed")
            self._library.nvmlShutdown()

    def _find(self) -> None:
        try:
            import pynvml
        except Exception as error:
            raise Unreadable(f"NVML cannot be used: {error}") from error
        try:
            pynvml.nvmlInit()
        except Exception as error:
            code = getattr(error, "value", None)
            raise NvmlFault(f"NVML cannot be used: {error}", code) from error
        self._library = pynvml
        try:
            self._locate()
        except BaseException:
            pynvml.nvmlShutdown()  # counted: nobody will call close
            raise

    def _locate(self) -> None:
        details = self._device.details
        uuid, bus_id = details.get("uuid"), details.get("pci_bus_id")
        if not uuid and not bus_id:
            uuid = self._by_index()
        bare = str(uuid or "").removeprefix("GPU-").removeprefix("MIG-")
        refused: Unreadable | None = None
        for function, key in (
            ("nvmlDeviceGetHandleByUUID", f"GPU-{bare}" if bare else None),
            ("nvmlDeviceGetHandleByUUID", f"MIG-{bare}" if bare else None),
            ("nvmlDeviceGetHandleByPciBusId", bus_id),
        ):
            try:
                found = self._call(function, key) if key else None
            except NvmlFault as error:
                if error.code not in (NOT_FOUND, INVALID_ARGUMENT):  # it is there, but out of reach
                    refused = error
                continue
            if found is not None:
                self._part = found
                self.is_mig_part = str(key).startswith("MIG-")
                parent = "nvmlDeviceGetDeviceHandleFromMigDeviceHandle"
                self._handle = self._call(parent, found) if self.is_mig_part else found
                return
        raise refused or Unreadable(
            f"NVML knows no card with UUID {bare or 'unknown'} or PCI bus id {bus_id or 'unknown'}"
        )

    def _by_index(self) -> str:
        """UUID of the card that torch's index names, where that can be proven."""
        kind, _, index = self._device.id.partition(":")
        if kind != "cuda" or not (index or "0").isdecimal():
            raise Unreadable("torch tells neither UUID nor PCI bus id of the card, and the device has no index")
        cards = []
        for number in range(int(self._call("nvmlDeviceGetCount"))):
            handle = self._call("nvmlDeviceGetHandleByIndex", number)
            place = self._call("nvmlDeviceGetPciInfo", handle)
            uuid = _text(self._call("nvmlDeviceGetUUID", handle))
            cards.append(ListedCard(uuid, (int(place.domain), int(place.bus), int(place.device))))
        uuid = visible_card(int(index or "0"), os.environ, cards)
        self._check_capability(uuid, self._device.details.get("compute_capability"))
        return uuid

    def _check_capability(self, uuid: str, told: Scalar) -> None:
        """A card of another generation is surely another card."""
        if not told or uuid.startswith("MIG-"):
            return
        try:
            handle = self._call("nvmlDeviceGetHandleByUUID", uuid)
            found = ".".join(map(str, self._call("nvmlDeviceGetCudaComputeCapability", handle)))
        except NotSupported:
            return
        if found != str(told):
            raise Unreadable(
                f"torch says compute capability {told} of {self._device.id}, NVML {found} of {uuid}: "
                "the index names another card"
            )

    def _call(self, function: str, *arguments: object) -> Any:
        call = getattr(self._library, function, None)
        if call is None:
            raise NotSupported(f"this nvidia-ml-py has no {function}", FUNCTION_NOT_FOUND)
        try:
            return call(*arguments)
        except self._library.NVMLError as error:
            raise self._fault(function, error) from error

    def _fault(self, what: str, error: Exception) -> NvmlFault:
        code = getattr(error, "value", None)
        kind = NotSupported if code in (NOT_SUPPORTED, FUNCTION_NOT_FOUND) else NvmlFault
        return kind(f"{what}: {error}", code)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
