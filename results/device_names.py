"""From the name a driver gives a device to a row of the device table: exactly, or not at all.

A wrong row would make a wrong share of the peak, so names are compared whole, after spelling is
evened out. What is listed here was printed by drivers; a part that is sold in several versions
(PCIe, SXM, NVL; 40 and 80 GB; laptop) is told apart by its whole name, and where versions share a
name, by memory. Everything else has no row: cut-down, partitioned and virtual devices above all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from results.price_row import PriceRow

# Row of the table -> names by which drivers call exactly that part.
DRIVER_NAMES: Mapping[str, tuple[str, ...]] = {
    "T4": ("Tesla T4", "NVIDIA T4"),
    "T4G": ("NVIDIA T4G",),
    "P100": ("Tesla P100-PCIE-16GB",),
    "V100": ("Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB"),  # one row for both memories
    "A10": ("NVIDIA A10",),
    "A10G": ("NVIDIA A10G",),
    "A30": ("NVIDIA A30",),
    "A40": ("NVIDIA A40",),
    "L4": ("NVIDIA L4",),
    "L40": ("NVIDIA L40",),
    "L40S": ("NVIDIA L40S",),
    "A100-40GB": ("NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB"),
    "A100-80GB": ("NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB", "NVIDIA A100-SXM-80GB", "A100-SXM-80GB"),
    "A100-PCIe-40GB": ("NVIDIA A100-PCIE-40GB", "A100-PCIE-40GB"),
    "A100-PCIe-80GB": ("NVIDIA A100 80GB PCIe", "A100 80GB PCIe"),
    "H100": ("NVIDIA H100 80GB HBM3",),  # SXM5
    "H100-PCIe": ("NVIDIA H100 PCIe",),
    "H100-NVL": ("NVIDIA H100 NVL",),
    "H200": ("NVIDIA H200",),
    "GH200": ("NVIDIA GH200 480GB",),  # 480 GB beside the CPU, 96 GB of HBM3
    "B200": ("NVIDIA B200",),
    "GB200": ("NVIDIA GB200",),
    "B300": ("NVIDIA B300 SXM6 AC", "NVIDIA B300"),
    "GB300": ("NVIDIA GB300",),
    "RTXPRO6000": ("NVIDIA RTX PRO 6000 Blackwell Server Edition",),
    "RTX3090": ("NVIDIA GeForce RTX 3090",),
    "RTX4090": ("NVIDIA GeForce RTX 4090",),
    "RTX5090": ("NVIDIA GeForce RTX 5090",),
    "MI250X": ("AMD Instinct MI250X",),
    "MI300X": ("AMD Instinct MI300X", "AMD Instinct MI300X OAM"),
    "MI325X": ("AMD Instinct MI325X", "AMD Instinct MI325X OAM"),
    "MI350X": ("AMD Instinct MI350X", "AMD Instinct MI350X OAM"),
    "MI355X": ("AMD Instinct MI355X", "AMD Instinct MI355X OAM"),
    "Gaudi": ("GAUDI",),
    "Gaudi2": ("GAUDI2", "Intel Gaudi 2"),
    "Gaudi3": ("GAUDI3", "Intel Gaudi 3"),
    # XLA's device_kind; from v4 on, one XLA device is one chip. Not so in SHARED below.
    "TPU-v4": ("TPU v4",),
    "TPU-v5e": ("TPU v5 lite", "TPU v5e"),
    "TPU-v5p": ("TPU v5p",),
    "TPU-v6e": ("TPU v6 lite", "TPU v6e"),
    "Hailo-8": ("Hailo-8", "Hailo8"),
    "Hailo-8L": ("Hailo-8L", "Hailo8L"),
    "Hailo-10H": ("Hailo-10H", "Hailo10H"),
}
# Names, spelling evened out, that drivers or publishers use for more than one part: why there is no row.
_FORMS = "the name does not say whether it is SXM, PCIe or NVL"
_CORE = "the driver's device is one core, not the chip that the table is about"
SHARED: Mapping[str, str] = {
    "nvidia h100": _FORMS,
    "h100": _FORMS,
    "nvidia a100": "the name says neither SXM or PCIe nor the memory",
    "a100": "the name says neither SXM or PCIe nor the memory",
    "intel ai boost": "NPUs of several generations share the name",
    "orin": "several Jetson boards share the name",
    "tpu v2": _CORE,
    "tpu v3": _CORE,
    "tpu7x": _CORE,
    "tpu v7x": _CORE,
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


def shared_reason(name: str) -> str | None:
    """Why ``name`` stands for more than one part, where that is known to be so."""
    return SHARED.get(even(name))


# Name in a price table, where it is not the row's own -> row at a memory in GiB.
_SOLD_AS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "a100": ((40.0, "A100-40GB"), (80.0, "A100-80GB")),
    "v100-32gb": ((32.0, "V100"),),
}


def accelerator_row(accelerator: str, memory_gib: float | None) -> str | None:
    """The row of the shipped device table that an accelerator of a price table is priced under, or None.

    By the accelerator's name alone, H100, A100 and V100 lead to the row of that name, which is the
    SXM part, though price tables do not say so there; :func:`sold_part` also reads the instance
    type. This is good for asking what a part is offered for, never for its peaks.

    Args:
        accelerator: as the price table writes it.
        memory_gib: of one accelerator, as the price table has it; must fit the row where both are
            known. None where the table is blank: then only a name that is a row's own leads to it.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    from results.device_table import memory_fits, shipped_devices

    rows = shipped_devices().rows
    names = {even(name): name for name in rows}
    wanted = even(accelerator)
    if wanted in _SOLD_AS:
        if memory_gib is None:
            return None
        sold = [row for size, row in _SOLD_AS[wanted] if abs(size - memory_gib) <= 0.1 * size]
        return sold[0] if sold and sold[0] in rows else None
    if wanted not in names:
        return None
    row = rows[names[wanted]]
    return row.device if memory_gib is None or memory_fits(row, memory_gib) else None


# Accelerators of a price table whose parts come in forms, and the words for a form; "NVLink" is none.
_FAMILY = re.compile(r"(h100|a100|v100)(?:-(pcie|nvl|sxm))?(?:-\d+gb)?")
_FORM = re.compile(r"(?<![a-z0-9])(pcie|nvl|sxm)\d?(?![a-z0-9])")
_H100 = {"sxm": "H100", "pcie": "H100-PCIe", "nvl": "H100-NVL"}


def sold_part(row: PriceRow) -> str | None:
    """The row of the shipped device table that a price is for, or None.

    As :func:`accelerator_row`, but an H100, A100 or V100 whose instance type says PCIe, NVL or SXM
    is that one, whatever the accelerator column says. A form that the device table lacks has no row.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    if row.accelerator is None:
        return None
    family, form = _FAMILY.fullmatch(even(row.accelerator)), _form(row.instance_type)
    if family is None or form is None:
        return accelerator_row(row.accelerator, row.accelerator_memory_gib)
    if family[1] == "h100":
        return accelerator_row(_H100[form], row.accelerator_memory_gib)
    part = accelerator_row(row.accelerator, row.accelerator_memory_gib)
    if part is None or form == "nvl":
        return None
    sxm = part.replace("-PCIe", "")
    if form == "sxm":
        return sxm
    return accelerator_row(sxm.replace("A100-", "A100-PCIe-"), row.accelerator_memory_gib) if "A100-" in sxm else None


def form_stated(row: PriceRow) -> bool:
    """Whether a price says which form it is for; False: an H100, A100 or V100 without a word of it."""
    family = _FAMILY.fullmatch(even(row.accelerator or ""))
    return family is None or family[2] is not None or _form(row.instance_type) is not None


def _form(instance_type: str) -> str | None:
    """The one form that an instance type's words say."""
    found = set(_FORM.findall(even(instance_type).replace("_", " ")))
    return found.pop() if len(found) == 1 else None
