"""Which chip a published MLPerf system is made of, and how many of them: as published, or null with the reason."""

from __future__ import annotations

import re
from typing import NamedTuple

from results.device_table import DeviceTable
from results.imports.power_limits import another_part, limits_in
from results.published_names import match_published

_NO_ACCELERATOR = {"", "n/a", "na", "none", "-", "0"}
_SEVERAL = re.compile(r",|;|\+|&|/(?!a\b)|\band\b|\(x ?\d+\).*\(x ?\d+\)", re.IGNORECASE)
_COUNT_IN_NAME = re.compile(r"\(x ?(\d+)\)|^(\d+) ?x ", re.IGNORECASE)
_COUNT_IN_SYSTEM = re.compile(r"(?:^|[_ ,(-])(\d+) ?x ?([A-Za-z]+\d+[A-Za-z0-9]*)", re.IGNORECASE)
# The number in the name of a slice counts cores, of which a TPU v5p chip has two.
_V5P_SLICE = re.compile(r"v5p-(\d+)", re.IGNORECASE)


class Published(NamedTuple):
    """What a row says of its system. Counts are None where the row has none."""

    system: str
    platform: str
    accelerator: str
    processor: str
    num_nodes: int | None
    per_node: int | None
    total: int | None  # accelerators, where the table has a column for it
    notes: str


class Chips(NamedTuple):
    """The accelerators of a system; fields as in :class:`results.imported_record.ImportedResult`."""

    accelerator: str | None
    device: str | None
    device_reason: str
    num_accelerators: int | None
    num_accelerators_reason: str
    per_chip_reason: str  # why nothing may be said for each chip; "" if it may
    doubts: tuple[str, ...]


def chips_of(published: Published, devices: DeviceTable) -> Chips:
    """The chips of a system.

    The number is nodes times accelerators of a node, which MLPerf's tables count by node. Where
    the row contradicts itself, it stays as published and nothing is derived for each chip.
    """
    name = published.accelerator
    if name.strip().lower() in _NO_ACCELERATOR:
        return _none(published)
    number, doubts = _number(published)
    reason = "" if number else "the row does not say how many accelerators the system has"
    device, device_reason, limits = _device(published, devices)
    mixed = _SEVERAL.search(name) is not None
    unclear = f"the number of accelerators is in doubt: {doubts[0]}" if doubts else reason
    if mixed:
        device, device_reason = None, "a system of several kinds of accelerator"
        unclear = "a system of several kinds of accelerator has no value for each"
    return Chips(
        accelerator=name,
        device=device,
        device_reason=device_reason,
        num_accelerators=number,
        num_accelerators_reason=reason or (unclear if doubts else ""),
        per_chip_reason=unclear,
        doubts=(*doubts, *limits),
    )


def _none(published: Published) -> Chips:
    doubts = []
    if published.per_node or published.total:
        doubts.append(f"{published.per_node or published.total} accelerators are counted, but none is named")
    if "[gpu]" in published.processor.lower():
        doubts.append("the name of the processor says that its integrated GPU was used")
    reason = "no accelerator is named"
    return Chips(None, None, reason, None, reason, reason, tuple(doubts))


def _number(published: Published) -> tuple[int | None, list[str]]:
    """The number of accelerators as published, and every contradiction in it."""
    counted = None
    if published.num_nodes and published.per_node:
        counted = published.num_nodes * published.per_node
    number = published.total or counted
    doubts = []
    if published.total and counted and published.total != counted:
        doubts.append(
            f"{published.total} accelerators in all, but {published.num_nodes} nodes of {published.per_node} "
            f"are {counted}"
        )
    by_name = _count_by_name(published)
    if number and by_name and by_name != number:
        doubts.append(f"{number} accelerators by its columns, {by_name} by its name")
    if (found := _V5P_SLICE.search(published.system)) and number and int(found[1]) != 2 * number:
        doubts.append(f"{found[0]} is a slice of {int(found[1]) // 2} chips, but {number} are counted")
    return number, doubts


def _count_by_name(published: Published) -> int | None:
    """``(x87)`` behind the accelerator, or ``87xMI355X`` in the platform; None if several or none."""
    if _SEVERAL.search(published.accelerator):
        return None
    found = _COUNT_IN_NAME.search(published.accelerator)
    if found:
        named = int(found[1] or found[2])
        return named if named != published.per_node else None
    parts = _COUNT_IN_SYSTEM.findall(published.platform)
    own = [int(count) for count, part in parts if part.lower() in published.accelerator.lower()]
    # A name often tells what is in one node.
    return own[0] if len(own) == 1 and own[0] != published.per_node else None


def _device(published: Published, devices: DeviceTable) -> tuple[str | None, str, list[str]]:
    """The row, why there is none, and what is to be said of its power."""
    found = match_published(devices, published.accelerator)
    limits = limits_in((published.accelerator, published.system, published.platform, published.notes))
    if found.row is None:
        said = [
            f"{limit.words!r}: the accelerators ran with another power limit" for limit in limits if not limit.stated
        ]
        return None, found.reason, said
    reason, doubts = another_part(limits, found.row.device, found.row.tdp_w)
    return (None if reason else found.row.device), reason, doubts
