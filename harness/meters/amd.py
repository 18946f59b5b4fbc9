"""AMD GPUs through amdsmi: the energy counter where it passes a check, else the socket power.

Counters were reported that tell wrong values, go backwards or stand still within a process. So the
counter counts only if it agrees, over the very window that is measured, with the socket power of the
same window. What the socket power is an average of, and how often it is renewed, AMD does not say;
nor how accurate it is: the uncertainty is that of other boards. Not tried on hardware yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from harness.error_text import one_line
from harness.meters.amd_sensors import AmdCard, AmdError
from harness.meters.base import Capability, EnergyWindow, not_for
from harness.meters.channel import Channel, Domain
from harness.meters.sampled import SampledMeter, Tapes
from results.records import Device, EnergyReading

# Counter over power. Power comes in whole watts, and both are sampled: within this they agree.
AGREE = (0.8, 1.2)
# Over less than this the ticks of the counter and the steps of the power say too little.
CHECK_S = 3.0
REMEDY = "install the amdsmi that belongs to this ROCm: pip install /opt/rocm/share/amd_smi"
COUNTER_SOURCE = "amdsmi_get_energy_count"
NOTE_CHECKED = "the energy counter is used only where it agrees with the socket power over the same window"
NOTE_NO_COUNTER = "no energy counter: power is added up"
NOTE_VIRTUAL = "amdsmi does not tell whether the card is virtual, and its power that of more than the device"
NOTE_TWO_DIES = "covers both dies of the card, whichever works"


class AmdMeter(SampledMeter):
    """One AMD card (scope ``gpu_board``; ``module`` or ``soc`` where its socket holds CPU cores too)."""

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        if device.kind != "rocm":
            return not_for("AMD GPUs")
        try:
            library = _library()
        except Exception as error:  # a KeyError where the package does not find its library
            reason = f"amdsmi cannot be used: {type(error).__name__}: {one_line(error)}"
            return Capability(reason=reason, remedy=REMEDY)
        try:
            card = AmdCard(library, device)
            reason = card.shared()
            domain = self._domain(card) if not reason else None
        except AmdError as error:
            return Capability(reason=one_line(error))
        if domain is None:
            return Capability(reason=reason, device_id=card.bus_id)
        main = domain.parts[0]
        notes = [NOTE_CHECKED if domain.check else NOTE_NO_COUNTER]
        notes += [NOTE_VIRTUAL] if card.virtualization() is None else []
        notes += [NOTE_TWO_DIES] if card.has_two_dies() else []
        return Capability(
            source=main.source,
            scope=domain.scope,
            device_id=domain.device_id,
            resolution_w=1.0,
            notes=tuple(notes),
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``."""
        return (self._domain(AmdCard(_library(), device)),)

    def _domain(self, card: AmdCard) -> Domain:
        key = card.power_key()
        covers = " (both dies)" if card.has_two_dies() else ""
        power = Channel(
            "power", partial(card.power_uw, key), f"amdsmi_get_power_info {key}{covers}", least_uw=1_000_000
        )
        counter = Channel("counter", card.energy_uj, COUNTER_SOURCE + covers)
        limit_w, default_w = card.limits_w()
        counts = not card.counter_problem()
        return Domain(
            scope=card.scope(),
            device_id=card.bus_id,
            parts=(counter,) if counts else (power,),
            check=power if counts else None,
            power_limit_w=limit_w,
            power_limit_default_w=default_w,
            driver=card.driver(),
        )

    def _reading(self, domain: Domain, window: EnergyWindow, tapes: Tapes) -> EnergyReading:
        """By the counter if it passes its check on this window, else by the power."""
        reading = super()._reading(domain, window, tapes)
        fault = counter_fault(reading, window) if domain.check else ""
        if not domain.check or not fault:
            return reading
        self.traces = {}
        by_power = super()._reading(domain._replace(parts=(domain.check,), check=None), window, tapes)
        # Not in the source: runs with other sources are not compared, and the text has a measured value.
        return msgspec.structs.replace(by_power, remark=f"energy counter not used: {fault}")


def counter_fault(reading: EnergyReading, window: EnergyWindow) -> str:
    """Why the counter behind ``reading`` is not to be believed; empty if it passed."""
    if window.duration_s < CHECK_S:
        return f"{window.duration_s:.3g} s are too short to check it, {CHECK_S:g} s are needed"
    if reading.energy_j is None:
        return reading.reason
    ratio = reading.crosscheck_ratio
    if ratio is None:
        return "there was no socket power to check it with"
    if not AGREE[0] <= ratio <= AGREE[1]:
        return f"{ratio:.3g} times the socket power, {AGREE[0]:g} to {AGREE[1]:g} would pass"
    return ""


def _library() -> Any:
    """The module ``amdsmi``, initialized; raises whatever it raises."""
    import amdsmi

    amdsmi.amdsmi_init()
    return amdsmi
