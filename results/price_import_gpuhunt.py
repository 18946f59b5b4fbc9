"""Rows of gpuhunt's catalogues (dstackai/gpuhunt), from a CSV file or from its objects.

Columns are read by name; those of its files (``gpuhunt/_internal/storage.py``) and, where a file holds several
providers, ``provider``. What is known of them:

- a TPU is named with its slice and counted as one; its price and memory are those of the slice;
- Google's locations are zones, here made regions;
- RunPod's prices are of one GPU type at several counts under one name; its "spot" has held community prices;
- an offer at Vast holds the price of a disk, and its name is that of one offer of one day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from results.price_import_cells import (
    FRACTIONAL,
    NOT_SOLD,
    Offer,
    Refused,
    accelerator_count,
    positive,
    price,
    whole,
)
from results.price_import_names import Part, is_fractional, nominal_gib, part, tpu_slice

REQUIRED = ("instance_name", "location", "price", "gpu_count", "gpu_name", "spot")
# gpuhunt's name of a provider -> ours, where they differ.
PROVIDERS: Mapping[str, str] = {"lambdalabs": "lambda", "vastai": "vast", "jarvislabs": "jarvis-labs"}


def gpuhunt_offers(cells: Mapping[str, str], provider: str) -> Iterator[Offer | Refused]:
    """The price of one row.

    Args:
        cells: text of each column; only those in :data:`REQUIRED` must be there.
        provider: in our spelling.

    Raises:
        Refused: the row is not taken.
    """
    spot = _spot(cells["spot"])
    usd = price(cells["price"], "price")
    if usd is None:
        raise Refused(NOT_SOLD)
    instance_type = cells["instance_name"].strip()
    if not instance_type:
        raise Refused("column instance_name: blank")
    if is_fractional(instance_type):
        raise Refused(FRACTIONAL)
    found, count = _part(cells)
    if provider == "runpod" and count > 1:
        instance_type = f"{count}x {instance_type}"  # one GPU type is rented in any number
    yield Offer(
        provider=provider,
        region=_region(cells["location"].strip(), provider),
        instance_type=instance_type,
        accelerator=found.accelerator,
        accelerator_count=count,
        accelerator_memory_gib=found.memory_gib,
        vcpus=whole(cells.get("cpu", "")),
        memory_gib=positive(cells.get("memory", "")),
        pricing="spot" if spot else "on_demand",
        price=usd,
        note=found.note,
    )


def _spot(cell: str) -> bool:
    text = cell.strip().lower()
    if text not in ("true", "false"):
        raise Refused("column spot: neither true nor false")
    return text == "true"


def _part(cells: Mapping[str, str]) -> tuple[Part, int]:
    name, count = cells["gpu_name"].strip(), accelerator_count(cells["gpu_count"], "gpu_count")
    if not count:
        return Part("", None), 0
    if not name:
        raise Refused("column gpu_name: blank, but there are accelerators")
    tpu = tpu_slice(name)
    if tpu is None:
        if re.match(r"(tpu-)?v\d", name):  # a V100 has a capital
            raise Refused("a TPU whose number of chips cannot be told from its name")
        return part(name, positive(cells.get("gpu_memory", ""))), count
    if count not in (1, tpu.num_chips):
        raise Refused("column gpu_count: does not go with the TPU slice's name")
    return Part(tpu.accelerator, nominal_gib(tpu.accelerator)), tpu.num_chips


def _region(location: str, provider: str) -> str:
    return re.sub(r"(-\w+\d)-[a-z]$", r"\1", location) if provider == "gcp" else location
