"""Guards on the state of an NVIDIA card: ``temperature_drift``, ``power_limit``, ``mig_vgpu``."""

from __future__ import annotations

from harness.guards.base import Scene, Unreadable, Watch, judge
from harness.guards.nvml import Card, NotSupported
from results.records import Guard

TEMPERATURE_GPU = 0  # nvmlTemperatureSensors_t
# nvmlGpuVirtualizationMode_t
VIRTUALIZATION_MODES = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host vgpu", 4: "host vsga"}
SHARED_MODES = ("vgpu", "host vgpu", "host vsga")


class TemperatureDrift(Watch):
    """Clocks and leakage follow temperature: a card that still warms up is not steady."""

    name = "temperature_drift"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def start(self) -> None:
        """See ``Watch``."""
        self._start = self._read()
        self.facts["temperature_start_celsius"] = self._start

    def stop(self) -> Guard:
        """See ``Watch``."""
        end = self._read()
        self.facts["temperature_end_celsius"] = end
        return judge(self.name, abs(end - self._start), f"{self._start} C at the start, {end} C at the end")

    def _read(self) -> int:
        return int(self._card.ask("nvmlDeviceGetTemperature", TEMPERATURE_GPU))


class PowerLimit(Watch):
    """A limit below the default makes another machine of the card."""

    name = "power_limit"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def stop(self) -> Guard:
        """See ``Watch``."""
        self.facts |= {"power_limit_w": None, "power_limit_default_w": None}
        limit_w = self._card.ask("nvmlDeviceGetEnforcedPowerLimit") / 1000
        self.facts["power_limit_w"] = limit_w
        default_w = self._card.ask("nvmlDeviceGetPowerManagementDefaultLimit") / 1000
        self.facts["power_limit_default_w"] = default_w
        if default_w <= 0:
            raise Unreadable(f"the default power limit is told as {default_w:g} W")
        text = f"enforced limit {limit_w:g} W, default {default_w:g} W"
        return judge(self.name, max(0.0, 1 - limit_w / default_w), text)


class MigVgpu(Watch):
    """A slice of a card shares its power, its clocks and perhaps its memory bandwidth."""

    name = "mig_vgpu"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def stop(self) -> Guard:
        """See ``Watch``."""
        self.facts |= {"mig_mode": None, "virtualization": None}
        is_mig = self._mig()
        number = int(self._card.ask("nvmlDeviceGetVirtualizationMode")) if not is_mig else 0
        mode = VIRTUALIZATION_MODES.get(number)
        if mode is None:
            raise Unreadable(f"unknown virtualization mode {number}")
        self.facts["virtualization"] = None if is_mig else mode
        shared = is_mig or mode in SHARED_MODES
        text = f"MIG {self.facts['mig_mode']}" + ("" if is_mig else f", virtualization {mode}")
        return judge(self.name, float(shared), text + ("; power is of the whole card" if shared else ""))

    def _mig(self) -> bool:
        try:
            enabled = self._card.is_mig_part or bool(self._card.ask("nvmlDeviceGetMigMode")[0])
        except NotSupported:
            self.facts["mig_mode"] = "not supported"
            return False
        self.facts["mig_mode"] = "enabled" if enabled else "disabled"
        return enabled
