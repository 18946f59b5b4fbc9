"""Scorecards of what others published or the user imported: cited, and never in a card of our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from results.imported_record import NOT_VERIFIED, Citation, ImportedCost, ImportedResult
from results.scorecard_dollars import market_text, price_text
from results.scorecard_record import Cell, CellKind, Scorecard
from results.scorecard_rows import Mode

# Row of the scorecard for each quantity that can be published.
ROW_OF = {
    "throughput": "throughput",
    "latency": "latency",
    "time_to_train": "time_to_train",
    "power": "power",
    "energy_per_query": "energy_per_query",
}


class Published(NamedTuple):
    """The results of one system in one benchmark, that is of one card."""

    results: Sequence[ImportedResult]
    costs: Sequence[ImportedCost]


def published_groups(results: Iterable[ImportedResult], costs: Sequence[ImportedCost]) -> list[Published]:
    """Results of one system, benchmark and scenario together; a quantity that is there twice gets a second card."""
    groups: dict[tuple[object, ...], list[dict[str, ImportedResult]]] = {}
    for result in results:
        cards = groups.setdefault(_key(result), [{}])
        if result.quantity in cards[-1]:
            cards.append({})
        cards[-1][result.quantity] = result
    costs_of: dict[ImportedResult, list[ImportedCost]] = {}
    for cost in costs:
        costs_of.setdefault(cost.result, []).append(cost)
    return [
        Published(list(card.values()), [cost for result in card.values() for cost in costs_of.get(result, [])])
        for cards in groups.values()
        for card in cards
    ]


def published_card(published: Published) -> Scorecard:
    """The scorecard of one published system; holds only the rows that its publisher reports."""
    first = published.results[0]
    citation = first.citation
    mode = _mode(first)
    cells = {ROW_OF[result.quantity]: _cell(result) for result in published.results}
    if "power" not in cells:
        cells.update(_power(published.results))
    for cost in published.costs:
        cells.update(_dollars(cost))
    return Scorecard(
        mode=mode,
        origin=first.origin,
        workload=", ".join(
            filter(
                None,
                (
                    citation.title,
                    citation.benchmark,
                    citation.scenario,
                    (first.phase or "") if first.origin == "imported" else "",
                    citation.division,
                ),
            )
        ),
        precision=first.precision or "not stated",
        batch_size=first.batch_size,
        backend=first.software or "not stated",
        cells=cells,
        notes=tuple(dict.fromkeys(_notes(published))),
    )


def _power(results: Sequence[ImportedResult]) -> dict[str, Cell]:
    """The power that was metered with a result; that of another result of the card stands in the notes."""
    metered = [result for result in results if result.power_w is not None]
    if not metered:
        return {}
    first, *others = metered
    notes = [*_scope(first), f"metered with {first.quantity.replace('_', ' ')}"]
    notes += [
        f"{other.power_w:g} W {' '.join(_scope(other))} with {other.quantity.replace('_', ' ')}"
        for other in others
        if (other.power_w, other.power_scope) != (first.power_w, first.power_scope)
    ]
    return {"power": Cell(kind=_kind(first), value=first.power_w, unit="W", source=_source(first), notes=tuple(notes))}


def _kind(result: ImportedResult) -> CellKind:
    if result.origin == "imported":
        return "imported"
    return "derived" if result.computed else "published"


def citation_text(citation: Citation) -> str:
    """All of a citation on one line, as its publisher asks it to be cited."""
    named = (
        citation.publisher, citation.title, citation.division, citation.category, citation.suite, citation.benchmark,
        citation.scenario, f"submitted by {citation.submitter}" if citation.submitter else "",
        f"result {citation.result_id}" if citation.result_id else "", citation.url,
        f"retrieved {citation.retrieved}",
    )  # fmt: skip
    return ", ".join(part for part in named if part)


def _key(result: ImportedResult) -> tuple[object, ...]:
    cited = result.citation
    return (
        result.origin, _mode(result), cited.publisher, cited.title, cited.submitter, cited.division, cited.category,
        cited.benchmark, cited.scenario, cited.result_id, result.system, result.accelerator, result.num_nodes,
        result.num_accelerators, result.precision, result.batch_size, result.software, result.phase,
    )  # fmt: skip


def _mode(result: ImportedResult) -> Mode:
    return "training" if result.quantity == "time_to_train" or result.phase == "train" else "inference"


def _source(result: ImportedResult) -> str:
    return f"{citation_text(result.citation)}; row {result.row}"


def _cell(result: ImportedResult) -> Cell:
    notes = [*result.doubts]
    if result.inferred:
        notes.append("inferred by its publisher from another scenario, not measured")
    if result.value_per_accelerator is not None:
        notes.append(f"of the whole system; {result.value_per_accelerator:.4g} {result.unit} for each accelerator")
    if result.computed:
        notes.append(NOT_VERIFIED)
    if result.quantity in ("power", "energy_per_query"):
        notes += _scope(result)
    return Cell(kind=_kind(result), value=result.value, unit=result.unit, source=_source(result), notes=tuple(notes))


def _scope(result: ImportedResult) -> tuple[str, ...]:
    return (f"of {result.power_scope}",) if result.power_scope else ()


def _dollars(cost: ImportedCost) -> dict[str, Cell]:
    """Dollars are ours: derived, and labelled so that nobody takes them for a result of the publisher.

    Quantities that never have dollars take no row of those that do.
    """
    if cost.result.quantity not in ("throughput", "time_to_train"):
        return {}
    publisher = cost.result.citation.publisher
    notes = (f"{cost.label}: not a result of {publisher}", f"of: {_source(cost.result)}")
    source = _rate_source(cost)
    unit = cost.result.unit.removesuffix("/s")
    found = {}
    rows = {
        "usd_per_run": (cost.usd_per_run, "$/run"),
        "usd_per_1m": (cost.usd_per_1m, f"$/1M {unit}"),
    }
    for name, (values, text) in rows.items():
        if values is None:
            continue
        low, median, high = values
        spread = low != high
        found[name] = Cell(
            kind="derived",
            value=None if spread else median,
            low=low if spread else None,
            high=high if spread else None,
            unit=text,
            source=source,
            notes=(*notes, f"median ${median:.4g}") if spread else notes,
        )
    if not found and cost.reason:
        of_run = cost.result.quantity == "time_to_train"
        row, text = ("usd_per_run", "$/run") if of_run else ("usd_per_1m", f"$/1M {unit}")
        found[row] = Cell(kind="empty", unit=text, reason=cost.reason)
    return found


def _rate_source(cost: ImportedCost) -> str:
    if cost.price is not None:
        return price_text(cost.price)
    return "the price is not named" if cost.market is None else market_text(cost.market)


def _notes(published: Published) -> Iterable[str]:
    for result in published.results:
        citation = result.citation
        count = f"{result.num_accelerators} x " if result.num_accelerators is not None else ""
        nodes = f" in {result.num_nodes} node{'' if result.num_nodes == 1 else 's'}" if result.num_nodes else ""
        yield f"{result.system}: {count}{result.accelerator or result.processor or 'not stated'}{nodes}"
        if result.num_accelerators is None and result.num_accelerators_reason:
            yield f"number of accelerators: {result.num_accelerators_reason}"
        if citation.trademark:
            yield citation.trademark
    if published.results[0].origin == "imported":
        yield "imported by the user: measured with another tool, not by chipmark"
