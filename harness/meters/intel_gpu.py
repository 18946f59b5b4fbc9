"""Energy of Intel's discrete GPUs: the hwmon counters of the kernel drivers i915 and xe.

``energyN_input`` is in microjoules (kernel: Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and
-xe-hwmon). xe shows the card as energy1 and the package as energy2, with labels on newer kernels; old
ones show one, of the package. i915 shows one without a label, "for the entire device", whose register
is that of the package. Both drivers add up the hardware's 32-bit counter themselves, so that the file
does not wrap.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.error_text import one_line
from harness.meters.base import Capability, not_for
from harness.meters.channel import U_SENSOR, Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler
from harness.meters.sysfs import children, int_or_none, numbered, read_int, reader, text_or_none
from results.records import Device

ROOT = Path("/sys/bus/pci/devices")
INTEL = "0x8086"
DISPLAY_CLASS = "0x03"
# What the labels say, best first. By driver, what a counter without a label is (see above).
SCOPES = {"card": "gpu_board", "pkg": "gpu_package"}
WITHOUT_LABEL = {
    # PCU_PACKAGE_ENERGY_STATUS on Arc A-series; xe labels the same register "pkg" (i915_hwmon.c, xe_hwmon.c).
    "i915": {"energy1_input": "pkg"},
    "xe": {"energy1_input": "card", "energy2_input": "pkg"},
}
# xe before Linux 6.10 has one counter, of REG_PKG_ENERGY_STATUS.
ALONE = "pkg"
NO_HWMON = "has no energy counter: only discrete Intel GPUs show one, by the drivers i915 (Linux 6.2) and xe"
NO_STATEMENT = f"Intel states no tolerance: sensor uncertainty of {U_SENSOR:.0%} is our assumption"
OF_PACKAGE = "the counter is of the package: the rest of the board is not in it"


class Counter(NamedTuple):
    """One counter: its file, what it covers, and the limits beside it."""

    path: Path
    label: str
    driver: str

    @property
    def scope(self) -> str:
        """A key of ``results.energy_record.SCOPES``."""
        return SCOPES[self.label]

    def limit_w(self, name: str) -> float | None:
        """Power limit ``max`` (enforced) or ``rated_max`` (default) of the same scope; 0 says that it is off."""
        number = self.path.name.removeprefix("energy").removesuffix("_input")
        value = int_or_none(self.path.parent / f"power{number}_{name}")
        return value / 1e6 if value else None


class Found(NamedTuple):
    """The counters of one card, the main one first; or the reason why there is none, with its remedy."""

    bus_id: str = ""
    counters: tuple[Counter, ...] = ()
    reason: str = ""
    remedy: str = ""


class IntelGpuMeter(SampledMeter):
    """The widest counter that the card of a device has.

    Args:
        root: of the PCI devices.
        sampler: polls the counter.
    """

    def __init__(self, root: Path = ROOT, sampler: Sampler = SAMPLER) -> None:
        super().__init__(sampler)
        self._root = root

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        if device.kind != "xpu":
            return not_for("Intel GPUs")
        found = find(self._root, device)
        if found.reason:
            return Capability(reason=found.reason, remedy=found.remedy)
        main, *others = found.counters
        notes = [NO_STATEMENT]
        if main.label == "pkg":
            notes.append(OF_PACKAGE)
        notes += [f"{other.path.name} ({other.label}) is contained in it and not read" for other in others]
        return Capability(
            source=_source(main), scope=main.scope, device_id=found.bus_id, resolution_j=1e-6, notes=tuple(notes)
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``.

        Raises:
            OSError: the counter cannot be read (any more).
        """
        found = find(self._root, device)
        if found.reason:
            raise OSError(found.reason)
        main = found.counters[0]
        return [
            Domain(
                scope=main.scope,
                device_id=found.bus_id,
                parts=(Channel("counter", reader(main.path), _source(main)),),
                power_limit_w=main.limit_w("max"),
                power_limit_default_w=main.limit_w("rated_max"),
                driver=main.driver,
            )
        ]


def find(root: Path, device: Device) -> Found:
    """The counters of ``device`` below ``root``."""
    card = _card(root, device)
    if card.reason:
        return card
    folder = root / card.bus_id
    counters = _counters(folder)
    if not counters:
        return Found(reason=f"the GPU at {card.bus_id} {NO_HWMON}")
    if (folder / "tile1").exists() and os.environ.get("ZE_FLAT_DEVICE_HIERARCHY") != "COMPOSITE":
        why = f"shared_device: the counter at {card.bus_id} is of the card, and each of its tiles is a device"
        return Found(reason=why, remedy="set ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE to have the card as one device")
    if int_or_none(folder / "sriov_numvfs"):
        return Found(reason=f"shared_device: the card at {card.bus_id} is divided into virtual functions as well")
    try:
        read_int(counters[0].path)
    except PermissionError:
        why = f"no permission to read {counters[0].path}"
        return Found(reason=why, remedy=f"sudo chmod a+r {counters[0].path}")
    except (OSError, ValueError) as error:
        return Found(reason=f"the energy counter of the GPU cannot be read: {one_line(error)}")
    return card._replace(counters=counters)


def _card(root: Path, device: Device) -> Found:
    """Bus id of the card that ``device`` is, by its own word or because there is no other."""
    told = str(device.details.get("pci_bus_id") or "").lower()
    if told:
        vendor = text_or_none(root / told / "vendor")
        if vendor is None:
            return Found(reason=f"this system shows no PCI device {told}")
        return Found(told) if vendor == INTEL else Found(reason=f"the PCI device {told} is not by Intel")
    cards = [path.name for path in children(root, "*") if _is_intel_gpu(path)]
    if not cards:
        return Found(reason="this system shows no Intel GPU among its PCI devices")
    if len(cards) > 1:
        return Found(reason=f"which of {', '.join(cards)} the device is cannot be told: its PCI bus id is not known")
    return Found(cards[0])


def _is_intel_gpu(folder: Path) -> bool:
    is_display = (text_or_none(folder / "class") or "").startswith(DISPLAY_CLASS)
    return is_display and text_or_none(folder / "vendor") == INTEL


def _counters(folder: Path) -> tuple[Counter, ...]:
    """Counters of whole cards and packages; those of single tiles (hwmon ``i915_gtN``) are left out."""
    found = []
    for path in sorted(folder.glob("hwmon/hwmon*/energy*_input"), key=numbered):
        driver = text_or_none(path.parent / "name")
        if driver not in WITHOUT_LABEL:
            continue
        by_number = WITHOUT_LABEL[driver].get(path.name, "")
        if by_number and not path.with_name("energy2_input").exists():
            by_number = ALONE
        label = text_or_none(path.with_name(path.name.replace("_input", "_label"))) or by_number
        if label in SCOPES:
            found.append(Counter(path, label, driver))
    return tuple(sorted(found, key=lambda counter: list(SCOPES).index(counter.label)))


def _source(counter: Counter) -> str:
    return f"{counter.driver} hwmon {counter.path.name} ({counter.label})"
