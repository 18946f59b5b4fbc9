"""A meter for the example chip only; it pretends that the chip draws 10 W."""

import time

from harness.meters.base import Capability, not_for
from results.records import EnergyReading


class ConstantMeter:
    def probe(self, device):
        if device.kind != "example":
            return not_for("the example chip")
        return Capability(source="constant of the example plugin", scope="gpu_board")

    def start(self, device):
        self._start = time.monotonic()

    def stop(self, window):
        seconds = time.monotonic() - self._start
        return [
            EnergyReading(
                energy_j=10.0 * seconds,
                average_power_w=10.0,
                duration_s=seconds,
                scope="gpu_board",
                source="constant of the example plugin",
                method="constant",
            )
        ]
