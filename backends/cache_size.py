"""How large the last-level cache is: an array must be several times larger to measure memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SYSFS_CPUS = Path("/sys/devices/system/cpu")
# torch tells the L2 of these, but a larger cache lies between it and the memory. "AMD CDNA 3
# Architecture" white paper: 256 MB of Infinity Cache; CDNA 4 has the same.
_INFINITY_CACHE_BYTES = {"gfx942": 256 * 2**20, "gfx950": 256 * 2**20}
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def cpu_cache_bytes(folder: Path = SYSFS_CPUS) -> int | None:
    """All last-level caches of the machine together, as Linux tells; None where it does not.

    Each cache is listed by every CPU that shares it and counts once.
    """
    caches: dict[tuple[int, str], int] = {}
    for index in folder.glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            level = int((index / "level").read_text())
            size = _size_bytes((index / "size").read_text().strip())
            shared = (index / "shared_cpu_list").read_text().strip()
        except (OSError, ValueError):
            continue  # a virtual machine may hide some of them
        caches[level, shared] = size
    if not caches:
        return None
    last = max(level for level, _ in caches)
    return sum(size for (level, _), size in caches.items() if level == last)


def accelerator_cache_bytes(kind: str, properties: Any) -> int | None:
    """The cache before the memory of an accelerator, from torch's device properties; None if unknown."""
    if kind == "rocm":
        architecture = str(getattr(properties, "gcnArchName", "")).split(":")[0]
        return _INFINITY_CACHE_BYTES.get(architecture)
    for name in ("last_level_cache_size", "L2_cache_size"):
        size = getattr(properties, name, None)
        if isinstance(size, int) and size > 0:
            return size
    return None


def _size_bytes(text: str) -> int:
    """``32768K`` -> 33554432."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    return int(number) * _UNITS.get(unit, 1)
