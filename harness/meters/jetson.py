"""Power of NVIDIA Jetson modules: the INA3221 monitor at the input of the module.

Two layouts: hwmon (JetPack 5 and later; kernel: Documentation/hwmon/ina3221.rst) with voltage and
current, and iio (up to JetPack 4) with power. Only a rail that is the whole input is read: the others
are behind it, and on modules without one nobody but NVIDIA knows whether the rails together are all.

A Jetson is told by its device tree, not by the chip: other boards carry an INA3221 as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.error_text import one_line
from harness.meters.base import Capability, not_for
from harness.meters.channel import U_SENSOR, Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler
from harness.meters.sysfs import children, int_or_none, read_int, text_or_none
from results.records import Device

ROOT = Path("/")
# NVIDIA's names for the input of the whole module (Jetson developer guides, "Platform Power and
# Performance"). VIN_SYS_5V0 is not one: on AGX Orin it is the 5 V system rail beside GPU and CPU.
TOTAL_RAILS = ("VDD_IN", "POM_5V_IN")
# Inputs of the chip; in4 to in6 are shunt voltages and in7 is their sum (ina3221.rst).
INPUTS = (1, 2, 3)
NOT_CONNECTED = "NC"
I2C_ADDRESS = re.compile(r"\d+-[0-9a-f]{4}")
# Step of the shunt voltage, which is the current times the shunt; the bus voltage has steps of 8 mV (datasheet).
SHUNT_STEP_V = 40e-6

DISCRETE = "this Tegra system has a discrete GPU as well, whose power is not behind the input of the module"
NO_CHIP = "this Jetson shows no INA3221 power monitor"
NOTES = (
    "covers the whole module at its input: GPU, CPU, memory and regulators; not the carrier board",
    "the monitor has steps of 8 mV and of 40 uV at the shunt",
    "it looks at its rails in turn, so that it sees each for part of the time",
    f"sensor uncertainty of {U_SENSOR:.0%} is our assumption",
)


class Rail(NamedTuple):
    """One rail: its name, where it is, and what to read."""

    name: str
    folder: Path
    number: int
    is_hwmon: bool

    def read_uw(self) -> int:
        """Power in microwatts, exact: 1 mV times 1 mA is 1 uW."""
        if self.is_hwmon:
            return self._value(f"in{self.number}_input") * self._value(f"curr{self.number}_input")
        return self._value(f"in_power{self.number}_input") * 1000  # mW

    def _value(self, name: str) -> int:
        return read_int(self.folder / name)

    @property
    def files(self) -> list[Path]:
        """All that is read."""
        names = [f"in{self.number}_input", f"curr{self.number}_input"]
        return [self.folder / name for name in (names if self.is_hwmon else [f"in_power{self.number}_input"])]

    @property
    def source(self) -> str:
        """Chip, files and rail; without the number of the hwmon folder, which changes from boot to boot."""
        return f"INA3221 {' x '.join(path.name for path in self.files)} ({self.name})"

    @property
    def device_id(self) -> str:
        """Bus and address of the chip, ``1-0040``; the rail's name where the folder is at none.

        The device tree numbers the buses (its aliases), so it is the same at each boot.
        """
        chip = self.folder / "device" if self.is_hwmon else self.folder.parent
        name = chip.resolve().name
        return name if I2C_ADDRESS.fullmatch(name) else self.name

    def resolution_w(self) -> float | None:
        """Least step at the voltage now; None where the shunt is not known."""
        if not self.is_hwmon:
            return None
        shunt_uohm = int_or_none(self.folder / f"shunt{self.number}_resistor")
        voltage_mv = int_or_none(self.folder / f"in{self.number}_input")
        if not shunt_uohm or not voltage_mv:
            return None
        return SHUNT_STEP_V / (shunt_uohm / 1e6) * voltage_mv / 1e3

    def period_s(self) -> float | None:
        """Time of one round over all rails, averaging included (``update_interval``, ms); None: not known."""
        interval_ms = int_or_none(self.folder / "update_interval") if self.is_hwmon else None
        return interval_ms / 1e3 if interval_ms else None


class JetsonMeter(SampledMeter):
    """The input of the module.

    Args:
        root: of the file system.
        sampler: polls the rail.
    """

    def __init__(self, root: Path = ROOT, sampler: Sampler = SAMPLER) -> None:
        super().__init__(sampler)
        self._root = root

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        if device.kind != "cuda" or not is_jetson(self._root):
            return not_for("NVIDIA Jetson modules")
        rail, reason, remedy = find(self._root)
        if rail is None:
            return Capability(reason=reason, remedy=remedy)
        return Capability(
            source=rail.source,
            scope="module",
            device_id=rail.device_id,
            resolution_w=rail.resolution_w(),
            update_s=rail.period_s(),
            averaging_s=rail.period_s(),
            part_time=True,
            notes=NOTES,
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``.

        Raises:
            OSError: the rail cannot be read (any more).
        """
        rail, reason, _ = find(self._root)
        if rail is None:
            raise OSError(reason)
        period_s = rail.period_s()
        # The chip converts bus and shunt of three rails in turn, one sixth of the time each, and it
        # is polled more rarely than it converts: a load in step with that would not show.
        read: Callable[[], int] = rail.read_uw
        channel = Channel("power", read, rail.source, averaging_s=period_s, part_time=True, update_s=period_s)
        return [Domain("module", rail.device_id, (channel,))]


def is_jetson(root: Path = ROOT) -> bool:
    """A Tegra system: by the device tree, or by the release file of JetPack."""
    compatible = text_or_none(root / "proc/device-tree/compatible") or ""
    return "nvidia,tegra" in compatible or (root / "etc/nv_tegra_release").is_file()


def find(root: Path) -> tuple[Rail | None, str, str]:
    """The rail at the input of the module; or None, the reason and the remedy."""
    if _has_discrete_gpu(root):
        return None, DISCRETE, ""
    rails = [*_hwmon_rails(root), *_iio_rails(root)]
    totals = {rail.device_id: rail for rail in reversed(rails) if rail.name in TOTAL_RAILS}
    if len(totals) > 1:
        told = ", ".join(f"{rail.name} at {place}" for place, rail in sorted(totals.items()))
        return None, f"which rail is the input of the module is not known: {told}", ""
    total = next(iter(totals.values()), None)
    if total is None:
        names = ", ".join(dict.fromkeys(rail.name for rail in rails))
        why = (
            f"no rail of this Jetson is known to be the input of the whole module ({' or '.join(TOTAL_RAILS)}); "
            f"it has {names}, and their sum is not known to be all"
        )
        return None, why if rails else NO_CHIP, ""
    try:
        total.read_uw()
    except PermissionError:
        files = " ".join(map(str, total.files))
        return None, f"no permission to read {files}", f"sudo chmod a+r {files}"
    except (OSError, ValueError) as error:
        return None, f"the power of the module cannot be read: {one_line(error)}", ""
    return total, "", ""


def _has_discrete_gpu(root: Path) -> bool:
    """Another NVIDIA GPU, which CUDA lists beside that of the module; the module's own is not on PCI."""
    return any(
        text_or_none(path / "vendor") == "0x10de" and (text_or_none(path / "class") or "").startswith("0x03")
        for path in children(root / "sys/bus/pci/devices", "*")
    )


def _hwmon_rails(root: Path) -> list[Rail]:
    chips = [path for path in children(root / "sys/class/hwmon", "hwmon*") if text_or_none(path / "name") == "ina3221"]
    named = [(text_or_none(chip / f"in{n}_label"), chip, n) for chip in chips for n in INPUTS]
    return [Rail(name, chip, n, True) for name, chip, n in named if name and name != NOT_CONNECTED]


def _iio_rails(root: Path) -> list[Rail]:
    rails = []
    for chip in children(root / "sys/bus/i2c/devices", "*/iio[:_]device*"):
        for path in children(chip, "rail_name_*"):
            name = text_or_none(path)
            number = re.fullmatch(r"rail_name_(\d+)", path.name)
            if number and name and name != NOT_CONNECTED:
                rails.append(Rail(name, chip, int(number.group(1)), False))
    return rails
