"""From the name a driver gives a device to a row of the device table: exactly, or not at all.

A wrong row would make a wrong share of the peak, so names are compared whole, after spelling is
evened out. What is listed here was printed by drivers; a part that is sold in several versions
(PCIe, SXM, NVL; 40 and 80 GB; laptop) is told apart by its whole name, and where versions share a
name, by memory. Everything else has no row: cut-down, partitioned and virtual devices above all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Row of the table -> names by which drivers call exactly that part.
DRIVER_NAMES: Mapping[str, tuple[str, ...]] = {
    "T4": ("Tesla T4", "NVIDIA T4"),
    "V100": ("Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB"),  # one row for both memories
    "A10G": ("NVIDIA A10G",),
    "L4": ("NVIDIA L4",),
    "L40S": ("NVIDIA L40S",),
    "A100-40GB": ("NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB"),
    "A100-80GB": ("NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB", "NVIDIA A100-SXM-80GB", "A100-SXM-80GB"),
    "H100": ("NVIDIA H100 80GB HBM3",),  # SXM5
    "H100-PCIe": ("NVIDIA H100 PCIe",),
    "H100-NVL": ("NVIDIA H100 NVL",),
    "H200": ("NVIDIA H200",),
    "GH200": ("NVIDIA GH200 480GB",),  # 480 GB beside the CPU, 96 GB of HBM3
    "B200": ("NVIDIA B200",),
    "GB200": ("NVIDIA GB200",),
    "B300": ("NVIDIA B300 SXM6 AC", "NVIDIA B300"),
    "RTX4090": ("NVIDIA GeForce RTX 4090",),
    "RTX5090": ("NVIDIA GeForce RTX 5090",),
    "MI250X": ("AMD Instinct MI250X",),
    "MI300X": ("AMD Instinct MI300X", "AMD Instinct MI300X OAM"),
    "MI325X": ("AMD Instinct MI325X", "AMD Instinct MI325X OAM"),
    "MI355X": ("AMD Instinct MI355X", "AMD Instinct MI355X OAM"),
    "Gaudi2": ("GAUDI2", "Intel Gaudi 2"),
    "Gaudi3": ("GAUDI3", "Intel Gaudi 3"),
}
# One row, and one driver's name, for parts with different memory.
SAME_PEAKS_AT_MEMORY_GIB: Mapping[str, tuple[float, ...]] = {"V100": (16.0, 32.0)}
# Maker of a row -> the kinds of device that can be one; kinds as in ``results.records.Device``.
KINDS: Mapping[str, tuple[str, ...]] = {
    "NVIDIA": ("cuda",),
    "AMD": ("rocm", "npu"),
    "Intel": ("xpu", "hpu", "npu"),
    "Google": ("tpu", "xla"),
    "AWS": ("neuron", "xla"),
}
# Words that say that this is not the whole part, or another one under its name.
_LESSER = re.compile(r"\b(mig|vgpu|grid|vf|laptop|mobile|max-?q|d)\b", re.IGNORECASE)


def even(name: str) -> str:
    """Spelling evened out: case, marks, runs of blanks; not one word more."""
    return " ".join(re.sub(r"\((?:r|tm|c)\)|[®™©]", " ", name, flags=re.IGNORECASE).lower().split())


def row_name(name: str, rows: Iterable[str]) -> str | None:
    """Which of ``rows`` is the part that a driver calls ``name``, or None.

    A row that is not in :data:`DRIVER_NAMES` (one that a user added) stands for its own name.
    """
    wanted = even(name)
    for row in rows:
        if wanted in map(even, DRIVER_NAMES.get(row, (row,))):
            return row
    return None


def lesser_word(name: str) -> str | None:
    """The word in ``name`` that marks a cut-down, partitioned, virtual or mobile part, if there is one."""
    found = _LESSER.search(name)
    return found.group(0) if found else None
