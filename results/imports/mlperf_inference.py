"""MLPerf Inference: the summary CSV of the submission checker, and ``summary_results.json`` of a round."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from results.device_table import DeviceTable
from results.errors import UsageError
from results.imported_record import ImportedResult, Refusal
from results.imports.cells import CellError
from results.imports.json_rows import json_rows
from results.imports.mlperf_inference_row import Names, results_of_row
from results.imports.mlperf_terms import Retrieval
from results.imports.same_results import flag_same
from results.imports.source_file import Line, SourceFile, csv_lines

CSV_NAMES = Names(
    submitter="Organization", availability="Availability", division="Division", suite="SystemType",
    system="SystemName", platform="Platform", benchmark="MlperfModel", model="Model", scenario="Scenario",
    result="Result", units="Units", accuracy="Accuracy", nodes="number_of_nodes",
    processor="host_processor_model_name", accelerator="accelerator_model_name", per_node="accelerators_per_node",
    total="total_accelerators", framework="framework", notes="notes", errors="errors", version="version",
    inferred="inferred", precision="weight_data_types", compliance="compliance", result_id="Location",
)  # fmt: skip
JSON_NAMES = Names(
    submitter="Submitter", availability="Availability", division="Category", suite="Suite", system="System",
    platform="Platform", benchmark="Model", model="UsedModel", scenario="Scenario", result="Performance_Result",
    units="Performance_Units", accuracy="Accuracy", nodes="Nodes", processor="Processor", accelerator="Accelerator",
    per_node="a#", total="Total Accelerators", framework="Software", notes="Notes", errors="errors",
    version="version", inferred="inferred", precision="weight_data_types", compliance="compliance", result_id="ID",
    url="Details", power="Power_Result", power_units="Power_Units",
)  # fmt: skip


class Imported(NamedTuple):
    """What a file gave: results, and the rows that gave none."""

    results: tuple[ImportedResult, ...]
    refused: tuple[Refusal, ...]


def read_mlperf_inference(source: SourceFile, cited: Retrieval, devices: DeviceTable) -> Imported:
    """The results of a file, CSV or JSON by its content.

    A row that is wrong is refused by itself; the others are taken.

    Raises:
        UsageError: the file is neither, a needed column is missing, or no row is a result.
    """
    if source.text.lstrip()[:1] in ("[", "{"):
        return collect(source, json_rows(source, JSON_NAMES.needed()), JSON_NAMES, cited, devices)
    _, lines = csv_lines(source, CSV_NAMES.needed())
    return collect(source, lines, CSV_NAMES, cited, devices)


def collect(
    source: SourceFile, lines: Iterable[Line], names: Names, cited: Retrieval, devices: DeviceTable
) -> Imported:
    """Every row as results or a refusal.

    Raises:
        UsageError: no row is a result.
    """
    found: list[ImportedResult] = []
    refused = []
    for line in lines:
        try:
            if line.problem:
                raise CellError(line.problem)
            found += results_of_row(line.number, line.cells, names, cited, devices)
        except CellError as error:
            refused.append(Refusal(row=line.number, reason=str(error)))
    refuse_none(source, found, refused)
    return Imported(tuple(flag_same(found)), tuple(refused))


def refuse_none(source: SourceFile, found: list[ImportedResult], refused: list[Refusal]) -> None:
    """A file without results is no import.

    Raises:
        UsageError: there is none; names the first reason.
    """
    if found:
        return
    why = f": row {refused[0].row}: {refused[0].reason}" if refused else ""
    raise UsageError(f"{source.path}: holds no results{why}")
