"""The contract of a power meter. Third parties: entry-point group ``chipmark.meters``."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from results.records import Device, EnergyReading


@runtime_checkable
class Meter(Protocol):
    """Three members. A meter never runs code in the timed thread."""

    def probe(self, device: Device) -> str | None:
        """``None`` if this meter can read ``device`` here, else the reason why not."""

    def start(self, device: Device) -> None:
        """Begin an energy window."""

    def stop(self) -> EnergyReading:
        """End the window. A missing reading is ``energy_j=None`` with a reason, never 0."""
