"""MLPerf Training: scores derived from the logs of a round, or the wide table of the result summarizer.

The derived layout has one row for each benchmark of a system, with the time of every run; its
score is computed again. The wide layout has one row for each system and one column of minutes for
each benchmark, so that there is nothing to compute it from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from results.device_table import DeviceTable
from results.imported_record import Citation, ImportedResult, Refusal
from results.imports.cells import CellError, count, positive, sane, shown, text
from results.imports.mlperf_inference import Imported, refuse_none
from results.imports.mlperf_system import Published, chips_of
from results.imports.mlperf_terms import DIVISIONS, PUBLISHER, TRADEMARK, Retrieval
from results.imports.olympic import olympic_mean
from results.imports.same_results import flag_same
from results.imports.source_file import Line, SourceFile, csv_lines

DERIVED_COLUMNS = (
    "round", "submitter", "division", "status", "system", "benchmark", "accelerator", "number_of_nodes",
    "accelerators_per_node", "accelerators", "framework", "global_batch_size", "runs_ok", "runs_failed",
    "run_minutes", "rcp_scaling_factor", "score_minutes",
)  # fmt: skip
WIDE_COLUMNS = (
    "division", "availability", "submitter", "system", "number_of_nodes", "host_processor_model_name",
    "accelerator_model_name", "accelerators_count", "framework",
)  # fmt: skip
_WIDE_OTHERS = ("host_processors_count", "notes", "private_id", "public_id", "id", "hash", "details_url", "code_url")
# Benchmarks of rounds 0.5 to 5.1: another column of numbers need not be minutes.
BENCHMARKS = frozenset({
    "bert", "dlrm", "dlrm_dcnv2", "flux1", "gnmt", "gnn", "gpt3", "llama2_70b_lora", "llama31_405b", "llama31_8b",
    "maskrcnn", "minigo", "ncf", "resnet", "retinanet", "rgat", "rnnt", "ssd", "stable_diffusion", "transformer",
    "unet3d",
})  # fmt: skip
# Runs that are dropped at each end; all other benchmarks drop one.
_DROPPED = {"unet3d": 4}
# Run times and scores are published in 4 decimals: each is off by half of the last, their mean by no more.
_ROUNDING_MINUTES = 1.01e-4
S_PER_MINUTE = 60.0


class _Score(NamedTuple):
    minutes: float
    doubts: list[str]


def read_mlperf_training(source: SourceFile, cited: Retrieval, devices: DeviceTable) -> Imported:
    """The results of a file of either layout. A row that is wrong is refused by itself.

    Raises:
        UsageError: the file is of neither layout, or no row is a result.
    """
    columns, _ = csv_lines(source, ())
    wide = "accelerators_count" in columns or "accelerator_model_name" in columns
    columns, lines = csv_lines(source, WIDE_COLUMNS if wide else DERIVED_COLUMNS)
    found: list[ImportedResult] = []
    refused = _strange_columns(columns) if wide else []
    for line in lines:
        try:
            if line.problem:
                raise CellError(line.problem)
            if not wide:
                found.append(_derived(line, cited, devices))
        except CellError as error:
            refused.append(Refusal(row=line.number, reason=str(error)))
            continue
        if wide:
            _add_wide(line, cited, devices, found, refused)
    refuse_none(source, found, refused)
    return Imported(tuple(flag_same(found)), tuple(refused))


def _strange_columns(columns: list[str]) -> list[Refusal]:
    known = {*WIDE_COLUMNS, *_WIDE_OTHERS, *BENCHMARKS, ""}
    strange = [name for name in columns if name not in known]
    reason = f"not benchmarks that are known to be in minutes, so not imported: {', '.join(strange)}"
    return [Refusal(row=1, reason=reason)] if strange else []


def _derived(line: Line, cited: Retrieval, devices: DeviceTable) -> ImportedResult:
    cells = line.cells
    title = text(cells["round"])
    if not title:
        raise CellError("column round: is empty")
    published = Published(
        system=cells["system"],
        platform="",
        accelerator=cells["accelerator"],
        processor="",
        num_nodes=count(cells["number_of_nodes"], "number_of_nodes"),
        per_node=count(cells["accelerators_per_node"], "accelerators_per_node"),
        total=count(cells["accelerators"], "accelerators"),
        notes="",
    )
    citation = _citation(line, cells["benchmark"], title, cells["status"], cited)
    # Such files are made out of the publisher's logs, and hold no scores of its own.
    found = _result(line, citation, _score(cells), published, devices)
    return msgspec.structs.replace(found, computed=True)


def _score(cells: dict[str, Any]) -> _Score:
    """The stated score; what the runs give is checked against it, and stands in where it is not stated."""
    computed, doubts = _computed(cells)
    if _factor(cells) < 1:
        doubts.append(f"a scaling factor of {_factor(cells):g}, which may only be 1 or more")
    if not cells["score_minutes"]:
        if computed is None:
            raise CellError("column score_minutes: is empty, and there are no run_minutes that give a score")
        return _Score(computed, [*doubts, "no score is stated: taken from the times of its runs"])
    stated = positive(cells["score_minutes"], "score_minutes")
    if computed is not None and abs(computed - stated) > _ROUNDING_MINUTES * max(1.0, _factor(cells)):
        doubts.append(f"stated as {stated:g} min, but its runs give {computed:.4f} min")
    return _Score(stated, doubts)


def _factor(cells: dict[str, Any]) -> float:
    """What a score is multiplied by, because it converged faster than the reference; it only makes a score worse."""
    return positive(cells["rcp_scaling_factor"] or "1", "rcp_scaling_factor")


def _computed(cells: dict[str, Any]) -> tuple[float | None, list[str]]:
    """Minutes by the rule, and what does not fit together in the runs."""
    if not cells["run_minutes"]:
        return None, []
    minutes = [positive(part, "run_minutes") for part in cells["run_minutes"].split(";")]
    failed = count(cells["runs_failed"], "runs_failed") or 0
    stated = count(cells["runs_ok"], "runs_ok")
    doubts = []
    if stated is not None and stated != len(minutes):
        doubts.append(f"{stated} runs are counted, but the times of {len(minutes)} are given")
    dropped = _DROPPED.get(cells["benchmark"], 1)
    mean = olympic_mean(minutes, failed, dropped)
    if mean is None:
        doubts.append(
            f"no score by the rules: {len(minutes)} runs and {failed} failed, with {dropped} dropped each end"
        )
        return None, doubts
    return mean * _factor(cells), doubts


def _add_wide(
    line: Line, cited: Retrieval, devices: DeviceTable, found: list[ImportedResult], refused: list[Refusal]
) -> None:
    """Every benchmark of a system; an empty cell is one that it was not entered for."""
    cells = line.cells
    for benchmark in sorted(BENCHMARKS & cells.keys()):
        if not cells[benchmark] or cells[benchmark].lower() == "nan":
            continue
        try:
            published = Published(
                system=cells["system"],
                platform="",
                accelerator=cells["accelerator_model_name"],
                processor=cells["host_processor_model_name"],
                num_nodes=count(cells["number_of_nodes"], "number_of_nodes"),
                per_node=None,
                total=count(cells["accelerators_count"], "accelerators_count"),
                notes=cells.get("notes", ""),
            )
            citation = _citation(line, benchmark, cited.round, cells["availability"], cited)
            score = _Score(positive(cells[benchmark], benchmark), [])
            if not cited.round:
                score.doubts.append("the file does not say of which round it is")
            found.append(_result(line, citation, score, published, devices))
        except CellError as error:
            refused.append(Refusal(row=line.number, reason=str(error)))


def _citation(line: Line, benchmark: str, round_name: str, status: str, cited: Retrieval) -> Citation:
    cells = line.cells
    division = cells["division"].lower()
    if division not in DIVISIONS:
        raise CellError(f"column division: {shown(division)} is none of {', '.join(DIVISIONS)}")
    for name, cell in (("submitter", cells["submitter"]), ("system", cells["system"]), ("benchmark", benchmark)):
        if not cell:
            raise CellError(f"column {name}: is empty")
    return Citation(
        publisher=PUBLISHER,
        title=f"MLPerf Training {round_name}".rstrip(),
        submitter=text(cells["submitter"]),
        division=division,
        category=text(status).lower(),
        benchmark=text(benchmark),
        result_id=text(cells.get("public_id") or cells.get("id") or ""),
        url=text(cells.get("details_url", "")) or cited.url,
        retrieved=cited.retrieved,
        trademark=TRADEMARK,
    )


def _result(
    line: Line, citation: Citation, score: _Score, published: Published, devices: DeviceTable
) -> ImportedResult:
    chips = chips_of(published, devices)
    sane(score.minutes * S_PER_MINUTE, "score")
    doubts = [*score.doubts, *chips.doubts]
    if citation.division != "closed":
        doubts.append(f"{citation.division} division: not comparable with results of the closed division")
    return ImportedResult(
        row=line.number,
        origin="published",
        quantity="time_to_train",
        value=score.minutes * S_PER_MINUTE,
        unit="s",
        better="lower",
        citation=citation,
        system=text(published.system),
        accelerator=chips.accelerator,
        device=chips.device,
        device_reason=chips.device_reason,
        processor=text(published.processor),
        num_nodes=published.num_nodes,
        num_accelerators=chips.num_accelerators,
        num_accelerators_reason=chips.num_accelerators_reason,
        value_per_accelerator_reason="a time to train is of the whole system",
        phase="train",
        batch_size=count(line.cells.get("global_batch_size", ""), "global_batch_size"),
        software=text(line.cells["framework"]),
        notes=text(published.notes),
        doubts=tuple(doubts),
    )
