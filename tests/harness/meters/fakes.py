"""A meter whose sensor is a list of numbers, for tests of what surrounds meters."""

from __future__ import annotations

from collections.abc import Sequence

from harness.meters.base import Capability, EnergyWindow
from results.records import Device, EnergyReading


class FakeMeter:
    """Says ``power_w`` for whatever window it is given; goes wrong where told to."""

    def __init__(
        self, power_w: float = 100.0, *, part_time: bool = False, fails_at: str = "", reason: str = "",
        covers_device: bool = True,
    ) -> None:  # fmt: skip
        self.power_w, self.part_time, self.fails_at, self.reason = power_w, part_time, fails_at, reason
        self.covers_device = covers_device
        self.log: list[str] = []
        self.windows: list[EnergyWindow] = []

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what == self.fails_at:
            raise RuntimeError(f"no {what} today\nand more")

    def probe(self, device: Device) -> Capability:
        self._do("probe")
        return Capability(
            reason=self.reason,
            scope="gpu_board",
            source="fake",
            part_time=self.part_time,
            covers_device=self.covers_device,
        )

    def start(self, device: Device) -> None:
        self._do("start")

    def stop(self, window: EnergyWindow) -> Sequence[EnergyReading]:
        self._do("stop")
        self.windows.append(window)
        return [
            EnergyReading(
                energy_j=self.power_w * window.duration_s,
                average_power_w=self.power_w,
                duration_s=window.duration_s,
                scope="gpu_board",
                source="fake",
                method="integral",
            )
        ]
