"""Which NVIDIA card an index of CUDA names, where that can be proven; otherwise why it cannot.

CUDA numbers the cards that ``CUDA_VISIBLE_DEVICES`` leaves, in the order given there. Integers there,
and the cards where it is not set, count in the order of ``CUDA_DEVICE_ORDER``, which is the fastest
card first unless it is ``PCI_BUS_ID``. Nobody but CUDA knows which card it holds for faster, so an index
proves nothing then. Entries after one that CUDA does not understand, and after -1, are hidden; if a card
is named twice, all are (CUDA C++ Programming Guide, "CUDA Environment Variables").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.guards.base import Unreadable

VARIABLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
REMEDY = f"set {ORDER}=PCI_BUS_ID, or list UUIDs (nvidia-smi -L) in {VARIABLE}"


class ListedCard(NamedTuple):
    """A card as NVML lists it: UUID (``GPU-...``) and PCI place (domain, bus, device)."""

    uuid: str
    place: tuple[int, int, int]


def visible_card(index: int, environment: Mapping[str, str], cards: Sequence[ListedCard]) -> str:
    """UUID of the card that ``cuda:index`` is, or an entry ``MIG-...`` as it stands.

    Args:
        index: as CUDA counts.
        environment: as CUDA saw it when it began.
        cards: all that NVML lists, in any order.

    Raises:
        Unreadable: it cannot be proven which; the text says what to set.
    """
    if len(cards) == 1 and not environment.get(VARIABLE, "").strip().startswith("MIG-"):
        if index == 0:
            return cards[0].uuid
        raise Unreadable(f"cuda:{index} cannot be: there is one NVIDIA card")
    by_bus = [card.uuid for card in sorted(cards, key=lambda card: card.place)]
    listed = environment.get(VARIABLE)
    entries = [str(number) for number in range(len(by_bus))] if listed is None else _entries(listed)
    is_ordered = environment.get(ORDER) == "PCI_BUS_ID"
    visible: list[str] = []
    for entry in entries:
        card = _named(entry, by_bus)
        if card is None or _is_number(entry) != _is_number(entries[0]):
            break
        visible.append(card)
    if len(set(visible)) != len(visible):
        raise Unreadable(f"{VARIABLE}={listed} names a card twice, so that CUDA sees none")
    if index >= len(visible):
        raise Unreadable(f"{VARIABLE}={listed} leaves {len(visible)} cards, and cuda:{index} is none of them; {REMEDY}")
    if _is_number(entries[0]) and not is_ordered:
        raise Unreadable(f"torch tells neither UUID nor PCI bus id, and cuda:{index} may name any card; {REMEDY}")
    return visible[index]


def _entries(listed: str) -> list[str]:
    return [entry.strip() for entry in listed.split(",")]


def _is_number(entry: str) -> bool:
    return entry.isascii() and entry.isdecimal()


def _named(entry: str, by_bus: Sequence[str]) -> str | None:
    """The card that an entry names; None if it names none, or more than one."""
    if _is_number(entry):
        return by_bus[int(entry)] if int(entry) < len(by_bus) else None
    if entry.startswith("MIG-"):
        return entry
    # CUDA takes the beginning of a UUID where no other card begins like that.
    found = [uuid for uuid in by_bus if uuid.startswith(entry)] if entry.startswith("GPU-") else []
    return found[0] if len(found) == 1 else None
