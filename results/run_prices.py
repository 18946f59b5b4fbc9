"""Which prices a run is priced by: what its user names, what the run says of its machine, or what the market asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from results.case_summary import RunSummary
from results.cost import RunPrices
from results.cost_record import Basis
from results.cost_warnings import used_accelerators
from results.device_table import DeviceTable, match
from results.errors import PriceError, UsageError
from results.instance_record import Instance
from results.price_market import market
from results.price_match import MarketRange, PriceMatch
from results.price_table import PriceTable
from results.pricing import PRICINGS, find
from results.records import Device

DEFAULT_PRICING = "on_demand"
_GIVE_ONE = "give --instance PROVIDER:TYPE; names: chipmark prices list --accelerator NAME, or none for CPU instances"


class InstanceName(NamedTuple):
    """What is to be priced, as its user writes it: ``aws:p5.48xlarge`` or ``aws:p5.48xlarge@us-east-1/spot``."""

    provider: str
    instance_type: str
    region: str | None = None
    pricing: str | None = None


class PriceChoice(NamedTuple):
    """What the user says about prices; None and empty: nothing."""

    given: Sequence[InstanceName] = ()  # what the runs were made on
    what_if: Sequence[InstanceName] = ()  # the same accelerator elsewhere
    region: str | None = None
    pricing: str | None = None


def instance_names(texts: Sequence[str], option: str = "--instance") -> tuple[InstanceName, ...]:
    """Names out of an option that may be given several times and holds names joined by commas; each name once.

    Args:
        texts: the values of the option.
        option: its name, for messages.

    Raises:
        PriceError: one of them is not PROVIDER:TYPE[@REGION][/PRICING].
    """
    names = [_instance_name(part.strip(), option) for text in texts for part in text.split(",")]
    return tuple(dict.fromkeys(names))


def _instance_name(text: str, option: str) -> InstanceName:
    rest, slash, pricing = text.rpartition("/")
    if not slash or pricing.strip() not in PRICINGS:
        rest, pricing = text, ""
    name, at, region = rest.partition("@")
    provider, colon, instance_type = name.partition(":")
    complete = provider.strip() and colon and instance_type.strip() and (not at or region.strip())
    if not complete:
        raise PriceError(
            f"{option} {text!r}: write PROVIDER:TYPE[@REGION][/PRICING], for example aws:g6.xlarge@us-east-1/spot"
        )
    return InstanceName(provider.strip(), instance_type.strip(), region.strip() or None, pricing.strip() or None)


def run_prices(summary: RunSummary, table: PriceTable, devices: DeviceTable, choice: PriceChoice) -> RunPrices:
    """The prices of one run.

    The instances that are named; without them the one that the run says it was made on; without that, for
    accelerators, the range of the market. ``what_if`` comes on top of any of these.

    Args:
        summary: of the run.
        table: where the prices are.
        devices: by which an accelerator finds its offers.
        choice: what the user says.

    Raises:
        PriceError: the table has no such price.
        UsageError: neither an instance nor an accelerator with offers is known.
    """
    prices: list[tuple[PriceMatch, Basis]] = [_given(summary, table, name, choice) for name in choice.given]
    instance = summary.run.instance
    if not choice.given and instance is not None and instance.instance_type is not None:
        price = stored_price(summary, table, choice.region, choice.pricing)
        prices.append((price, _basis(instance, choice.region, choice.pricing)))
    known = bool(prices)
    prices += [(_price(summary, table, name, choice), "what_if") for name in choice.what_if]
    markets: tuple[MarketRange, ...] = ()
    if not known:
        found, why = _markets(summary, table, devices, choice)
        if not found and not prices:
            raise UsageError(f"{summary.run.run_id}: {why}: {_GIVE_ONE}")
        markets = tuple(found)
    return RunPrices(summary, tuple(_each_once(prices)), markets)


def stored_price(
    summary: RunSummary, table: PriceTable, region: str | None = None, pricing: str | None = None
) -> PriceMatch:
    """The price of the instance that a run says it was made on.

    Args:
        summary: of a run whose instance has a type.
        table: where the prices are.
        region: None: the one the run was made in.
        pricing: None: the kind the run says it was paid by, else on demand.

    Raises:
        PriceError: the table has no such price; says what it has.
        UsageError: the run does not name an instance type.
    """
    instance = summary.run.instance
    if instance is None or instance.instance_type is None:
        raise UsageError(f"{summary.run.run_id}: {no_instance_reason(summary)}: {_GIVE_ONE}")
    memory_gib = accelerator_memory_gib(summary)
    try:
        return instance_price(table, instance, region, pricing, memory_gib)
    except PriceError as error:
        raise PriceError(
            f"{summary.run.run_id} says it was made on {_instance_text(instance)}: {error}; name another price with "
            "--region, --pricing or --instance, or add it with: chipmark prices import"
        ) from None


def instance_price(
    table: PriceTable,
    instance: Instance,
    region: str | None = None,
    pricing: str | None = None,
    accelerator_memory_gib: float | None = None,
) -> PriceMatch:
    """The price of an instance that a run stores; what the run does not say is assumed, and noted.

    Args:
        table: where the prices are.
        instance: with a type.
        region: None: the stored one.
        pricing: None: the stored one, else on demand.
        accelerator_memory_gib: of the accelerators that the run used.

    Raises:
        PriceError: the table has no such price; says what it has.
    """
    assert instance.instance_type is not None
    asked_region, asked_pricing = region or instance.region, pricing or instance.pricing
    price = find(
        table, instance.provider, instance.instance_type, asked_region, asked_pricing or DEFAULT_PRICING,
        accelerator_memory_gib,
    )  # fmt: skip
    notes = [price.note]
    if asked_region is None and price.row.region is not None:
        notes.append(f"the run does not say its region: {price.row.region} is assumed")
    if asked_pricing is None:
        notes.append(f"the run does not say how it was paid: {DEFAULT_PRICING} is assumed")
    return msgspec.structs.replace(price, note="; ".join(filter(None, notes)))


def _basis(instance: Instance, region: str | None, pricing: str | None) -> Basis:
    """Whether a price is that of the machine itself: what is given must be what is stored."""
    same = region in (None, instance.region) and pricing in (None, instance.pricing)
    return "rented_here" if same else "given"


def _given(summary: RunSummary, table: PriceTable, name: InstanceName, choice: PriceChoice) -> tuple[PriceMatch, Basis]:
    """The price of a named instance; if it is the run's own, with the region and pricing that the run stores."""
    stored = summary.run.instance
    if stored is None or (stored.provider, stored.instance_type) != (name.provider, name.instance_type):
        return _price(summary, table, name, choice), "given"
    region, pricing = name.region or choice.region, name.pricing or choice.pricing
    price = instance_price(table, stored, region, pricing, accelerator_memory_gib(summary))
    return price, _basis(stored, region, pricing)


def no_instance_reason(summary: RunSummary) -> str:
    """Why a run does not name the type of its instance."""
    instance = summary.run.instance
    if instance is None:
        reason = summary.run.instance_reason
        return "no instance is stored with this run" + (f" ({reason})" if reason else "")
    why = f" ({instance.reason})" if instance.reason else ""
    return f"this run was made at {instance.provider}, but its instance type is not known{why}"


def accelerator_memory_gib(summary: RunSummary) -> float | None:
    """Memory of the accelerator the run used, if it was one size and says so."""
    sizes = {device.memory_bytes for device in used_accelerators(summary)}
    size = sizes.pop() if len(sizes) == 1 else None
    return size / 2**30 if size else None


def _instance_text(instance: Instance) -> str:
    region = f" in {instance.region}" if instance.region else ""
    pricing = f", {instance.pricing}" if instance.pricing else ""
    return f"{instance.provider}:{instance.instance_type}{region}{pricing}"


def _price(summary: RunSummary, table: PriceTable, name: InstanceName, choice: PriceChoice) -> PriceMatch:
    region = name.region or choice.region
    memory_gib = accelerator_memory_gib(summary)
    pricing = name.pricing or choice.pricing or DEFAULT_PRICING
    return find(table, name.provider, name.instance_type, region, pricing, memory_gib)


def _each_once(prices: Sequence[tuple[PriceMatch, Basis]]) -> list[tuple[PriceMatch, Basis]]:
    """The same row named twice is one price: the first basis, which is the stronger one, is kept."""
    found: dict[object, tuple[PriceMatch, Basis]] = {}
    for match_, basis in prices:
        found.setdefault((match_.row, match_.layer), (match_, basis))
    return list(found.values())


def _markets(
    summary: RunSummary, table: PriceTable, devices: DeviceTable, choice: PriceChoice
) -> tuple[list[MarketRange], str]:
    """The market of each accelerator that was used, and why there is none for the rest."""
    instance = summary.run.instance
    pricing = choice.pricing or (instance.pricing if instance else None) or DEFAULT_PRICING
    reason = no_instance_reason(summary)
    used = used_accelerators(summary)
    if not used:
        what = "its cases ran on the CPU" if summary.cases else "it has no cases"
        return [], f"{reason}, and {what}"
    found: list[MarketRange] = []
    reasons = [reason]
    for device in used:
        row, why = _row(devices, device)
        offers = _offers(table, row, pricing, instance) if row else None
        if offers is None:
            reasons.append(why or f"{table.name} has no {pricing} offer of {row}")
        elif offers not in found:
            found.append(offers)
    return found, "; ".join(reasons)


def _offers(table: PriceTable, row: str, pricing: str, instance: Instance | None) -> MarketRange | None:
    """What the run's own provider asks, if it is known and sells this; else what all ask."""
    own = market(table, row, pricing, instance.provider) if instance else None
    return own or market(table, row, pricing)


def _row(devices: DeviceTable, device: Device) -> tuple[str | None, str]:
    found = match(devices, device.name, device.kind, device.memory_bytes)
    return (found.row.device, "") if found.row else (None, found.reason)
