"""From the name that a publisher gives an accelerator to a row of the device table: exactly, or not at all.

Result tables (MLPerf's, vendors') do not write names as drivers do: ``NVIDIA H100-SXM5-80GB``,
``AMD Instinct MI300X 192GB HBM3``, ``NVIDIA Blackwell GPU (GB200)``. A name is taken apart into
the part, its form, and words that say only what the row says too: its memory, the kind of it, its
rated power, and how many there are. Whatever else is in the name makes it another part: another
form, power limit, memory, cooling or partition runs at another speed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from results.device_names import even, lesser_word, row_name, shared_reason
from results.device_table import DeviceMatch, DeviceRow, DeviceTable, memories_gib

_SXM = ("sxm", "sxm5")
# Part, spelling evened out -> form as written ("" where the name has none) -> row of the device table.
PARTS: Mapping[str, Mapping[str, str]] = {
    "t4": {"": "T4", "pcie": "T4"},
    "l4": {"": "L4", "pcie": "L4"},
    "l40": {"": "L40", "pcie": "L40"},
    "l40s": {"": "L40S", "pcie": "L40S"},
    "a10": {"": "A10", "pcie": "A10"},
    "a30": {"": "A30", "pcie": "A30"},
    "a40": {"": "A40", "pcie": "A40"},
    "v100": {"sxm2": "V100"},
    "h100": {**dict.fromkeys(_SXM, "H100"), "pcie": "H100-PCIe", "nvl": "H100-NVL"},
    "h200": dict.fromkeys(("", *_SXM), "H200"),
    "b200": dict.fromkeys(("", "sxm", "sxm6"), "B200"),
    "gb200": {"": "GB200"},
    "b300": dict.fromkeys(("", "sxm", "sxm6"), "B300"),
    "gb300": {"": "GB300"},
    "mi300x": dict.fromkeys(("", "oam"), "MI300X"),
    "mi325x": dict.fromkeys(("", "oam"), "MI325X"),
    "mi350x": dict.fromkeys(("", "oam"), "MI350X"),
    "mi355x": dict.fromkeys(("", "oam"), "MI355X"),
}
# Where form and memory in GB together decide, so that both must be in the name.
BY_MEMORY: Mapping[str, Mapping[tuple[str, int], str]] = {
    "a100": {
        **{(form, gb): f"A100-{gb}GB" for form in ("sxm", "sxm4") for gb in (40, 80)},
        **{("pcie", gb): f"A100-PCIe-{gb}GB" for gb in (40, 80)},
    },
    "gh200": {("", 96): "GH200"},
}
# Whole names that are not of the pattern above, spelling evened out.
ALIASES: Mapping[str, str] = {
    "rtx pro 6000 blackwell server edition": "RTXPRO6000",
    "gaudi 2": "Gaudi2",
    "gaudi2": "Gaudi2",
    "gaudi 2 ai accelerator": "Gaudi2",
    "gaudi 3": "Gaudi3",
    "gaudi3": "Gaudi3",
    "gaudi 3 ai accelerator": "Gaudi3",
    "tpu v2": "TPU-v2",
    "tpu v3": "TPU-v3",
    "tpu v4": "TPU-v4",
    "tpu v5e": "TPU-v5e",
    "tpu v5p": "TPU-v5p",
    "tpu v6e": "TPU-v6e",
    "tpu trillium": "TPU-v6e",
    "trillium": "TPU-v6e",
    "trillium/tpu v6e": "TPU-v6e",
    "tpu v6e (trillium)": "TPU-v6e",
    "tpu v7x": "TPU-v7x",
    "trainium": "Trainium",
    "trainium2": "Trainium2",
    "inferentia": "Inferentia",
    "inferentia2": "Inferentia2",
}
# Memory in GB as published, where the row has another size for the same part.
PUBLISHED_GB: Mapping[str, tuple[float, ...]] = {"B300": (270.0,)}
# Words for an Instinct that is not partitioned.
_WHOLE = {"nps1", "spx"}
_VENDORS = ("nvidia", "amd instinct", "amd", "intel", "google cloud", "google", "cloud", "aws", "habana")
_FORM_WORDS = {"sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6", "pcie", "nvl", "oam"}
_WRAPPED = (
    (re.compile(r"nvidia blackwell gpu \((g?b200[^()]*)\)"), r"nvidia \1"),
    (re.compile(r"nvidia blackwell ultra gpu \((g?b300[^()]*)\)"), r"nvidia \1"),
)
_SEVERAL = re.compile(r",|;|\+|&|\band\b|\bor\b")
_COUNT = re.compile(r"\s*(?:\(x ?\d+\)|\bx ?\d+)$|^\d+ ?x\s+")
_NOTHING = {"", "n/a", "na", "none", "-"}


def match_published(table: DeviceTable, name: str) -> DeviceMatch:
    """The row of the part that a publisher calls ``name``; never a guess.

    Args:
        table: where to look.
        name: as it stands in the publisher's table, with or without a count such as ``(x8)``.
    """
    wanted = even(name)
    if wanted in _NOTHING:
        return DeviceMatch(None, "no accelerator is named")
    for pattern, plain in _WRAPPED:
        wanted = pattern.sub(plain, wanted)
    if _SEVERAL.search(wanted):
        return DeviceMatch(None, f"{name!r} names several parts")
    wanted = _COUNT.sub("", wanted)
    by_driver = row_name(wanted, table.rows)
    # A publisher means the chip where a driver means a core; other shared names stay so.
    listed = by_driver or ALIASES.get(_bare(wanted)) or ALIASES.get(_bare(wanted.replace("-", " ")))
    if listed is not None:
        return _of_row(table, name, listed)
    return _taken_apart(table, name, _bare(wanted))


def _bare(wanted: str) -> str:
    """Without its maker."""
    for vendor in _VENDORS:
        if wanted.startswith(vendor + " "):
            return wanted[len(vendor) + 1 :]
    return wanted


def _taken_apart(table: DeviceTable, name: str, bare: str) -> DeviceMatch:
    part, *words = re.split(r"[\s\-_]+", bare)
    if part not in BY_MEMORY and part not in PARTS:
        return _unknown(table, name)
    forms = [word for word in words if word in _FORM_WORDS]
    others = [word for word in words if word not in _FORM_WORDS]
    if len(forms) > 1:
        return DeviceMatch(None, f"{name!r} names several forms of one part")
    form = forms[0] if forms else ""
    listed = _by_memory(part, form, others) if part in BY_MEMORY else PARTS[part].get(form)
    if listed is None:
        why = _which(part, form)
        return DeviceMatch(None, f"{name!r} is no name of a part in {table.path.name}: {why}")
    row = table.rows.get(listed)
    if row is None:
        return _unknown(table, name)
    strange = [word for word in others if not _harmless(row, word)]
    if strange:
        what = " ".join(strange)
        return DeviceMatch(None, f"{name!r} is not surely {row.device}: {what!r} is not in that row: another version")
    return DeviceMatch(row)


def _which(part: str, form: str) -> str:
    if part in BY_MEMORY:
        return "no row is of the form and memory that the name has, or it does not say both"
    return f"{form!r} is another version" if form else "the name does not say which version it is"


def _by_memory(part: str, form: str, words: list[str]) -> str | None:
    sizes = [int(found[1]) for word in words if (found := re.fullmatch(r"(\d+)gb", word))]
    return BY_MEMORY[part].get((form, sizes[0])) if len(sizes) == 1 else None


def _harmless(row: DeviceRow, word: str) -> bool:
    """Whether a word of a name says no more than its row does."""
    if found := re.fullmatch(r"(\d+)gi?b", word):
        return float(found[1]) in (*memories_gib(row), *PUBLISHED_GB.get(row.device, ()))
    if found := re.fullmatch(r"(\d+)w", word):
        return float(found[1]) == row.tdp_w
    if word in _WHOLE:
        return row.vendor == "AMD"
    return word == row.memory_type.lower() != ""


def _of_row(table: DeviceTable, name: str, listed: str) -> DeviceMatch:
    row = table.rows.get(listed)
    return DeviceMatch(row) if row is not None else _unknown(table, name)


def _unknown(table: DeviceTable, name: str) -> DeviceMatch:
    lesser, shared = lesser_word(name), shared_reason(name)
    why = f", and {lesser!r} in its name marks another or lesser part" if lesser else ""
    why += f": {shared}" if shared else ""
    return DeviceMatch(None, f"{name!r} is no name of a part in {table.path.name}{why}")
