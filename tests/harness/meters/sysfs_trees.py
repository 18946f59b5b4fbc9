"""Fake trees of small text files, and meters that are driven over them without a thread or a real clock."""

from __future__ import annotations

import builtins
import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.meters import sysfs
from harness.meters.base import EnergyWindow
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import Sampler, Tape
from results.records import Device, EnergyReading

POLL_NS = 20_000_000


def write(root: Path, files: Mapping[str, object]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def deny(monkeypatch: pytest.MonkeyPatch, *parts: str) -> None:
    """Files whose path contains one of ``parts`` cannot be opened: the tests may run as root."""

    def guarded(path: Path, **options: Any) -> Any:
        if any(part in str(path) for part in parts):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return builtins.open(path, **options)

    monkeypatch.setattr(sysfs, "open", guarded, raising=False)


class HandSampler(Sampler):
    """Looks when told to, at times that tests set."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000
        super().__init__(now_ns=lambda: self.ns)

    def add(self, channels: Any) -> list[Tape]:
        self._tapes = [Tape(channel) for channel in channels]
        self.look()
        return self._tapes

    def remove(self, tapes: Any) -> None:
        self.look()

    def look(self) -> None:
        for tape in self._tapes:
            tape.look(self._now_ns)


def metered(
    meter: SampledMeter, sampler: HandSampler, device: Device, set_at: Callable[[float], object], seconds: float = 2.0
) -> list[EnergyReading]:
    """Start, polls over ``seconds`` in which ``set_at`` (s since the start) writes the files, stop."""
    set_at(0.0)
    meter.start(device)
    start_ns = sampler.ns
    end_ns = start_ns + round(seconds * 1e9)
    while sampler.ns < end_ns:
        sampler.ns += POLL_NS
        set_at((sampler.ns - start_ns) / 1e9)
        sampler.look()
    sampler.ns += POLL_NS
    window = EnergyWindow(((start_ns + 3 * POLL_NS, end_ns - 2 * POLL_NS),), step_s=0.001, loaded_before_s=0.5)
    return meter.stop(window)


# Ranges that real machines show, and the count in nJ behind them.
RANGES = {262143328850: 61035, 65532610987: 15258, 65712999613: 15300}
RANGE_UJ = 262143328850


def rapl_zone(name: str, energy_uj: object = 5_000_000_000, range_uj: object = RANGE_UJ) -> dict[str, object]:
    return {"name": name, "energy_uj": energy_uj, "max_energy_range_uj": range_uj, "enabled": 0}


def powercap(root: Path, zones: dict[str, dict[str, object]]) -> Path:
    """The tree as the class folder shows it: flat links to nested folders."""
    real = root / "devices"
    flat = root / "class"
    flat.mkdir(parents=True)
    for folder, files in zones.items():
        tree, *numbers = folder.split(":")
        place = real / tree / f"{tree}:{numbers[0]}" / ("" if len(numbers) == 1 else folder)
        write(place, files)
        (flat / folder).symlink_to(place)
    (flat / "intel-rapl").mkdir()
    return flat


TWO_SOCKETS = {
    "intel-rapl:0": rapl_zone("package-0"),
    "intel-rapl:0:0": rapl_zone("core"),
    "intel-rapl:0:1": rapl_zone("dram", range_uj=65712999613),
    "intel-rapl:1": rapl_zone("package-1", 9_000_000_000),
    "intel-rapl:1:0": rapl_zone("dram", 7_000_000_000, 65712999613),
    "intel-rapl:2": rapl_zone("psys"),
}
