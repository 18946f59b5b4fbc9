"""Results of any other tool in chipmark's own template: all rows are taken, or none.

For chips whose vendor's tool alone can run them. The template is ``configs/imports/results-template.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.device_table import DeviceTable
from results.errors import UsageError, did_you_mean
from results.imported_record import Citation, ImportedResult
from results.imports.cells import CellError, sane
from results.imports.mlperf_inference import Imported, refuse_none
from results.imports.mlperf_terms import Retrieval
from results.imports.power_limits import another_part, limits_in
from results.imports.source_file import SourceFile, csv_lines
from results.imports.template_cells import PARSERS, unit_of
from results.published_names import match_published

COLUMNS = tuple(PARSERS)
MAX_ERRORS = 20  # that are listed
# Two rows that agree in these are of one measurement.
_SAME = (
    "device", "vendor", "tool", "tool_version", "measured_by", "date", "workload", "workload_notes", "phase",
    "precision", "batch_size", "quantity", "num_accelerators",
)  # fmt: skip


def read_template(source: SourceFile, cited: Retrieval, devices: DeviceTable) -> Imported:
    """The results of a filled-in template.

    Raises:
        UsageError: anything in it is wrong; lists up to :data:`MAX_ERRORS` rows with their columns.
    """
    columns, lines = csv_lines(source, COLUMNS)
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        hint = did_you_mean(unknown[0], COLUMNS)
        raise UsageError(f"{source.path}: unknown column {unknown[0]!r}{hint if 'mean' in hint else ''}")
    found: list[ImportedResult] = []
    errors = []
    seen: dict[tuple[object, ...], int] = {}
    for line in lines:
        try:
            if line.problem:
                raise CellError(line.problem)
            values = _parsed(line.cells)
            before = seen.setdefault(tuple(values[name] for name in _SAME), line.number)
            if before != line.number:
                raise CellError(f"is of the same measurement as row {before}")
            found.append(_result(line.number, values, cited, devices))
        except CellError as error:
            errors.append(f"row {line.number}: {error}")
            if len(errors) > MAX_ERRORS:
                break
    _refuse(source, errors)
    refuse_none(source, found, [])
    return Imported(tuple(found), ())


def _parsed(cells: Mapping[str, Any]) -> dict[str, Any]:
    """All cells of a row.

    Raises:
        CellError: names every cell that is wrong.
    """
    values, wrong = {}, []
    for name, parse in PARSERS.items():
        try:
            values[name] = parse(cells[name], name)
        except CellError as error:
            wrong.append(str(error))
    if wrong:
        raise CellError("; ".join(wrong))
    return values


def _device(values: Mapping[str, Any], devices: DeviceTable) -> tuple[str | None, str, list[str]]:
    """The row of the device table, why there is none, and doubts."""
    matched = match_published(devices, values["device"])
    row = devices.rows.get(values["device"]) or matched.row
    if row is None:
        return None, matched.reason, []
    if _maker(values["vendor"]) != _maker(row.vendor):
        return None, f"{row.device} is made by {row.vendor}, and the row says {values['vendor']}", []
    limits = limits_in((values["device"], values["workload_notes"], values["notes"], values["tool_version"]))
    reason, doubts = another_part(limits, row.device, row.tdp_w)
    return (None if reason else row.device), reason, doubts


# Other names of makers in the device table.
_MAKERS = {
    "amazon": "aws",
    "amazon web services": "aws",
    "google cloud": "google",
    "habana": "intel",
    "horizon robotics": "horizon",
}


def _maker(name: str) -> str:
    plain = " ".join(name.lower().replace(",", " ").replace(".", " ").split())
    plain = plain.removesuffix(" inc").removesuffix(" corporation").removesuffix(" corp")
    return _MAKERS.get(plain, plain)


def _refuse(source: SourceFile, errors: list[str]) -> None:
    if not errors:
        return
    more = "; and more" if len(errors) > MAX_ERRORS else ""
    raise UsageError(f"{source.path}: nothing was imported: {'; '.join(errors[:MAX_ERRORS])}{more}")


def _result(number: int, values: dict[str, Any], cited: Retrieval, devices: DeviceTable) -> ImportedResult:
    unit = unit_of(values["quantity"], values["unit"])
    value = values["value"] * unit.factor
    if values["power_w"] is not None and not values["power_scope"]:
        raise CellError("column power_scope: must say what power_w is of: wall, board, chip, ...")
    if values["quantity"] in ("power", "energy_per_query") and not values["power_scope"]:
        raise CellError(f"column power_scope: must say what the {values['quantity']} is of: wall, board, chip, ...")
    chips = values["num_accelerators"]
    shared = values["quantity"] == "throughput"
    device, reason, doubts = _device(values, devices)
    sane(value, "value")
    sane(value / chips if chips and shared else None, "value")
    unsaid = "the row does not say how many accelerators it is of"
    return ImportedResult(
        row=number,
        origin="imported",
        quantity=values["quantity"],
        value=value,
        unit=unit.unit,
        better=unit.better,
        citation=_citation(values, cited),
        system=f"{values['vendor']} {values['device']}",
        accelerator=values["device"],
        device=device,
        device_reason=reason,
        doubts=tuple(doubts),
        num_accelerators=chips,
        num_accelerators_reason="" if chips else unsaid,
        value_per_accelerator=value / chips if chips and shared else None,
        value_per_accelerator_reason=unsaid if shared and not chips else "",
        phase=values["phase"],
        precision=values["precision"],
        batch_size=values["batch_size"],
        software=f"{values['tool']} {values['tool_version']}",
        power_w=values["power_w"],
        power_scope=values["power_scope"],
        accuracy=values["accuracy"],
        notes=values["notes"],
    )


def _citation(values: dict[str, Any], cited: Retrieval) -> Citation:
    return Citation(
        publisher=values["measured_by"],
        title=f"{values['tool']} {values['tool_version']}, measured {values['date']}",
        submitter=values["measured_by"],
        benchmark=values["workload"],
        scenario=values["workload_notes"],
        url=values["source"],
        retrieved=cited.retrieved,
    )
