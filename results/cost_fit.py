"""Whether the machine that is priced holds the device that a case was measured on. Nothing here changes a number.

A speed of one chip at the price of another is no cost: it would come out first in any ranking. So where the two are
known to differ there are no dollars, whoever named the price; where it cannot be told, there are dollars with a doubt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from results.cost_record import Basis
from results.device_names import form_stated, lesser_word, sold_part
from results.device_table import match, shipped_devices
from results.price_row import PriceRow
from results.pricing import same_memory
from results.records import Device

CPU_ELSEWHERE = "measured on a CPU: what another machine's CPU does was not measured"
CPU_NOT_IN_PRICE = "this price is for an accelerator; the host's CPU is not in it"


class Fit(NamedTuple):
    """Why a case has no dollars at a price, or what is in doubt about those it has; both empty: it fits."""

    refusal: str = ""
    doubt: str = ""


def price_fit(device: Device | None, row: PriceRow, basis: Basis, accelerated: bool) -> Fit:
    """How a price goes with the device of a case.

    Args:
        device: that the case ran on; None: the run does not list it.
        row: the price.
        basis: ``what_if`` asks for proof that the accelerator is the same.
        accelerated: whether the case ran on something other than the CPU.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    if not accelerated:
        return Fit(_cpu_refusal(device, row, basis))
    if device is None:
        why = "the run does not say which device this is"
        return Fit(why) if basis == "what_if" else Fit(doubt=why)
    return accelerator_fit(device, row, basis)


def _cpu_refusal(device: Device | None, row: PriceRow, basis: Basis) -> str:
    if row.unit != "instance":
        return CPU_NOT_IN_PRICE
    if basis != "what_if":
        return ""
    return CPU_ELSEWHERE if device else "the run does not say which device this is"


def accelerator_fit(device: Device, row: PriceRow, basis: Basis) -> Fit:
    """How a price goes with an accelerator.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    lead = f"the run used {device.name}, but {row.instance_type} holds"
    if row.accelerator is None:
        return Fit(f"{lead} no accelerator")
    used = match(shipped_devices(), device.name, device.kind, device.memory_bytes).row
    sold = sold_part(row)
    alike = names_match(row.accelerator, device.name)
    if not alike and (used is None or used.device != sold):
        text = f"{lead} {row.accelerator}: another chip's price"
        known = used is not None or sold is not None or basis == "what_if"
        return Fit(text) if known else Fit(doubt=text)
    memory = _memory_refusal(device, row)
    if memory:
        return Fit(memory)
    if used is None:
        return _without_row(device, row, basis)
    if not form_stated(row):
        return Fit(
            doubt=f"the price does not say which form of {row.accelerator} it is for (SXM, PCIe or NVL); the run used "
            f"{device.name}"
        )
    if sold is None:
        text = f"{lead} a {row.accelerator} that has no row in the device table: whether it is the same is not known"
        return Fit(text) if basis == "what_if" else Fit(doubt=text)
    if sold != used.device:
        return Fit(f"{lead} {row.accelerator} (by its name {sold}, not {used.device}): another version of it")
    return Fit()


def _without_row(device: Device, row: PriceRow, basis: Basis) -> Fit:
    """A device of which only the name is known."""
    word = lesser_word(device.name)
    if word:
        text = f"{word!r} in {device.name!r} marks another or lesser part than the {row.accelerator} that is priced"
        return Fit(text) if basis == "what_if" else Fit(doubt=text)
    if basis == "what_if":
        return Fit(
            f"{device.name!r} is not in the device table: whether {row.instance_type} holds the same is not known"
        )
    return Fit()


def _memory_refusal(device: Device, row: PriceRow) -> str:
    if device.memory_bytes is None or row.accelerator_memory_gib is None:
        return ""
    memory_gib = device.memory_bytes / 2**30
    if same_memory(row.accelerator_memory_gib, memory_gib):
        return ""
    return (
        f"the run used an accelerator with {memory_gib:.1f} GiB, "
        f"but {row.instance_type} holds {row.accelerator} with {row.accelerator_memory_gib:g} GiB"
    )


def names_match(accelerator: str, device_name: str) -> bool:
    """Whether a table's accelerator (``A100-80GB``) is what a device calls itself.

    Compared by whole words, so that L4 is not found in L40S; up to three neighbouring words
    count as one, so that RTX4090 is found in "GeForce RTX 4090". Memory is compared elsewhere.
    """
    words = re.findall(r"[a-z0-9]+", device_name.lower())
    runs = {"".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words))}
    wanted = [word for word in re.findall(r"[a-z0-9]+", accelerator.lower()) if not re.fullmatch(r"\d+gb", word)]
    return "".join(wanted) in runs or set(wanted) <= runs
