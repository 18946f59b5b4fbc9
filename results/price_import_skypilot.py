"""Rows of SkyPilot's catalogues (``catalogs/v8/CLOUD/vms.csv``), which differ from cloud to cloud.

Columns are read by name. What is known to be wrong in them, from the programs that write them
(``sky/catalog/data_fetchers`` of skypilot-org/skypilot) and from the files:

- gcp: a virtual machine's row is CPUs and memory alone, also of types that always hold accelerators; a row of
  accelerators is them alone. Neither is the price of a machine, so both are refused. A TPU is named with its slice.
- gcp: a TPU v6e slice of unknown price stands at 700 dollars.
- aws: a Trainium2 stands at 524,288 MiB.
- shadeform: ``SizeInMiB`` holds GB.
- vast: ``SizeInMiB`` holds the memory of all GPUs; CPUs and host memory are those of the query, not of the host.
- ``GpuInfo`` is a Python literal, of some clouds JSON.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from results.price_import_cells import (
    FRACTIONAL,
    NOT_SOLD,
    SPOT_ABOVE,
    Offer,
    Refused,
    accelerator_count,
    positive,
    price,
    whole,
)
from results.price_import_names import Part, Slice, is_fractional, nominal_gib, our_name, part, tpu_slice

REQUIRED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region")
MAX_INFO_CHARS = 4096
HOST_ALONE = "price of the host alone, without the accelerators that it always has"
PART_ALONE = "price of the accelerators alone, without a host"
SLICE_IN_MACHINE = "a TPU slice under the name of a machine: whose price it is cannot be told"
STAND_IN = "a stand-in for a price that is not known"
# Families of Google's machines that always hold accelerators.
_GCP_WITH_ACCELERATORS = re.compile(r"(a2|a3|a4|a4x|g2|g4|ct\w+)-")
_TPU_V6E_STAND_IN_USD = 700.0
_ANY_SLICE = "TPU-VM"
_TRAINIUM2_WRONG_MIB = 524_288


def skypilot_offers(cells: Mapping[str, str], provider: str) -> Iterator[Offer | Refused]:
    """The prices of one row.

    Args:
        cells: text of each column; only those in :data:`REQUIRED` must be there.
        provider: whose catalogue it is; the file does not say.

    Yields:
        Offers, and why one of the row's prices is not taken.

    Raises:
        Refused: the whole row is not taken.
    """
    on_demand, spot = price(cells["Price"], "Price"), price(cells.get("SpotPrice", ""), "SpotPrice")
    name, count = _accelerators(cells)
    instance_type = cells["InstanceType"].strip()
    tpu = tpu_slice(name)
    if tpu is not None:
        instance_type, count = tpu.name, _num_chips(tpu, instance_type, count)
        found = Part(tpu.accelerator, nominal_gib(tpu.accelerator))
    else:
        _check_machine(provider, instance_type, name)
        found = _part(cells, provider, name, count) if name else Part("", None)
    if on_demand is None and spot is None:
        raise Refused(NOT_SOLD)
    if tpu is not None and tpu.accelerator == "TPU-v6e" and _TPU_V6E_STAND_IN_USD in (on_demand, spot):
        raise Refused(STAND_IN)
    host = provider != "vast"
    whole_offer = Offer(
        provider=provider,
        region=cells["Region"].strip(),
        instance_type=instance_type,
        accelerator=found.accelerator,
        accelerator_count=count,
        accelerator_memory_gib=found.memory_gib,
        vcpus=whole(cells.get("vCPUs", "")) if host else None,
        memory_gib=positive(cells.get("MemoryGiB", "")) if host else None,
        pricing="on_demand",
        price=on_demand or 0.0,
        note=found.note,
    )
    if on_demand is not None:
        yield whole_offer
    if spot is not None:
        above = on_demand is not None and spot > on_demand
        yield Refused(SPOT_ABOVE) if above else whole_offer._replace(pricing="spot", price=spot)


def _num_chips(tpu: Slice, instance_type: str, count: int) -> int:
    """Chips of a slice, which is sold as a whole, under its own name or under one that all slices share."""
    if instance_type not in ("", _ANY_SLICE):
        raise Refused(SLICE_IN_MACHINE)
    if count not in (1, tpu.num_chips):
        raise Refused("column AcceleratorCount: does not go with the TPU slice's name")
    return tpu.num_chips


def _accelerators(cells: Mapping[str, str]) -> tuple[str, int]:
    name, count = cells["AcceleratorName"].strip(), accelerator_count(cells["AcceleratorCount"], "AcceleratorCount")
    if bool(name) != bool(count):
        raise Refused("column AcceleratorCount: does not go with AcceleratorName")
    return name, count


def _check_machine(provider: str, instance_type: str, accelerator: str) -> None:
    if is_fractional(instance_type):
        raise Refused(FRACTIONAL)
    if not instance_type:
        raise Refused(PART_ALONE if accelerator else "column InstanceType: blank")
    if provider == "gcp" and _GCP_WITH_ACCELERATORS.match(instance_type) and not accelerator:
        raise Refused(HOST_ALONE)


def _part(cells: Mapping[str, str], provider: str, name: str, count: int) -> Part:
    size_mib, total_mib = _gpu_memory_mib(cells.get("GpuInfo", ""))
    if size_mib is None:
        return part(name, None)
    if provider == "aws" and our_name(name) == "Trainium2" and size_mib == _TRAINIUM2_WRONG_MIB:
        return Part("Trainium2", nominal_gib("Trainium2"))
    if provider == "shadeform":
        found = part(name, size_mib)  # GB
        known = nominal_gib(found.accelerator) is not None
        return found if known else Part(found.accelerator, None, "memory left blank: its unit is not known")
    if provider == "vast" and count > 1:
        # Only where the total stands in both places is it sure that it is the total.
        if size_mib != total_mib:
            return Part(our_name(name), None, "memory left blank: of one or of all accelerators is not known")
        size_mib /= count
    return part(name, size_mib / 1024)


@functools.lru_cache(maxsize=10_000)
def _gpu_memory_mib(text: str) -> tuple[float | None, float | None]:
    """(``SizeInMiB``, ``TotalGpuMemoryInMiB``) of a ``GpuInfo``; None where it does not say."""
    try:
        info = _literal(text)
        size = info["Gpus"][0]["MemoryInfo"]["SizeInMiB"]
        total = info.get("TotalGpuMemoryInMiB")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, None
    return _mib(size), _mib(total)


def _mib(value: object) -> float | None:
    return positive(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None


def _literal(text: str) -> Any:
    """A JSON text or a Python literal; None if it is neither, or longer than any real one. Nothing is run."""
    if len(text) > MAX_INFO_CHARS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in somebody's text
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
