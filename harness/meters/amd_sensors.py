"""What amdsmi tells of one AMD card: finding the card, and its counter, power, cap and partition.

amdsmi numbers cards in its own order, which is not HIP's, so a card is found by what it is, never by
an index that only might agree. Missing values are the text "N/A" in new versions and all ones in old
ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results.records import Device

# Newest name first: "power" held the counter before ROCm 6.2.1.
COUNTER_KEYS = ("energy_accumulator", "power")
# Watts. MI300 and newer answer the first, older cards the second, ROCm 7 the third for both.
POWER_KEYS = ("current_socket_power", "average_socket_power", "socket_power")
MISSING = frozenset((0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF))
# One accelerator of two dies with one power sensor.
TWO_DIES = ("MI250",)
# Socket power is that of CPU cores too where they are in the socket (kernel: gpu/amdgpu/thermal.html,
# power1_input). Neither amdsmi nor torch says where they are, so this goes by name: Radeon 780M, 8060S.
MODULES = ("MI300A",)
APU = re.compile(r"RADEON(?:\(TM\))? (?:\d{3}M|80\d0S)\b")
# How a card may be divided into devices (amd-smi set --compute-partition); SPX is not at all.
WHOLE, PARTITIONS = "SPX", ("DPX", "TPX", "QPX", "CPX")
# AMDSMI_STATUS_NOT_SUPPORTED: the driver shows no such thing for this card.
NOT_SUPPORTED = 2
# amdsmi_virtualization_mode_t; a card passed through to a guest as a whole is 4.
HOST, GUEST = 2, 3
VIRTUAL = {
    GUEST: "the card is a virtual function of a guest, and the power is of the whole card",
    HOST: "the card is divided among guests of this host, and the power is of the whole card",
}
# Which of the cards a process sees, and hence what its index 0 is.
VISIBILITY = ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")


class AmdError(Exception):
    """amdsmi or the card cannot tell; the text is the reason."""


def number(value: object) -> int | None:
    """``value`` if it is a whole number that was read; None for "N/A" and for all ones."""
    if isinstance(value, bool) or not isinstance(value, int) or value in MISSING or value < 0:
        return None
    return value


def counter_uj(answer: Mapping[str, object]) -> int:
    """Energy in uJ from what ``amdsmi_get_energy_count`` says, in integers.

    The step comes as a 32-bit float of about 15.3 uJ: to a millionth of a uJ it is what was meant.

    Raises:
        AmdError: no counter, or no step.
    """
    count = next((n for key in COUNTER_KEYS if (n := number(answer.get(key))) is not None), None)
    step_uj = answer.get("counter_resolution")
    if count is None or not isinstance(step_uj, (int, float)) or not 0 < step_uj < 1e6:
        raise AmdError("amdsmi_get_energy_count tells no counter")
    energy_uj = (count * round(step_uj * 1e6) + 500_000) // 1_000_000
    if energy_uj >= 2**63:
        raise AmdError(f"the energy counter says {energy_uj} uJ, which cannot be")
    return energy_uj


class AmdCard:
    """One card of amdsmi.

    Args:
        library: the module ``amdsmi``, initialized.
        device: as torch tells it.

    Raises:
        AmdError: no card of amdsmi is surely this one.
    """

    def __init__(self, library: Any, device: Device) -> None:
        self._library, self._device = library, device
        self._cards = list(library.amdsmi_get_processor_handles())
        self._handle = _find(library, self._cards, device)
        self.bus_id = str(self._ask("amdsmi_get_gpu_device_bdf") or "")

    def energy_uj(self) -> int:
        """The energy counter now, in uJ.

        Raises:
            AmdError: it tells none, or fails.
        """
        return counter_uj(self._told("amdsmi_get_energy_count"))

    def power_uw(self, key: str) -> int:
        """Socket power now in uW, from field ``key``.

        Raises:
            AmdError: it tells none, fails, or tells 0 W, which no card draws.
        """
        watts = number(self._told("amdsmi_get_power_info").get(key))
        if not watts:
            raise AmdError(f"amdsmi_get_power_info {key}: " + ("0 W" if watts == 0 else "not available"))
        return watts * 1_000_000

    def power_key(self) -> str:
        """The field in which this card tells its power.

        Raises:
            AmdError: in none, or it is 0 W.
        """
        found = _power(self._library, self._handle)
        if not found:
            raise AmdError("amdsmi tells no socket power of this card")
        key = next((key for key, watts in found.items() if watts), None)
        if key is None:
            raise AmdError("amdsmi tells a socket power of 0 W, which cannot be")
        return key

    def shared(self) -> str:
        """Why power is, or may be, of more than the device; empty if it is not."""
        virtual = VIRTUAL.get(self.virtualization() or 0)
        if virtual:
            return f"shared_device: {virtual}"
        return self._partitioned() or (self._of_two_dies() if self.has_two_dies() else "")

    def virtualization(self) -> int | None:
        """An ``amdsmi_virtualization_mode_t``; None if it is not told, as by versions before ROCm 6.4."""
        answer = self._ask("amdsmi_get_gpu_virtualization_mode")
        mode = answer.get("mode") if isinstance(answer, Mapping) else None
        return int(mode) if isinstance(mode, int) and mode > 0 else None

    def _partitioned(self) -> str:
        try:
            partition = str(self._library.amdsmi_get_gpu_compute_partition(self._handle))
        except Exception as error:  # of amdsmi, whatever its class
            if _is_not_supported(error):
                return ""
            return f"not known whether the card is shared: its compute partition cannot be read: {_flat(error)}"
        if partition in (WHOLE, "N/A"):  # N/A where there are none, as older versions of amdsmi say it
            return ""
        if partition in PARTITIONS:
            return f"shared_device: the card is partitioned ({partition}), and its power is that of all parts"
        return f"not known whether the card is shared: its compute partition says {partition!r}"

    def _of_two_dies(self) -> str:
        dies = [max(_power(self._library, card).values(), default=0) for card in self._cards]
        own = dies[self._cards.index(self._handle)]
        if not own:
            return "shared_device: this die tells 0 W; the other die of its card tells the power of both"
        if 2 * dies.count(0) != len(dies):
            return "shared_device: the card has two dies, and it is not known whether this power is of one or of both"
        return ""

    def has_two_dies(self) -> bool:
        """Two devices of torch are one board with one sensor."""
        return self._is_named(TWO_DIES)

    def scope(self) -> str:
        """What a socket is: a board, or, where CPU cores are in it as well, a module or a system on chip."""
        if self._is_named(MODULES):
            return "module"
        return "soc" if APU.search(self._names()) else "gpu_board"

    def _is_named(self, names: Sequence[str]) -> bool:
        return any(name in self._names() for name in names)

    def _names(self) -> str:
        asic = self._ask("amdsmi_get_gpu_asic_info")
        market_name = asic.get("market_name", "") if isinstance(asic, Mapping) else ""
        return f"{self._device.name} / {market_name}".upper()

    def limits_w(self) -> tuple[float | None, float | None]:
        """Enforced power limit and its default in W, each None if not told."""
        answer = self._ask("amdsmi_get_power_cap_info")
        if not isinstance(answer, Mapping):
            return None, None
        caps = [number(answer.get(key)) for key in ("power_cap", "default_power_cap")]
        # Microwatts: what is below one watt is some other unit or nothing.
        now, default = (cap / 1e6 if cap and cap >= 1_000_000 else None for cap in caps)
        return now, default

    def driver(self) -> str | None:
        """Version of the driver."""
        answer = self._ask("amdsmi_get_gpu_driver_info")
        version = answer.get("driver_version") if isinstance(answer, Mapping) else None
        return str(version) if version and version != "N/A" else None

    def counter_problem(self) -> str:
        """Why there is no energy counter; empty if there is one. Guests of a virtual machine have none."""
        try:
            self.energy_uj()
        except AmdError as error:
            return str(error)
        return ""

    def _ask(self, function: str) -> Any:
        return _ask(self._library, function, self._handle)

    def _told(self, function: str) -> Any:
        """As ``_ask``, but raises AmdError with all that amdsmi says: its own texts have many lines."""
        try:
            return getattr(self._library, function)(self._handle)
        except Exception as error:  # of amdsmi, whatever its class
            raise AmdError(f"{function}: {_flat(error)}") from error


def _flat(error: Exception) -> str:
    """Type and text of an error in one line; the texts of amdsmi begin with a line that says nothing."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _is_not_supported(error: Exception) -> bool:
    return getattr(error, "err_code", None) == NOT_SUPPORTED


def _ask(library: Any, function: str, handle: object) -> Any:
    """What ``function`` says of a card; None if it is missing or fails."""
    try:
        return getattr(library, function)(handle)
    except Exception:  # older versions lack some, cards do not support some
        return None


def _power(library: Any, handle: object) -> dict[str, int]:
    """Socket power in W by field; without those that tell none."""
    answer = _ask(library, "amdsmi_get_power_info", handle)
    if not isinstance(answer, Mapping):
        return {}
    return {key: watts for key in POWER_KEYS if (watts := number(answer.get(key))) is not None}


def _find(library: Any, cards: Sequence[object], device: Device) -> object:
    """The one card that is ``device``: by PCI bus id, else by UUID, else by HIP's own index."""
    bus_id, uuid = device.details.get("pci_bus_id"), device.details.get("uuid")
    tried = []
    if bus_id:
        # Parts of one card differ in the function only, and torch does not tell it.
        place = str(bus_id).lower().rpartition(".")[0]
        tried.append(f"PCI bus id {bus_id}")
        found = _matching(cards, lambda card: _bus_id(library, card).rpartition(".")[0] == place)
        if len(found) > 1:
            raise AmdError(
                f"shared_device: {len(found)} devices of amdsmi are at PCI bus id {bus_id}: parts of one card"
            )
        if found:
            return found[0]
    if uuid:
        wanted = _uuid_forms(str(uuid))
        tried.append(f"UUID {uuid}")
        found = _matching(cards, lambda card: str(_enumeration(library, card, "hip_uuid")).lower() in wanted)
        if len(found) == 1:
            return found[0]
    if tried:
        raise AmdError(f"amdsmi knows no card with {' or '.join(tried)}")
    return _by_index(library, cards, device)


def _by_index(library: Any, cards: Sequence[object], device: Device) -> object:
    set_here = [name for name in VISIBILITY if os.environ.get(name) is not None]
    if set_here:
        raise AmdError(f"torch tells neither PCI bus id nor UUID, and {set_here[0]} renumbers the cards")
    index = device.id.rpartition(":")[2]
    found = _matching(cards, lambda card: str(_enumeration(library, card, "hip_id")) == index)
    if len(found) != 1:
        raise AmdError("torch tells neither PCI bus id nor UUID, and amdsmi does not tell HIP's number of its cards")
    return found[0]


def _matching(cards: Sequence[object], is_it: Callable[[object], bool]) -> list[object]:
    return [card for card in cards if is_it(card)]


def _bus_id(library: Any, card: object) -> str:
    return str(_ask(library, "amdsmi_get_gpu_device_bdf", card) or "").lower()


def _enumeration(library: Any, card: object, key: str) -> object:
    answer = _ask(library, "amdsmi_get_gpu_enumeration_info", card)
    return answer.get(key, "") if isinstance(answer, Mapping) else ""


def _uuid_forms(uuid: str) -> set[str]:
    """``uuid`` as amdsmi may write it: HIP's 16 bytes are letters, of which torch shows the codes."""
    bare = uuid.lower().removeprefix("gpu-")
    forms = {bare, f"gpu-{bare}"}
    try:
        letters = bytes.fromhex(bare.replace("-", "")).decode("ascii").lower()
    except ValueError:
        return forms
    return forms | {letters, f"gpu-{letters}"}
