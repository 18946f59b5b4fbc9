"""Energy of a block of code, by the first meter that can read the device."""

from __future__ import annotations

from collections.abc import Callable

from harness import meters
from harness.error_text import one_line
from harness.meters.base import Meter
from results.records import Device, EnergyReading


class Metered:
    """The energy of a ``with`` block, by the first meter that can read the device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.meter: Meter | None = None
        self.reading = EnergyReading(reason="no power meter reads this device yet")
        reasons = []
        for name in meters.REGISTRY.names():
            try:
                meter = meters.REGISTRY.get(name)
                reason = meter.probe(device)
            except Exception as error:  # a broken plugin must not cost the measurement
                reason = f"{type(error).__name__}: {one_line(error)}"
            if reason is None:
                self.meter = meter
                return
            reasons.append(f"{name}: {reason}")
        if reasons:
            self.reading = EnergyReading(reason="; ".join(reasons))

    def __enter__(self) -> Metered:
        self._try("start", lambda meter: meter.start(self.device))
        return self

    def __exit__(self, *_: object) -> None:
        self._try("stop", lambda meter: setattr(self, "reading", meter.stop()))

    def _try(self, what: str, call: Callable[[Meter], None]) -> None:
        if self.meter is None:
            return
        try:
            call(self.meter)
        except Exception as error:  # a broken meter must not cost the measurement
            self.meter = None
            self.reading = EnergyReading(reason=f"meter failed at {what}: {type(error).__name__}: {one_line(error)}")
