"""Two scorecards for each device, training and inference, from runs, their costs and imported results.

Everything here is taken from the summaries, the cost report and the imported files; nothing is
computed anew. Devices are told apart by their row of the device table, or by name where they have
none. A card is of chipmark's own numbers or of somebody else's, never of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import CostReport
from results.device_table import DeviceRow, DeviceTable, match
from results.imported_record import ImportedFile, ImportedResult
from results.render import find_device
from results.scorecard_own import Group, own_card, own_groups
from results.scorecard_published import Published, published_card, published_groups
from results.scorecard_record import DeviceScorecards, Scorecard, ScorecardReport


class _Placed(NamedTuple):
    """A card and the device it belongs to."""

    name: str
    row: DeviceRow | None
    card: Scorecard


def scorecards(
    report: CostReport, summaries: Sequence[RunSummary], imported: Sequence[ImportedFile], table: DeviceTable
) -> ScorecardReport:
    """All scorecards, by device; own cards before published ones.

    Args:
        report: the costs of these runs, and of the imported results.
        summaries: of the runs, in the order they were named.
        imported: files of imported results.
        table: which device is which.
    """
    placed = [_own(group, table) for summary in summaries for group in own_groups(summary, report)]
    results = [result for file in imported for result in file.results]
    placed += [_published(group, table) for group in published_groups(results, report.imported)]
    return ScorecardReport(
        run_ids=tuple(dict.fromkeys(summary.run.run_id for summary in summaries)),
        terms=report.terms,
        devices=tuple(_by_device(placed)),
        warnings=tuple(dict.fromkeys((*report.warnings, *_refused(imported)))),
    )


def _own(group: Group, table: DeviceTable) -> _Placed:
    case: CaseSummary = next(iter(group.cases.values()))
    device = find_device(group.summary.run.devices, case.case)
    if device is None:
        return _Placed(f"unknown device {case.case.device}", None, own_card(group))
    row = match(table, device.name, device.kind, device.memory_bytes).row
    return _Placed(device.name, row, own_card(group))


def _published(group: Published, table: DeviceTable) -> _Placed:
    result: ImportedResult = group.results[0]
    row = table.rows.get(result.device) if result.device else None
    return _Placed(result.accelerator or result.processor or result.system, row, published_card(group))


def _by_device(placed: Iterable[_Placed]) -> Iterable[DeviceScorecards]:
    groups: dict[str, list[_Placed]] = {}
    for card in placed:
        # A row's name may be another device's own name; the mark keeps them apart.
        groups.setdefault(f"row {card.row.device}" if card.row else f"name {card.name}", []).append(card)
    for cards in groups.values():
        row = cards[0].row
        yield DeviceScorecards(
            device="; ".join(dict.fromkeys(card.name for card in cards)),
            row=row.device if row else None,
            role=row.role if row else None,
            training=tuple(c.card for c in cards if c.card.mode == "training"),
            inference=tuple(c.card for c in cards if c.card.mode == "inference"),
        )


def _refused(imported: Sequence[ImportedFile]) -> Iterable[str]:
    for file in imported:
        if file.refused:
            rows = "1 row" if len(file.refused) == 1 else f"{len(file.refused)} rows"
            yield f"{file.source}: {rows} not imported, the first because {file.refused[0].reason}"
