"""Accelerators of other tools' catalogues: their names in our price table, their memory, which are shares of one.

A name that is not known is kept as it stands. A memory is stored only where it is the part's own: a catalogue's
figure within 10 % of the device table's (usable memory, GB for GiB) becomes the device table's, so that rows of the
same part share their key; one that does not fit is left blank, and the row's source says so.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from results.device_names import even
from results.device_table import MEMORY_TOLERANCE, shipped_devices

# Name in a catalogue, spelling evened out -> name in our price table. Rows of the device table stand for themselves.
NAMES: Mapping[str, str] = {
    "a100-40gb": "A100",
    "a100-sxm4-40gb": "A100",
    "a100-80g": "A100-80GB",
    "a100-80gb-sxm": "A100-80GB",
    "a100-80gb-pcie": "A100-80GB",
    "a100-sxm4-80gb": "A100-80GB",
    "v100-16gb": "V100",
    "v100-32g": "V100-32GB",
    "v100-32gb": "V100-32GB",
    "h100-80gb": "H100",
    "h100-sxm": "H100",
    "h100-sxm5": "H100",
    "h100-mega": "H100",  # Google's a3-megagpu; the part is the same
    "h100nvl": "H100-NVL",
    "h200-sxm": "H200",
    "b200-sxm": "B200",
    "b300-sxm": "B300",
    "rtx-3090": "RTX3090",
    "rtx-4090": "RTX4090",
    "rtx-5090": "RTX5090",
    "rtx-pro-4500": "RTXPRO4500",
    "rtx-pro-6000": "RTXPRO6000",
    "rtxpro6000-server": "RTXPRO6000",
    "radeon-pro-v520": "Radeon-Pro-V520",
    "gaudi-hl-205": "Gaudi",
    "tpu-v5litepod": "TPU-v5e",
    "v5litepod": "TPU-v5e",
}
# Memories under one name that are rows of their own in a price table.
BY_MEMORY: Mapping[str, tuple[tuple[float, str], ...]] = {
    "A100": ((40.0, "A100"), (80.0, "A100-80GB")),
    "V100": ((16.0, "V100"), (32.0, "V100-32GB")),
}
_NOMINAL_GIB: Mapping[str, float] = {"A100": 40.0, "V100-32GB": 32.0}  # not names of the device table
# TPU generations and how many numbers of a slice's name are one chip: v5p-8 has 8 cores and 4 chips.
# https://cloud.google.com/tpu/docs (v2, v3, v4, v5p: TensorCores, two a chip; v5e, v6e: chips)
_TPU_PER_CHIP: Mapping[str, int] = {"v2": 2, "v3": 2, "v4": 2, "v5p": 2, "v5litepod": 1, "v5e": 1, "v6e": 1}
_TPU_SLICE = re.compile(r"(?:tpu-)?(v\d(?:litepod|e|p)?)-(\d{1,6})", re.ASCII)
# A share of an accelerator: what the whole one costs cannot be told from it.
_FRACTIONAL = re.compile(
    r"g6f\..*|gr6f\..*|g4-standard-(6|12|24)|Standard_NV(6|12|18)ads_A10_v5|Standard_NV(4|8|16)as_v4"
    r"|Standard_NV(4|8|12)ads_V710_v5",
    re.IGNORECASE | re.ASCII,
)


class Part(NamedTuple):
    """An accelerator as the price table writes it."""

    accelerator: str
    memory_gib: float | None
    note: str = ""  # why the memory is blank


class Slice(NamedTuple):
    """A TPU slice: its name without a prefix, the part, and how many chips it has."""

    name: str  # v5p-8
    accelerator: str
    num_chips: int


def is_fractional(instance_type: str) -> bool:
    """Whether an instance type holds a share of an accelerator."""
    return _FRACTIONAL.fullmatch(instance_type) is not None


@functools.lru_cache(maxsize=10_000)
def our_name(name: str) -> str:
    """A catalogue's name of an accelerator as our price table writes it; an unknown one as it stands."""
    key = re.sub(r"[ _]+", "-", even(name))
    return NAMES.get(key) or _row_names().get(key) or name


@functools.lru_cache(maxsize=10_000)
def part(name: str, memory_gib: float | None) -> Part:
    """The part that a catalogue calls ``name``.

    Args:
        name: as the catalogue writes it.
        memory_gib: of one accelerator, as the catalogue has it, repaired if need be; None: not stated.
    """
    accelerator = our_name(name)
    if memory_gib is None:
        return Part(accelerator, None)
    for nominal, of_memory in BY_MEMORY.get(accelerator, ()):
        if fits(memory_gib, nominal):
            return Part(of_memory, nominal)
    known = nominal_gib(accelerator)
    if known is None and 1 <= memory_gib <= 1024:
        return Part(accelerator, memory_gib)
    if known is not None and fits(memory_gib, known):
        return Part(accelerator, known)
    return Part(accelerator, None, f"memory left blank: {memory_gib:g} GiB is not that of {accelerator}")


def nominal_gib(accelerator: str) -> float | None:
    """The memory of an accelerator under our name, as the device table has it; None if it has none."""
    row = shipped_devices().rows.get(accelerator)
    return _NOMINAL_GIB.get(accelerator) or (row.memory_gib if row else None)


def fits(memory_gib: float, nominal: float) -> bool:
    """Whether a stated memory is that of a part."""
    return abs(memory_gib - nominal) <= MEMORY_TOLERANCE * nominal


def tpu_slice(name: str) -> Slice | None:
    """The TPU slice of a name such as ``tpu-v5p-8``; None if it is none that we know."""
    found = _TPU_SLICE.fullmatch(name)
    if found is None or found[1] not in _TPU_PER_CHIP:
        return None
    num_chips, rest = divmod(int(found[2]), _TPU_PER_CHIP[found[1]])
    if rest or not num_chips:
        return None
    generation = "v5e" if found[1] == "v5litepod" else found[1]
    return Slice(f"{found[1]}-{found[2]}", f"TPU-{generation}", num_chips)


@functools.cache
def _row_names() -> dict[str, str]:
    return {re.sub(r"[ _]+", "-", even(name)): name for name in shipped_devices().rows}
