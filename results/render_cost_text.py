"""What all parts of a rendered cost report share: names of prices and cases, and cells with dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from results import units
from results.cost_record import Basis, Cost, CostReport
from results.notes import Notes, one_line
from results.price_match import PriceMatch
from results.pricing import region_text
from results.render import shared_by

BASIS_TEXT: Mapping[Basis, str] = {
    "rented_here": "the run was made there",
    "given": "named for this run",
    "what_if": "what if: measured on another machine",
}
SECONDS_PER_HOUR = 3600
# From here on a time is easier to read in hours.
_HOURS_FROM_S = 7200


class NamedPrice(NamedTuple):
    """A price of the report, the letter it goes by, and why it is there."""

    letter: str
    price: PriceMatch
    bases: tuple[Basis, ...]


class Page(NamedTuple):
    """What is rendered, the notes that are collected on the way, and the prices by :func:`price_key`."""

    report: CostReport
    notes: Notes
    prices: dict[object, NamedPrice]

    def letter(self, price: PriceMatch) -> str:
        """The letter of a price, or nothing where there is only one."""
        found = self.prices.get(price_key(price))
        return found.letter if found and len(self.prices) > 1 else ""


def page_of(report: CostReport) -> Page:
    """A page without notes yet."""
    found: dict[object, tuple[PriceMatch, list[Basis]]] = {}
    for cost in report.cases:
        _, bases = found.setdefault(price_key(cost.price), (cost.price, []))
        if cost.basis not in bases:
            bases.append(cost.basis)
    named = {
        key: NamedPrice(letter(index), price, tuple(bases)) for index, (key, (price, bases)) in enumerate(found.items())
    }
    return Page(report, Notes(), named)


def price_key(price: PriceMatch) -> object:
    """What tells one price from another."""
    return price.row, price.layer, price.table_sha256


def letter(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    return (letter(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)


def price_text(price: PriceMatch) -> str:
    """``aws p5.48xlarge (8 x H100), us-east-1, on_demand: $55.04 per instance-hour, as of 2026-07-20``."""
    row = price.row
    what = f"{row.accelerator_count} x {row.accelerator}" if row.accelerator else f"{row.vcpus or 'n/a'} vCPU"
    return (
        f"{row.provider} {row.instance_type} ({what}), {region_text(row.region)}, {row.pricing}: "
        f"${row.price_usd_per_hour:g} per {row.unit}-hour, as of {row.as_of}"
    )


def price_lines(page: Page) -> list[str]:
    """Each price, what it is for, where it is from and how it was found."""
    lines = []
    for named in page.prices.values():
        price = named.price
        others = [
            f"{kind} ${usd:g}"
            for kind, usd in price.prices_by_pricing.items()
            if usd is not None and kind != price.row.pricing
        ]
        also = f" (here also: {', '.join(others)})" if others else ""
        name = f"price {named.letter}" if len(page.prices) > 1 else "price"
        basis = ", ".join(BASIS_TEXT[basis] for basis in named.bases)
        lines.append(one_line(f"{name}: {price_text(price)}{also}"))
        lines.append(
            one_line(
                f"source: {price.row.source}; {price.layer} table, sha256 {price.table_sha256[:12]}, "
                f"match {price.match_rule}; {basis}{_range_text(page.report, price)}"
            )
        )
    return lines


def _range_text(report: CostReport, price: PriceMatch) -> str:
    """The range over kinds of pricing, said once: it is the same factor in every cost at this price."""
    for cost in report.cases:
        if price_key(cost.price) != price_key(price):
            continue
        for name in ("usd_per_1m_items", "usd_per_1m_tokens", "usd_per_1k_steps"):
            chosen, low, high = headline(cost, name), getattr(cost, f"{name}_low"), getattr(cost, f"{name}_high")
            if chosen and low is not None and high is not None:
                ends = f"{units.digits3(low / chosen)} to {units.digits3(high / chosen)}"
                return f"; over the kinds of pricing here, {ends} times each cost"
    return ""


def headline(cost: Cost, name: str) -> float | None:
    """The cost to quote, attributed or billed; None where there is none.

    Args:
        cost: of a case.
        name: stem of its fields: ``usd_per_1m_items``, ``usd_per_run``, ...
    """
    value: float | None = getattr(cost, f"{name}_{cost.headline}") if cost.headline else None
    return value


def cost_cell(cost: Cost, name: str) -> str:
    """The headline, and the billed cost in brackets where it is another."""
    return pair_cell(getattr(cost, f"{name}_attributed"), getattr(cost, f"{name}_billed"))


def pair_cell(attributed: float | None, billed: float | None) -> str:
    """Attributed dollars with the billed ones in brackets; one number where they are equal."""
    if attributed is None or billed is None or attributed == billed:
        return units.usd(billed)
    return f"{units.usd(attributed)}\n({units.usd(billed)})"


def duration(value_s: float | None) -> str:
    """Seconds as in :func:`results.units.seconds`, long ones in hours."""
    if value_s is None or value_s < _HOURS_FROM_S:
        return units.seconds(value_s)
    return f"{units.digits3(value_s / SECONDS_PER_HOUR)} h"


def several_runs(report: CostReport) -> bool:
    """Whether a row has to say which run it is of."""
    return len(report.runs) > 1


def labels(report: CostReport) -> dict[tuple[str, str], str]:
    """(run, case) -> a name for people, with the run where there are several."""
    named = {(cost.run_id, cost.case_id): cost.case.label for cost in report.cases}
    named |= {(market.run_id, market.case_id): market.label or market.case_id for market in report.markets}
    return {key: row_label(report, key[0], text) for key, text in named.items()}


def row_label(report: CostReport, run_id: str, label: str) -> str:
    """A case's name, without options that the header gives for all cases, with its run where there are several."""
    cases = [cost.case for cost in report.cases if cost.run_id == run_id]
    common = shared_by(cases).options_text if cases else ""
    plain = label.removesuffix(f" {common}") if common else label
    return one_line(f"{plain}, {run_id}" if several_runs(report) else plain)


def distinct(texts: Iterable[str]) -> list[str]:
    """Texts that say something, each once."""
    return list(dict.fromkeys(text for text in texts if text))


def priced(costs: Sequence[Cost]) -> list[Cost]:
    """Those that have a cost."""
    return [cost for cost in costs if cost.headline is not None]
