"""Where a price and a run do not fit together, in words. Nothing here changes a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from results.case_summary import RunHeader, RunSummary
from results.price_age import age_warning
from results.price_match import PriceMatch
from results.price_row import PriceRow
from results.pricing import same_memory
from results.records import CaseSpec, Device
from results.render import find_device


def cost_warnings(summary: RunSummary, price: PriceMatch, today: date) -> list[str]:
    """Everything a reader must know before quoting a cost."""
    row = price.row
    accelerators = used_accelerators(summary)
    warnings = [price.note, age_warning(row.as_of, today)]
    if row.accelerator is not None and not all(
        on_accelerator(summary.run.devices, case.case) for case in summary.cases
    ):
        what = f"{row.accelerator_count} {row.accelerator}"
        warnings.append(f"cases on the CPU are priced on an instance whose price is for its accelerators ({what})")
    warnings += [_accelerator_warning(device, row) for device in accelerators]
    if row.unit == "instance" and row.accelerator is None and not accelerators:
        warnings.append(_cpu_warning(summary.run, row))
        warnings.append(_threads_warning(summary, row))
    if "VM is extra" in row.source:
        warnings.append("this price is for the attached accelerator alone; the host is billed on top")
    return list(dict.fromkeys(filter(None, warnings)))


def used_accelerators(summary: RunSummary) -> list[Device]:
    """The devices other than CPUs that the run's cases name."""
    found = [find_device(summary.run.devices, case.case) for case in summary.cases]
    return list({device.id: device for device in found if device and device.kind != "cpu"}.values())


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


def _accelerator_warning(device: Device, row: PriceRow) -> str:
    if row.accelerator is None:
        return f"the run used {device.name}, but {row.instance_type} holds no accelerator"
    if not names_match(row.accelerator, device.name):
        return f"the run used {device.name}, but {row.instance_type} holds {row.accelerator}: another chip's price"
    if device.memory_bytes is None or row.accelerator_memory_gib is None:
        return ""
    memory_gib = device.memory_bytes / 2**30
    if not same_memory(row.accelerator_memory_gib, memory_gib):
        return (
            f"the run used an accelerator with {memory_gib:.1f} GiB, "
            f"but {row.instance_type} holds {row.accelerator} with {row.accelerator_memory_gib:g} GiB"
        )
    return ""


def _cpu_warning(run: RunHeader, row: PriceRow) -> str:
    seen = run.environment.cpu_count_logical
    if row.vcpus is None or seen is None or seen == row.vcpus:
        return ""
    return f"the run saw {seen} logical CPUs, but {row.instance_type} has {row.vcpus}: another machine's speed"


def _threads_warning(summary: RunSummary, row: PriceRow) -> str:
    used = [threads for case in summary.cases if isinstance(threads := case.case.options.get("threads"), int)]
    if not used or row.vcpus is None or max(used) >= row.vcpus:
        return ""
    return (
        f"cases ran on {max(used)} CPU thread{'s' if max(used) > 1 else ''}, but the price is for all "
        f"{row.vcpus} vCPU of {row.instance_type}: an upper bound of what the work costs there"
    )
