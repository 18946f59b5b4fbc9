"""The price table (``configs/prices.csv``) and how a row of it is chosen.

A row is found by provider, instance type and pricing; never by accelerator, because one
accelerator is sold at very different prices. The choice, in order:

1. layer: the last that has a price for the region asked for, or any if none was: what a user
   pays comes before what others ask, and a user's row without a region is for all of them;
2. region: the one asked for; else the first of :data:`DEFAULT_REGIONS` among them, else the
   first by name (rule ``type_any_region``);
3. accelerator memory, where one name is sold with several and the device's is known;
4. date: the newest ``as_of`` of each accelerator memory; ``unknown`` is the oldest;
5. price: the dearest of what is still left, so that a cost is never flattered.

Names are taken as they stand; another case is suggested, not guessed. A name that is sold as an
instance is never priced by a row of an accelerator alone.

Whatever was not unique is said in :attr:`PriceMatch.note`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results.errors import PriceError, did_you_mean
from results.price_cells import PRICE_UNITS as PRICE_UNITS
from results.price_cells import PRICINGS as PRICINGS
from results.price_keys import offer_key
from results.price_match import OWN, PRECEDENCE, Layer, PriceMatch
from results.price_row import PriceRow
from results.price_table import PriceTable, date_rank
from results.price_table import load_prices as load_prices

# Where a provider sells most and lists first; used only when no region was asked for.
DEFAULT_REGIONS = (
    "us-east-1", "us-east-2", "us-east", "eastus", "eastus2", "us-central1", "us-east1", "us (base)",
    "all (uniform)",
)  # fmt: skip
MEMORY_TOLERANCE = 0.10  # usable memory is a few percent below the name's


def find(
    table: PriceTable,
    provider: str,
    instance_type: str,
    region: str | None = None,
    pricing: str = "on_demand",
    accelerator_memory_gib: float | None = None,
) -> PriceMatch:
    """The price of an instance type; the rules are in the module's docstring.

    Raises:
        PriceError: the table has no such provider, type, pricing or region; says what it has.
    """
    of_type = rows_of_type(table.rows, provider, instance_type)
    name = f"{provider}:{instance_type}"
    kinds = sorted({row.pricing for row in of_type})
    if pricing not in kinds:
        raise PriceError(f"{name} has no {pricing} price in {table.name}; it has: {', '.join(kinds)}")
    candidates = [row for row in of_type if row.pricing == pricing]
    layers = _layers_of(table, provider, instance_type)
    offers = _in_force(layers, candidates, region)
    regions = {row.region for row in candidates}
    if not offers:
        shown = ", ".join(sorted(map(region_text, regions)))
        raise PriceError(f"{name} has no {pricing} price in region {region!r}; it has: {shown}")
    row, offers_note = _chosen(offers, region, accelerator_memory_gib)
    layer = layers[id(row)]
    # A row of one's own without a region is for all of them; of a shipped one it is not known which it is for.
    any_region = region is None and (row.region is not None or len(regions) > 1)
    notes = [
        _region_note(candidates, row) if any_region else "",
        offers_note,
        _replaced_note(table, row, layer, region),
        _unused_note(table.rows, layers, layer),
    ]
    return PriceMatch(
        row=row,
        layer=layer,
        table_sha256=table.sha256[layer],
        match_rule="type_any_region" if any_region else "exact_type",
        note="; ".join(filter(None, notes)),
        prices_by_pricing={
            kind: _price_of_kind([r for r in of_type if (r.pricing, r.region) == (kind, row.region)], row)
            for kind in PRICINGS
        },
    )


def _in_force(layers: Mapping[int, Layer], candidates: Sequence[PriceRow], region: str | None) -> list[PriceRow]:
    """The rows to choose among: a user's own if there are any for this region, for that is what is paid.

    A user's row without a region is for every region; one of a catalogue is for what its source did not say.
    """
    for place in sorted(set(PRECEDENCE.values()), reverse=True):
        fit = [
            row for row in candidates
            if PRECEDENCE[layers[id(row)]] == place
            and (region in (None, row.region) or (row.region is None and layers[id(row)] in OWN))
        ]  # fmt: skip
        if fit:
            return fit
    return []


def _chosen(
    offers: Sequence[PriceRow], region: str | None, accelerator_memory_gib: float | None
) -> tuple[PriceRow, str]:
    """Of a region, else of the main one; a newer row that is for all regions comes before it."""
    main = min({row.region for row in offers if region in (None, row.region)} or {None}, key=region_rank)
    row, note = _newest_then_dearest([row for row in offers if row.region == main], accelerator_memory_gib)
    everywhere = [other for other in offers if other.region is None and date_rank(other) > date_rank(row)]
    if main is not None and everywhere:
        return _newest_then_dearest(everywhere, accelerator_memory_gib)
    return row, note


def _price_of_kind(same: Sequence[PriceRow], chosen: PriceRow) -> float | None:
    """What the chosen offer costs under another kind of pricing, in the same unit; None if the table has none."""
    alike = [r for r in same if _what(r) == _what(chosen)]
    return _newest_then_dearest(alike, chosen.accelerator_memory_gib)[0].price_usd_per_hour if alike else None


def _what(row: PriceRow) -> tuple[object, ...]:
    """All of an offer but its kind of pricing, its region and its price."""
    return row.unit, row.accelerator, row.accelerator_count, row.accelerator_memory_gib, row.vcpus, row.memory_gib


def _layers_of(table: PriceTable, provider: str, instance_type: str) -> dict[int, Layer]:
    """The layer of each row of a type, by the row's identity: rows of two layers may be equal."""
    return {
        id(row): layer for row, layer in zip(table.rows, table.layers, strict=True)
        if row.instance_type == instance_type and row.provider == provider
    }  # fmt: skip


def _replaced_note(table: PriceTable, row: PriceRow, layer: Layer, region: str | None) -> str:
    """Says where a user's price stands in for a newer one of the same region, or of a main one if none is stated."""
    if layer not in OWN:
        return ""
    wanted = row.region or region
    others = [r for key, r in table.replaced.items() if key[:-1] == offer_key(row) and wanted in (None, r.region)]
    other = min(others, key=lambda r: region_rank(r.region), default=None)
    if other is None or date_rank(other) <= date_rank(row):
        return ""
    return (
        f"this price of the {layer} table is of {row.as_of}; it stands in for a newer one: "
        f"${other.price_usd_per_hour:g} of {other.as_of}"
    )


def _unused_note(rows: Sequence[PriceRow], layers: Mapping[int, Layer], layer: Layer) -> str:
    """Says that the user has rows of this type that were not taken, where one of a catalogue was."""
    if layer in OWN or not any(where in OWN for where in layers.values()):
        return ""
    unused = [row for row in rows if layers.get(id(row)) in OWN]
    what = dict.fromkeys(f"{row.pricing} per {row.unit}, {region_text(row.region)}" for row in unused)
    return f"a price of your own was not taken, for it is another one: {'; '.join(what)}"


def region_text(region: str | None) -> str:
    """A region for people; some sources state none."""
    return region or "(no region stated)"


def rows_of_type(rows: Sequence[PriceRow], provider: str, instance_type: str) -> list[PriceRow]:
    """The rows that may price an instance type.

    Raises:
        PriceError: there is no such provider or type; says what there is.
    """
    of_provider = [row for row in rows if row.provider == provider]
    if not of_provider:
        raise PriceError(f"unknown provider {provider!r}{suggest(provider, {r.provider for r in rows})}")
    of_type = [row for row in of_provider if row.instance_type == instance_type]
    if not of_type:
        known = {row.instance_type for row in of_provider}
        raise PriceError(f"unknown {provider} instance {instance_type!r}{suggest(instance_type, known)}")
    # The price of an attached accelerator leaves out the host: beside an instance's it would look cheap.
    return [row for row in of_type if row.unit == "instance"] or of_type


def suggest(name: str, known: set[str]) -> str:
    """The tail of a message about an unknown name; those that differ by case alone come first."""
    same = sorted(other for other in known if other.casefold() == name.casefold())
    return f"; did you mean {' or '.join(map(repr, same))}?" if same else did_you_mean(name, known)


def region_rank(region: str | None) -> tuple[int, str]:
    """The least is taken where no region was asked for: a main one, else the first by name, else none stated."""
    if region in DEFAULT_REGIONS:
        return DEFAULT_REGIONS.index(region), ""
    return len(DEFAULT_REGIONS) + (region is None), region or ""


def _region_note(candidates: Sequence[PriceRow], row: PriceRow) -> str:
    others = [r.price_usd_per_hour for r in candidates if r.region != row.region]
    if not others:
        return f"no region was given: {region_text(row.region)} is the only one in the table"
    num_others = len({r.region for r in candidates}) - 1
    lowest, highest = min(others), max(others)
    prices = f"${lowest:g} per hour" if lowest == highest else f"${lowest:g} to ${highest:g} per hour"
    noun = "region asks" if num_others == 1 else "regions ask"
    return f"no --region was given: {region_text(row.region)} was chosen; {num_others} other {noun} {prices}"


def _newest_then_dearest(rows: Sequence[PriceRow], accelerator_memory_gib: float | None) -> tuple[PriceRow, str]:
    sizes = {row.accelerator_memory_gib for row in rows}
    if accelerator_memory_gib is not None and len(sizes) > 1:
        rows = [row for row in rows if same_memory(row.accelerator_memory_gib, accelerator_memory_gib)] or rows
    newest = {
        size: max(date_rank(row) for row in rows if row.accelerator_memory_gib == size)
        for size in {row.accelerator_memory_gib for row in rows}
    }
    offers = [row for row in rows if date_rank(row) == newest[row.accelerator_memory_gib]]
    offers.sort(key=lambda row: row.price_usd_per_hour)
    if len(offers) == 1:
        return offers[0], ""
    texts = [
        f"${row.price_usd_per_hour:g} ({row.accelerator_memory_gib or 'n/a'} GiB accelerator, "
        f"{row.vcpus or 'n/a'} vCPU)"
        for row in offers
    ]
    return offers[-1], f"several offers have this name, the dearest was taken: {', '.join(texts)}"


def same_memory(listed_gib: float | None, actual_gib: float) -> bool:
    """Whether a device's usable memory fits the memory a table lists for it."""
    return listed_gib is not None and abs(listed_gib - actual_gib) <= MEMORY_TOLERANCE * listed_gib
