"""Energy of the host's CPU packages and memory: the RAPL counters in /sys/class/powercap.

Intel and AMD CPUs show the same tree (kernel: Documentation/power/powercap/powercap.rst):
``intel-rapl:N`` are packages, or the platform (psys), and ``intel-rapl:N:M`` are parts of package N.
The counters belong to the machine, not to one device or process: for a CPU they are the main reading,
for an accelerator they are beside its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.error_text import one_line
from harness.meters.base import Capability
from harness.meters.channel import Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler
from harness.meters.sysfs import children, int_or_none, read_int, reader, text_or_none
from results.records import Device

ROOT = Path("/sys/class/powercap")
# The counters move about every millisecond (Intel SDM volume 3, "Package RAPL domain"). A counter of
# uJ is looked at every 20 ms to 0.5 s; it must not wrap twice between two looks. The smallest ranges
# are those of 15.3 uJ a count: 2^32 of them are 65.5 kJ, which take 65 s at 1 kW. Even 0.5 s is far
# below half of that.
UPDATE_S = 0.001
# Our assumption, not the makers' word. Intel before Haswell and AMD Zen estimate by a model, later
# Intel server parts measure; none states a tolerance.
U_SENSOR = 0.05
# Bits of the hardware's counter (kernel: ENERGY_STATUS_MASK in drivers/powercap/intel_rapl_common.c).
COUNTS = 2**32
# A counter that reads 0 is looked at again after so long: at 1 W it would show 20 mJ by then.
MOVE_S = 0.020
# Two zones of one package whose counters are so close are one counter: 1 J passes in no time, and two
# counters of their own would be so close by chance in 1 case of 60,000.
SAME_UJ = 1_000_000

_ZONE = re.compile(r"intel-rapl(?:-mmio)?(?::\d+){1,2}")
_PACKAGE = re.compile(r"package-(\d+)(?:-die-\d+)?")
_PSYS = re.compile(r"psys(?:-\d+)?")

NO_COUNTERS = "this system shows no energy counters of the CPU (usual in virtual machines)"
HIDDEN = "the energy counters of the CPU are listed but hidden (containers mask /sys/devices/virtual/powercap)"
UNHIDE = "start the container with --security-opt systempaths=unconfined, or measure outside of it"
NOTES = (
    "counts the whole machine: everything else that runs on it is included",
    f"sensor uncertainty of {U_SENSOR:.0%} is our assumption; some CPUs estimate by a model instead of measuring",
)


class Zone(NamedTuple):
    """One counter: its folder, its own name and the name of the package it is part of ("" for none)."""

    path: Path
    name: str
    parent: str

    @property
    def energy(self) -> Path:
        """The file of the counter, in uJ."""
        return self.path / "energy_uj"

    @property
    def is_package(self) -> bool:
        """A whole CPU package or die."""
        return not self.parent and _PACKAGE.fullmatch(self.name) is not None


class Found(NamedTuple):
    """Zones that count by scope, the main one first; or the reason why not, with its remedy."""

    scopes: dict[str, list[Zone]]
    notes: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""


class RaplMeter(SampledMeter):
    """CPU packages (added up), their memory, and the platform, each a reading of its own.

    Args:
        root: of the powercap tree.
        sampler: polls the counters.
    """

    def __init__(self, root: Path = ROOT, sampler: Sampler = SAMPLER) -> None:
        super().__init__(sampler)
        self._root = root

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        found = find(self._root)
        if found.reason:
            return Capability(reason=found.reason, remedy=found.remedy)
        zones = found.scopes["cpu_package"]
        step = _unit_nj(int_or_none(zones[0].path / "max_energy_range_uj"))
        return Capability(
            source=" + ".join(dict.fromkeys(map(_source, zones))),
            scope="cpu_package",
            device_id=_device_id(zones),
            resolution_j=(step or 1000) / 1e9,
            update_s=UPDATE_S,
            covers_device=device.kind == "cpu",
            beside=tuple(list(found.scopes)[1:]),
            notes=(*found.notes, *NOTES),
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``.

        Raises:
            OSError: the counters cannot be read (any more).
        """
        found = find(self._root)
        if found.reason:
            raise OSError(found.reason)
        return [
            Domain(scope, _device_id(zones), tuple(_channel(zone) for zone in zones), u_sensor=U_SENSOR)
            for scope, zones in found.scopes.items()
        ]


def find(root: Path) -> Found:
    """The counters below ``root`` by scope. Waits a moment if one reads 0."""
    zones, hidden = _zones(root)
    packages = [zone for zone in zones if zone.is_package]
    if not packages:
        return Found({}, reason=HIDDEN, remedy=UNHIDE) if hidden else Found({}, reason=NO_COUNTERS)
    values, faults = _look(zones)
    refused = _refused(root, packages, values, faults)
    if refused:
        return refused
    packages, notes = _distinct(packages, values)
    counting = [zone for zone in zones if values.get(zone)]
    scopes = {"cpu_package": packages}
    dram = [zone for zone in counting if zone.parent and zone.name == "dram"]
    missing = [package.name for package in packages if package.name not in {zone.parent for zone in dram}]
    if dram and missing:
        notes.append(f"memory is not read: {', '.join(missing)} shows no counter of its own")
    elif dram:
        names = {package.name for package in packages}
        scopes["dram"] = [zone for zone in dram if zone.parent in names]
    # Only CPUs of one package see the platform's counter, and for others it stays 0.
    psys = [zone for zone in counting if not zone.parent and _PSYS.fullmatch(zone.name)]
    if len(psys) == 1:
        scopes["platform"] = psys
    elif psys:
        notes.append(f"the platform is not read: {len(psys)} counters say they are it")
    silent = [zone.path.name for zone in zones if _wanted(zone) and not values.get(zone)]
    if silent:
        notes.append(f"not read, because 0 or not readable: {', '.join(silent)}")
    return Found(scopes, tuple(notes))


def wrap_uj(range_uj: int | None) -> int | None:
    """What a counter starts again after, from its ``max_energy_range_uj``.

    The file shows the largest value, 2^32 - 1 counts, and the counter starts again at 2^32 counts: one
    count (15 to 61 uJ) later. The kernel keeps a count as a whole number of nJ and cuts values to whole
    uJ, so the count follows from the range, and a difference across a wrap is exact to 1 uJ. A range
    that no such count gives is taken as it stands.
    """
    if not range_uj or range_uj < 0:
        return None
    unit_nj = _unit_nj(range_uj)
    return range_uj if unit_nj is None else COUNTS * unit_nj // 1000


def _unit_nj(range_uj: int | None) -> int | None:
    """One count in nJ, if the range is 2^32 - 1 of them."""
    if not range_uj or range_uj < 0:
        return None
    unit_nj = -(-range_uj * 1000 // (COUNTS - 1))
    return unit_nj if (COUNTS - 1) * unit_nj // 1000 == range_uj else None


def _zones(root: Path) -> tuple[list[Zone], bool]:
    """Each counter once, and whether there are some whose name cannot be read.

    The tree lists a sub-zone both flat and inside its package. ``intel-rapl-mmio`` shows the same
    package by another way: of zones with one name the first counts.
    """
    folders = {path.name: path for path in [*children(root, "intel-rapl*:*/intel-rapl*:*"), *children(root, "*")]}
    named: dict[str, str] = {}
    hidden = False
    for folder in (name for name in folders if _ZONE.fullmatch(name)):
        name = text_or_none(folders[folder] / "name")
        hidden = hidden or name is None
        if name:
            named[folder] = name
    zones: dict[tuple[str, str], Zone] = {}
    for folder in sorted(named, key=lambda name: ("mmio" in name, [int(part) for part in name.split(":")[1:]])):
        tree, *numbers = folder.split(":")
        parent = named.get(f"{tree}:{numbers[0]}", "?") if len(numbers) > 1 else ""
        zone = Zone(folders[folder], named[folder], parent)
        zones.setdefault((zone.parent, zone.name), zone)
    return list(zones.values()), hidden


def _wanted(zone: Zone) -> bool:
    return zone.is_package or zone.name == "dram" or _PSYS.fullmatch(zone.name) is not None


def _look(zones: Sequence[Zone]) -> tuple[dict[Zone, int], dict[Zone, Exception]]:
    """Values in uJ, in the order of ``zones``, and what went wrong; zeros are looked at again."""
    values: dict[Zone, int] = {}
    faults: dict[Zone, Exception] = {}
    wanted = [zone for zone in zones if _wanted(zone)]
    for zone in wanted:
        try:
            values[zone] = read_int(zone.energy)
        except (OSError, ValueError) as error:
            faults[zone] = error
    if 0 in values.values():
        time.sleep(MOVE_S)
        for zone in [zone for zone, value in values.items() if value == 0]:
            values[zone] = int_or_none(zone.energy) or 0
    return values, faults


def _refused(
    root: Path, packages: Sequence[Zone], values: dict[Zone, int], faults: dict[Zone, Exception]
) -> Found | None:
    """Why the packages cannot be read, if so: a sum without one of them would be too small."""
    denied = [zone.path.name for zone in packages if isinstance(faults.get(zone), PermissionError)]
    if denied:
        why = f"no permission to read energy_uj of {', '.join(denied)}: for root only (CVE-2020-8694)"
        # The folder lists sub-zones flat as well, so that this is all of them.
        return Found({}, reason=why, remedy=f"sudo chmod a+r {root}/intel-rapl*:*/energy_uj")
    broken = next((faults[zone] for zone in packages if zone in faults), None)
    if broken is not None:
        return Found({}, reason=f"the energy counter of the CPU cannot be read: {one_line(broken)}")
    silent = [zone.path.name for zone in packages if not values[zone]]
    if silent:
        why = f"the energy counter of the CPU does not count: {', '.join(silent)} reads 0 (usual in virtual machines)"
        return Found({}, reason=why)
    return None


def _distinct(packages: Sequence[Zone], values: dict[Zone, int]) -> tuple[list[Zone], list[str]]:
    """Packages without those that show a counter seen already.

    Some kernels list AMD CPUs die by die while the counter is that of the whole package.
    """
    kept: list[Zone] = []
    dropped: list[str] = []
    for zone in packages:
        twins = [k for k in kept if _number(k) == _number(zone) and abs(values[zone] - values[k]) <= SAME_UJ]
        if twins:
            dropped.append(zone.path.name)
        else:
            kept.append(zone)
    return kept, [f"counted once: {', '.join(dropped)} shows the counter of its package again"] if dropped else []


def _number(package: Zone) -> str:
    found = _PACKAGE.fullmatch(package.name)
    return found.group(1) if found else ""


def _channel(zone: Zone) -> Channel:
    wrap = wrap_uj(int_or_none(zone.path / "max_energy_range_uj"))
    return Channel("counter", reader(zone.energy), _source(zone), wrap_uj=wrap, update_s=UPDATE_S)


def _source(zone: Zone) -> str:
    return f"powercap energy_uj ({zone.name})"


def _device_id(zones: Sequence[Zone]) -> str:
    return "+".join(zone.path.name for zone in zones)
