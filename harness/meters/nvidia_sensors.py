"""How the power sensors of NVIDIA cards behave, by compute capability.

Update period and averaging time are not in NVIDIA's documents for each part. They are as measured on
over 70 cards by Yang, Adamek, Armour, "Accurate and convenient energy measurements for GPUs" (SC24,
arXiv 2312.02741; JimZeyuYang/GPU_Power_Benchmark, Overall_Results), for drivers after 530. The average
of 1 s behind field 185, and behind ``nvmlDeviceGetPowerUsage`` from Ampere on except GA100, is NVIDIA's
own statement (nvml.h). Older drivers may average less: then more is dropped than is needed.
"""

from __future__ import annotations

from typing import NamedTuple


class Sensor(NamedTuple):
    """One way to read power: averaging time and period in s (None: not known), and whether it looks part-time."""

    averaging_s: float | None
    update_s: float | None
    part_time: bool = False


class Sensors(NamedTuple):
    """What a generation shows as ``instant`` (field 186), ``average`` (field 185) and ``usage``."""

    instant: Sensor
    average: Sensor
    usage: Sensor
    is_known: bool = True

    @property
    def behind_counter(self) -> Sensor:
        """What feeds the energy counter is not known: where the sensor looks part-time, it is taken to be that."""
        if not self.instant.part_time:
            return Sensor(None, None)
        return Sensor(None, self.instant.update_s or _USUAL_S, part_time=True)


_SECOND = Sensor(1.0, 0.1)
# 25 ms of each 100 ms.
_QUARTER = Sensor(0.025, 0.1, part_time=True)
# 10 ms of each 20 ms.
_HALF = Sensor(0.010, 0.020, part_time=True)
_WHOLE = Sensor(0.1, 0.1)
_PASCAL_VOLTA = Sensors(_HALF, _SECOND, _HALF)
_TURING = Sensors(_WHOLE, _SECOND, _WHOLE)
_GA100 = Sensors(_QUARTER, _SECOND, _QUARTER)
_AMPERE_ADA = Sensors(_WHOLE, _SECOND, _SECOND)
_HOPPER = Sensors(_QUARTER, _SECOND, _SECOND)
# Not measured: of field 186 nothing is known, of the others what nvml.h says. All are taken as part-time,
# for that costs phases only, and the contrary would cost the truth.
_TAKEN, _TAKEN_SECOND = Sensor(None, None, part_time=True), Sensor(1.0, None, part_time=True)
_NEWER = Sensors(_TAKEN, _TAKEN_SECOND, _TAKEN_SECOND, is_known=False)
_UNKNOWN = Sensors(_TAKEN, _TAKEN_SECOND, _TAKEN, is_known=False)
# The period of all sensors measured since Turing.
_USUAL_S = 0.1
_BY_CAPABILITY = {
    (6, 0): _PASCAL_VOLTA, (6, 1): _PASCAL_VOLTA, (7, 0): _PASCAL_VOLTA,
    (7, 5): _TURING, (8, 0): _GA100, (8, 6): _AMPERE_ADA, (8, 9): _AMPERE_ADA, (9, 0): _HOPPER,
}  # fmt: skip


def sensors_of(capability: tuple[int, int] | None) -> Sensors:
    """The sensors of a card of this compute capability; None: not known."""
    if capability is None:
        return _UNKNOWN
    return _BY_CAPABILITY.get(capability, _NEWER if capability > (9, 0) else _UNKNOWN)


def parse_capability(text: object) -> tuple[int, int] | None:
    """``"8.0"`` as (8, 0); None if it is nothing like that."""
    major, _, minor = str(text).partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
