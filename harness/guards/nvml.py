"""The NVIDIA card of a torch device, asked through NVML (``nvidia-ml-py``).

Cards are found by UUID, or by PCI bus id, never by index: torch numbers what ``CUDA_VISIBLE_DEVICES``
leaves, by speed; NVML numbers all cards, by bus.
"""

from __future__ import annotations

from typing import Any

from harness.guards.base import Unreadable
from results.records import Device


class NotSupported(Unreadable):
    """The card or its driver does not have what was asked for."""


class Card:
    """Opened at first use. ``ask`` is about the whole card, ``ask_part`` about the MIG slice if it is one."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._library: Any = None
        self._handle: Any = None
        self._part: Any = None
        self._problem: str | None = None
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
            except Exception as error:  # ctypes and a broken library raise anything
                self._handle = None
                self._problem = str(error) or type(error).__name__
        if self._problem is not None:
            raise Unreadable(self._problem)

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
            self._problem = "NVML was closed"
            self._library.nvmlShutdown()

    def _find(self) -> None:
        details = self._device.details
        uuid, bus_id = details.get("uuid"), details.get("pci_bus_id")
        if not uuid and not bus_id:
            raise Unreadable("torch tells neither UUID nor PCI bus id of the card, and an index may name another")
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception as error:
            raise Unreadable(f"NVML cannot be used: {error}") from error
        self._library = pynvml
        bare = str(uuid or "").removeprefix("GPU-").removeprefix("MIG-")
        for function, key in (
            ("nvmlDeviceGetHandleByUUID", f"GPU-{bare}" if bare else None),
            ("nvmlDeviceGetHandleByUUID", f"MIG-{bare}" if bare else None),
            ("nvmlDeviceGetHandleByPciBusId", bus_id),
        ):
            try:
                found = self._call(function, key) if key else None
            except Unreadable:
                continue
            if found is not None:
                self._part = found
                self.is_mig_part = str(key).startswith("MIG-")
                parent = "nvmlDeviceGetDeviceHandleFromMigDeviceHandle"
                self._handle = self._call(parent, found) if self.is_mig_part else found
                return
        pynvml.nvmlShutdown()
        raise Unreadable(f"NVML knows no card with UUID {bare or 'unknown'} or PCI bus id {bus_id or 'unknown'}")

    def _call(self, function: str, *arguments: object) -> Any:
        call = getattr(self._library, function, None)
        if call is None:
            raise NotSupported(f"this nvidia-ml-py has no {function}")
        try:
            return call(*arguments)
        except self._library.NVMLError as error:
            missing = (self._library.NVML_ERROR_NOT_SUPPORTED, self._library.NVML_ERROR_FUNCTION_NOT_FOUND)
            kind = NotSupported if getattr(error, "value", None) in missing else Unreadable
            raise kind(f"{function}: {error}") from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
