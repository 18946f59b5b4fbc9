"""Devices that compute the right thing, but whose times say nothing about a chip: simulators and the like."""

from __future__ import annotations

from results.records import Device

# In a device's details: true, or why.
MARKS = ("functional_only", "simulated")


def marks_of(device: Device | None) -> list[str]:
    """Those of :data:`MARKS` that a device bears; none where it is not known."""
    return [name for name in MARKS if device is not None and device.details.get(name)]


def functional_only(device: Device | None) -> str:
    """What must be said beside every number of such a device; "" for all others.

    Its numbers are shown, but never ranked, priced, compared or made into baselines.
    """
    marks = marks_of(device)
    if device is None or not marks:
        return ""
    why = [value for name in marks if isinstance(value := device.details[name], str)]
    if why:
        return f"functional only: {device.name}, its times are not those of a chip: {'; '.join(why)}"
    return f"functional only: {device.name} is marked {' and '.join(marks)}, its times are not those of a chip"
