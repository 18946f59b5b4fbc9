"""Where a price and a run do not fit together, in words. Nothing here changes a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from results.case_summary import RunHeader, RunSummary
from results.cost_record import Basis
from results.device_names import accelerator_row
from results.device_table import match, shipped_devices
from results.price_age import age_warning
from results.price_match import PriceMatch
from results.price_row import PriceRow
from results.pricing import same_memory
from results.records import CaseSpec, Device
from results.render import find_device

WHAT_IF = "same accelerator, measured on another machine: host, cooling, power limit and driver may differ"
CPU_ELSEWHERE = "measured on a CPU: what another machine's CPU does was not measured"
# Who collects the prices of others; the provider's own list is what counts.
COLLECTORS = ("tardellirs/gpu-pricing", "dstackai/gpuhunt", "skypilot-org/", "jasonwilbur/oci-pricing-mcp")


def cost_warnings(summary: RunSummary, price: PriceMatch, basis: Basis, today: date) -> list[str]:
    """Everything a reader must know before quoting a cost.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    row = price.row
    warnings = [price.note, *_price_warnings(price, today)]
    if basis == "what_if":
        warnings.append(WHAT_IF)
    elif row.accelerator is not None and not all(
        on_accelerator(summary.run.devices, case.case) for case in summary.cases
    ):
        what = f"{row.accelerator_count} {row.accelerator}"
        warnings.append(f"cases on the CPU are priced on an instance whose price is for its accelerators ({what})")
    accelerators = used_accelerators(summary)
    warnings += [_accelerator_warning(device, row) for device in accelerators]
    if row.unit == "instance" and basis != "what_if":
        warnings.append(_cpu_warning(summary.run, row))
        if row.accelerator is None and not accelerators:
            warnings.append(_threads_warning(summary, row))
    return list(dict.fromkeys(filter(None, warnings)))


def _price_warnings(price: PriceMatch, today: date) -> list[str]:
    """Of the price alone."""
    row = price.row
    warnings = [age_warning(row.as_of, today)]
    if price.layer != "shipped":
        whose = "the user's own table" if price.layer == "user" else "the table that was given"
        warnings.append(f"this price is from {whose}, not from the one that chipmark ships")
    if row.pricing == "capacity_block":
        warnings.append(
            f"capacity blocks are priced for each block and change with demand: this one was asked at {row.as_of}"
        )
    if any(name in row.source for name in COLLECTORS):
        warnings.append("this price was collected by a third party (see source): check it with the provider")
    if "VM is extra" in row.source:
        warnings.append("this price is for the attached accelerator alone; the host is billed on top")
    return warnings


def used_accelerators(summary: RunSummary) -> list[Device]:
    """The devices other than CPUs that the run's cases name."""
    found = [find_device(summary.run.devices, case.case) for case in summary.cases]
    return list({device.id: device for device in found if device and device.kind != "cpu"}.values())


def other_accelerator(devices: Sequence[Device], case: CaseSpec, row: PriceRow) -> str:
    """``measured on X, but TYPE holds Y`` if a price is of another accelerator than a case ran on; else ""."""
    device = find_device(devices, case)
    if device is None or row.accelerator is None:
        return f"it is not known what {case.device} is" if device is None else ""
    return _accelerator_warning(device, row)


def on_accelerator(devices: Sequence[Device], case: CaseSpec) -> bool:
    """Whether a case ran on something other than the CPU."""
    device = find_device(devices, case)
    kind = device.kind if device else case.device.partition(":")[0]
    return kind != "cpu"


def names_match(accelerator: str, device_name: str) -> bool:
    """Whether a table's accelerator (``A100-80GB``) is what a device calls itself.

    Compared by whole words, so that L4 is not found in L40S; up to three neighbouring words
    count as one, so that RTX4090 is found in "GeForce RTX 4090". Memory is compared elsewhere.
    """
    words = re.findall(r"[a-z0-9]+", device_name.lower())
    runs = {"".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words))}
    wanted = [word for word in re.findall(r"[a-z0-9]+", accelerator.lower()) if not re.fullmatch(r"\d+gb", word)]
    return "".join(wanted) in runs or set(wanted) <= runs


def mismatch_reason(device: Device | None, row: PriceRow) -> str:
    """Why a case that was measured on ``device`` has no cost on another machine (basis ``what_if``).

    Empty where that machine holds the same accelerator.

    Raises:
        DeviceTableError: the shipped device table cannot be read.
    """
    if device is None:
        return "the run does not say which device this is"
    return CPU_ELSEWHERE if device.kind == "cpu" else _accelerator_warning(device, row)


def _accelerator_warning(device: Device, row: PriceRow) -> str:
    """Where the accelerator that is priced is not the one that was used."""
    lead = f"the run used {device.name}, but {row.instance_type} holds"
    if row.accelerator is None:
        return f"{lead} no accelerator"
    named_alike = names_match(row.accelerator, device.name)
    used = match(shipped_devices(), device.name, device.kind, device.memory_bytes).row
    sold = accelerator_row(row.accelerator, row.accelerator_memory_gib)
    if used is not None and sold is not None:
        other = "another version of it" if named_alike else "another chip's price"
        return (
            "" if used.device == sold else f"{lead} {row.accelerator} (by its name {sold}, not {used.device}): {other}"
        )
    if not named_alike:
        return f"{lead} {row.accelerator}: another chip's price"
    return _memory_warning(device, row)


def _memory_warning(device: Device, row: PriceRow) -> str:
    if device.memory_bytes is None or row.accelerator_memory_gib is None:
        return ""
    memory_gib = device.memory_bytes / 2**30
    if same_memory(row.accelerator_memory_gib, memory_gib):
        return ""
    return (
        f"the run used an accelerator with {memory_gib:.1f} GiB, "
        f"but {row.instance_type} holds {row.accelerator} with {row.accelerator_memory_gib:g} GiB"
    )


def _cpu_warning(run: RunHeader, row: PriceRow) -> str:
    """Where the run cannot have been made on the whole of such an instance."""
    seen, usable = run.environment.cpu_count_logical, run.environment.cpu_count_usable
    if row.vcpus is None or seen is None:
        return ""
    if seen != row.vcpus:
        return f"the run saw {seen} logical CPUs, but {row.instance_type} has {row.vcpus}: another machine's speed"
    if usable is not None and usable < row.vcpus:
        return f"the run could use {usable:g} CPUs only, but the price is for all {row.vcpus} of {row.instance_type}"
    return ""


def _threads_warning(summary: RunSummary, row: PriceRow) -> str:
    used = [threads for case in summary.cases if isinstance(threads := case.case.options.get("threads"), int)]
    if not used or row.vcpus is None or max(used) >= row.vcpus:
        return ""
    return (
        f"cases ran on {max(used)} CPU thread{'s' if max(used) > 1 else ''}, but the price is for all "
        f"{row.vcpus} vCPU of {row.instance_type}: an upper bound of what the work costs there"
    )
