"""A meter for the example chip only; it pretends that the chip draws 10 W."""

import time

from results.records import EnergyReading


class ConstantMeter:
    def probe(self, device):
        return None if device.kind == "example" else "reads the example chip only"

    def start(self, device):
        self._start = time.monotonic()

    def stop(self):
        seconds = time.monotonic() - self._start
        return EnergyReading(
            energy_j=10.0 * seconds,
            average_power_w=10.0,
            duration_s=seconds,
            scope="example",
            source="constant of the example plugin",
            method="constant",
        )
