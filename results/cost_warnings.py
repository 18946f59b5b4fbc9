"""Where a price and a run do not fit together, in words. Nothing here changes a number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from results.case_summary import RunHeader, RunSummary
from results.cost_fit import accelerator_fit
from results.cost_fit import names_match as names_match
from results.cost_record import Basis
from results.price_age import age_warning
from results.price_match import Layer, PriceMatch
from results.price_row import PriceRow
from results.records import CaseSpec, Device
from results.render import find_device

WHAT_IF = "same accelerator, measured on another machine: host, cooling, power limit and driver may differ"
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
    elif (
        row.accelerator is not None
        and row.unit == "instance"
        and not all(on_accelerator(summary.run.devices, case.case) for case in summary.cases)
    ):
        what = f"{row.accelerator_count} {row.accelerator}"
        warnings.append(f"cases on the CPU are priced on an instance whose price is for its accelerators ({what})")
    fits = [accelerator_fit(device, row, basis) for device in used_accelerators(summary)]
    # What is refused elsewhere is no doubt about a dollar: the cases have the reason.
    warnings += [fit.doubt or (fit.refusal if basis != "what_if" else "") for fit in fits]
    if row.unit == "instance" and basis != "what_if":
        warnings.append(_region_warning(summary, row))
        warnings.append(_cpu_warning(summary.run, row))
        if row.accelerator is None and not fits:
            warnings += [_threads_warning(summary, row), _cpu_model_warning(summary, row)]
    return list(dict.fromkeys(filter(None, warnings)))


_WHOSE: dict[Layer, str] = {
    "imported": "an imported catalogue", "user": "the user's own table", "given": "the table that was given",
}  # fmt: skip


def _price_warnings(price: PriceMatch, today: date) -> list[str]:
    """Of the price alone."""
    row = price.row
    warnings = [age_warning(row.as_of, today)]
    if price.layer != "shipped":
        warnings.append(f"this price is from {_WHOSE[price.layer]}, not from the table that chipmark ships")
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


def on_accelerator(devices: Sequence[Device], case: CaseSpec) -> bool:
    """Whether a case ran on something other than the CPU."""
    device = find_device(devices, case)
    kind = device.kind if device else case.device.partition(":")[0]
    return kind != "cpu"


def _region_warning(summary: RunSummary, row: PriceRow) -> str:
    """Where the run was made on such an instance, but elsewhere."""
    made = summary.run.instance
    if made is None or (made.provider, made.instance_type) != (row.provider, row.instance_type):
        return ""
    if None in (made.region, row.region) or made.region == row.region:
        return ""
    return f"the run was made in {made.region}, but this price is of {row.region}"


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


def _cpu_model_warning(summary: RunSummary, row: PriceRow) -> str:
    """A table of prices names no CPU, so nothing can be compared."""
    name = summary.run.environment.cpu_name or "a CPU that the run does not name"
    return (
        f"measured on {name}: what CPU {row.provider}:{row.instance_type} has is not in the table; another model or "
        "architecture has another speed"
    )


def _threads_warning(summary: RunSummary, row: PriceRow) -> str:
    used = [threads for case in summary.cases if isinstance(threads := case.case.options.get("threads"), int)]
    if not used or row.vcpus is None or max(used) >= row.vcpus:
        return ""
    return (
        f"the cases used at most {max(used)} of the {row.vcpus} vCPU of {row.instance_type}, and all of them are paid "
        "for: what the rest could do was not measured"
    )
