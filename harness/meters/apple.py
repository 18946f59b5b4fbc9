"""Apple silicon through ``zeus_apple_silicon``: the energy counters of IOReport, which need no root.

The counters are of parts of the chip, each for itself, and of no more: there is none of the whole
chip, so readings are of ``gpu``, ``cpu``, ``dram`` and ``ane``, never added up. Apple documents
neither how they come about (the group is called "Energy Model") nor how far they are off, least of
all for the neural engine: their own uncertainty is not known. Not tried on hardware yet.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from harness.error_text import one_line
from harness.meters.base import Capability, not_for
from harness.meters.channel import Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler
from results.records import Device

REMEDY = 'pip install "chipmark[apple]"'
# The package tells whole millijoules; what the chip counts is finer.
STEP_J = 1e-3
NOTE = "modelled by the chip; Apple does not say how accurately"
NOTE_ANE = "the calibration of the neural engine's counter is not known"


class Part(NamedTuple):
    """A part of the chip: its scope, its name, and its fields, that of version 1.1 and up first."""

    scope: str
    name: str
    fields: tuple[str, ...]


GPU = Part("gpu", "GPU", ("gpu_mj",))
CPU = Part("cpu", "CPU", ("cpu_total_mj", "cpu_mj"))
DRAM = Part("dram", "memory", ("dram_mj",))
ANE = Part("ane", "neural engine", ("ane_mj",))
# By kind of device, the main one first.
PARTS = {"mps": (GPU, CPU, DRAM, ANE), "cpu": (CPU, DRAM)}


class AppleMeter(SampledMeter):
    """The parts of an Apple chip.

    Args:
        sampler: polls the counters.
        machine: operating system and processor, as ``platform`` names them.
    """

    def __init__(
        self,
        sampler: Sampler = SAMPLER,
        machine: Callable[[], tuple[str, str]] = lambda: (platform.system(), platform.machine()),
    ) -> None:
        super().__init__(sampler)
        self._machine = machine

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        if device.kind not in PARTS or self._machine() != ("Darwin", "arm64"):
            return not_for("Apple silicon")
        try:
            import zeus_apple_silicon  # noqa: F401
        except Exception as error:
            return Capability(reason=f"zeus_apple_silicon cannot be used: {one_line(error)}", remedy=REMEDY)
        try:
            domains = self.domains(device)
        except Exception as error:  # IOReport is not documented, so that anything may fail
            return Capability(reason=f"IOReport cannot be read: {one_line(error) or type(error).__name__}")
        main, scopes = PARTS[device.kind][0], [domain.scope for domain in domains]
        if main.scope not in scopes:
            return Capability(reason=f"this chip tells no energy of its {main.name}")
        return Capability(
            source=domains[0].parts[0].source,
            scope=main.scope,
            device_id=domains[0].device_id,
            resolution_j=STEP_J,
            beside=tuple(scopes[1:]),
            notes=(NOTE, *([NOTE_ANE] if ANE.scope in scopes else [])),
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``."""
        from zeus_apple_silicon import AppleEnergyMonitor

        monitor = AppleEnergyMonitor()
        energies = monitor.get_cumulative_energy()
        domains = []
        for part in PARTS[device.kind]:
            field = next((field for field in part.fields if getattr(energies, field, None) is not None), None)
            if field is not None:
                source = f"zeus_apple_silicon get_cumulative_energy {field}"
                channel = Channel("counter", partial(_energy_uj, monitor, field), source)
                domains.append(Domain(part.scope, f"{device.name} {part.name}", (channel,), u_sensor=None))
        return domains


def _energy_uj(monitor: Any, field: str) -> int:
    """The counter now, in uJ; raises ValueError if it is not told any more."""
    energy_mj = getattr(monitor.get_cumulative_energy(), field)
    if energy_mj is None:
        raise ValueError(f"{field} is not told any more")
    return int(energy_mj) * 1000
