"""One row of MLPerf Inference's tables, whatever its columns are called, as imported results."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from results.device_table import DeviceTable
from results.imported_record import Citation, ImportedResult
from results.imports.cells import CellError, count, flag, positive, sane, shown, text
from results.imports.mlperf_system import Chips, Published, chips_of
from results.imports.mlperf_terms import (
    DIVISIONS,
    PUBLISHER,
    SCENARIOS,
    TRADEMARK,
    UNITS,
    WALL,
    Retrieval,
    Unit,
)

_SUBMISSIONS = re.compile(r"submissions_inference_\w[\w.]*", re.IGNORECASE)
_OPTIMISER = re.compile(r"gateoverflow", re.IGNORECASE)


class Names(NamedTuple):
    """What a layout calls the columns; "" where it has none."""

    submitter: str
    availability: str
    division: str
    suite: str
    system: str
    platform: str
    benchmark: str  # MLPerf's name
    model: str  # the submitter's
    scenario: str
    result: str
    units: str
    accuracy: str
    nodes: str
    processor: str
    accelerator: str
    per_node: str
    total: str
    framework: str
    notes: str
    errors: str
    version: str
    inferred: str
    precision: str
    compliance: str
    result_id: str
    url: str = ""
    power: str = ""
    power_units: str = ""

    def needed(self) -> list[str]:
        """Columns without which no row can be understood."""
        return [
            self.submitter, self.division, self.system, self.benchmark, self.scenario, self.result, self.units,
            self.nodes, self.accelerator, self.per_node, self.version, self.inferred,
        ]  # fmt: skip


class _Row(NamedTuple):
    cells: dict[str, Any]
    names: Names

    def raw(self, field: str) -> Any:
        return self.cells.get(getattr(self.names, field))

    def text(self, field: str) -> str:
        return text(self.raw(field))


def results_of_row(
    number: int, cells: dict[str, Any], names: Names, cited: Retrieval, devices: DeviceTable
) -> list[ImportedResult]:
    """The performance of a row, and its energy where it was metered for each query.

    Raises:
        CellError: a cell is wrong; nothing of the row can be taken.
    """
    row = _Row(cells, names)
    citation = _citation(row, cited)
    value = positive(row.raw("result"), names.result)
    unit, doubts = _unit(row.text("units"), names.units, citation)
    chips = chips_of(_published(row), devices)
    doubts += [*chips.doubts, *_row_doubts(row, citation)]
    power = _power(row)
    common: dict[str, Any] = {
        "row": number,
        "origin": "published",
        "citation": citation,
        "system": row.text("system"),
        "accelerator": chips.accelerator,
        "device": chips.device,
        "device_reason": chips.device_reason,
        "processor": row.text("processor"),
        "num_nodes": count(row.raw("nodes"), names.nodes),
        "num_accelerators": chips.num_accelerators,
        "num_accelerators_reason": chips.num_accelerators_reason,
        "phase": "infer",
        "precision": row.text("precision"),
        "software": row.text("framework"),
        "accuracy": row.text("accuracy"),
        "inferred": flag(row.raw("inferred"), names.inferred),
        "notes": row.text("notes"),
        "doubts": tuple(doubts),
    }
    found = [_result(common, value, unit, chips, power)]
    if power and power[1].quantity == "energy_per_query":
        found.append(_result(common, power[0], power[1], chips, None))
    return found


def _result(
    common: dict[str, Any], value: float, unit: Unit, chips: Chips, power: tuple[float, Unit] | None
) -> ImportedResult:
    watts = power[0] if power and power[1].quantity == "power" else None
    metered = watts is not None or unit.quantity in ("power", "energy_per_query")
    share, reason = None, "" if unit.quantity != "throughput" else chips.per_chip_reason
    if unit.quantity == "throughput" and not reason and chips.num_accelerators:
        share = value * unit.factor / chips.num_accelerators
    sane(value * unit.factor, "result")
    sane(share, "result")
    return ImportedResult(
        quantity=unit.quantity,
        value=value * unit.factor,
        unit=unit.unit,
        better=unit.better,
        value_per_accelerator=share,
        value_per_accelerator_reason=reason,
        power_w=watts,
        power_scope=WALL if metered else "",
        **common,
    )


def _published(row: _Row) -> Published:
    names = row.names
    return Published(
        system=row.text("system"),
        platform=row.text("platform"),
        accelerator=row.text("accelerator"),
        processor=row.text("processor"),
        num_nodes=count(row.raw("nodes"), names.nodes),
        per_node=count(row.raw("per_node"), names.per_node),
        total=count(row.raw("total"), names.total),
        notes=row.text("notes"),
    )


def _citation(row: _Row, cited: Retrieval) -> Citation:
    for field in ("submitter", "system", "benchmark", "version"):
        if not row.text(field):
            raise CellError(f"column {getattr(row.names, field)}: is empty")
    division = row.text("division").lower()
    if division not in DIVISIONS:
        raise CellError(f"column {row.names.division}: {shown(division)} is none of {', '.join(DIVISIONS)}")
    scenario = SCENARIOS.get(row.text("scenario").lower())
    if scenario is None:
        known = ", ".join(SCENARIOS.values())
        raise CellError(f"column {row.names.scenario}: {shown(row.text('scenario'))} is none of {known}")
    return Citation(
        publisher=PUBLISHER,
        title=f"MLPerf Inference {row.text('version')}",
        submitter=row.text("submitter"),
        division=division,
        category=row.text("availability").lower(),
        suite=row.text("suite").lower(),
        benchmark=row.text("benchmark"),
        scenario=scenario,
        result_id=row.text("result_id"),
        url=row.text("url") or cited.url,
        retrieved=cited.retrieved,
        trademark=TRADEMARK,
    )


def _unit(written: str, column: str, citation: Citation) -> tuple[Unit, list[str]]:
    """The unit as it is meant; a correction is a doubt.

    MLPerf's whisper is scored in tokens a second, which the tables call Samples/s (checked against
    the logs of two submitters: 43,698.6 tokens/s stand beside 688.6 samples/s).
    """
    unit = UNITS.get(written.lower())
    if unit is None:
        raise CellError(f"column {column}: {shown(written)} is none of {', '.join(UNITS)}")
    whisper = citation.benchmark.lower().startswith("whisper") and citation.scenario == "Offline"
    if whisper and unit.unit == "sample/s":
        return UNITS["tokens/s"], [f"published as {written}, which for whisper are tokens/s: the unit was corrected"]
    return unit, []


def _power(row: _Row) -> tuple[float, Unit] | None:
    """Power or energy in columns of their own; None where there are none.

    Raises:
        CellError: they are not what a meter gives.
    """
    names = row.names
    if not names.power or row.raw("power") in (None, ""):
        return None
    value = positive(row.raw("power"), names.power)
    unit = UNITS.get(row.text("power_units").lower())
    if unit is None or unit.quantity not in ("power", "energy_per_query"):
        raise CellError(f"column {names.power_units}: {shown(row.text('power_units'))} is none of watts, millijoules")
    return value * unit.factor, unit._replace(factor=1.0)


def _row_doubts(row: _Row, citation: Citation) -> list[str]:
    doubts = []
    if citation.division != "closed":
        model = row.text("model")
        of_model = f" of {model}" if model and model.lower() != citation.benchmark.lower() else ""
        doubts.append(f"{citation.division} division{of_model}: not comparable with results of the closed division")
    if _OPTIMISER.search(citation.submitter):
        doubts.append("one of many mobile models that this submitter entered under one benchmark")
    errors = row.text("errors")
    if errors not in ("", "0", "0.0"):
        doubts.append(f"the table counts errors in its log: {errors}")
    compliance = row.text("compliance").lower()
    if compliance in DIVISIONS and compliance != citation.division:
        doubts.append(f"compliance says {compliance}, the division is {citation.division}")
    elif compliance in ("0", "0.0", "false") and citation.division == "closed":
        doubts.append("did not pass the compliance tests of the closed division")
    if found := _SUBMISSIONS.search(citation.url):
        doubts.append(f"its link points at {found[0]}, the repository of submissions, which may not be public")
    return doubts
