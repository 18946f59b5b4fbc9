"""Imported results as text: what was measured, where it can be looked up, and that chipmark did not measure it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import units
from results.imported_record import NOT_VERIFIED, ImportedFile, ImportedResult
from results.imports.same_results import num_measurements
from results.notes import Notes, one_line
from results.record import Record
from results.records import Scalar
from results.render import TABLE_WIDTH, csv_text, json_text
from results.render_table import Block, TableColumn, compose
from results.scorecard_published import citation_text

NOT_OURS = "These are not measurements of chipmark, and are not compared with its measurements."
MAX_REFUSED = 10  # that are listed; JSON has all
_COLUMNS = [
    TableColumn("row", 5, True),
    TableColumn("system", 22, False),
    TableColumn("accelerators", 20, False),
    TableColumn("benchmark", 16, False),
    TableColumn("value", 17, True),
    TableColumn("precision", 9, False),
    TableColumn("note", 5, False),
]
# Fields of a result in CSV, besides those of its citation.
_RESULT_FIELDS = tuple(name for name in ImportedResult.__struct_fields__ if name not in ("citation", "doubts"))


def render_imported(imported: ImportedFile, output_format: str, width: int = TABLE_WIDTH, color: bool = False) -> str:
    """A file of imported results in one of :data:`results.render.FORMATS`, ending in a newline."""
    if output_format == "json":
        return json_text(imported)
    if output_format == "csv":
        return _csv(imported)
    notes = Notes()
    rows = [_row(result, notes) for result in imported.results]
    general, last = _general(imported), _last_line(imported)
    if output_format == "markdown":
        from results.render_markdown import markdown_page

        columns = [(column.name, column.numeric) for column in _COLUMNS]
        return markdown_page(_header(imported), columns, rows, notes, general, last)
    block = Block("measured elsewhere", _COLUMNS, rows)
    return compose(_header(imported), [block], notes, general, last, width, color)


def _header(imported: ImportedFile) -> list[str]:
    when = imported.imported_at.replace("T", " ")
    return [
        f"{imported.format} from {one_line(imported.source)}, SHA-256 {imported.source_sha256[:12]}",
        f"imported {when} by chipmark {imported.chipmark_version}",
        NOT_OURS,
    ]


def _row(result: ImportedResult, notes: Notes) -> list[str]:
    cited = result.citation
    said = [citation_text(cited), *result.doubts]
    if result.inferred:
        said.append("inferred by its publisher from another scenario, not measured")
    if result.computed:
        said.append(NOT_VERIFIED)
    if result.device is None and result.accelerator:
        said.append(f"no row of the device table: {result.device_reason}")
    if result.power_w is not None:
        said.append(f"power {units.count(result.power_w)} W: {result.power_scope}")
    elif result.power_scope:
        said.append(f"of: {result.power_scope}")
    if result.notes:
        said.append(f"its notes: {result.notes}")
    texts = (
        str(result.row), result.system, _accelerators(result),
        " ".join(filter(None, (cited.benchmark, cited.scenario, _phase(result)))), value_text(result), result.precision,
    )  # fmt: skip
    return [*map(one_line, texts), notes.refer(said)]


def _phase(result: ImportedResult) -> str:
    """Where it is not said by what was published anyway."""
    return (result.phase or "") if result.origin == "imported" else ""


def _accelerators(result: ImportedResult) -> str:
    if result.accelerator is None:
        return f"none ({result.processor or 'processor not stated'})"
    return f"{'?' if result.num_accelerators is None else result.num_accelerators} x {result.accelerator}"


def value_text(result: ImportedResult) -> str:
    """``1.04M token/s``, ``400 us``, ``29.3 min``: three digits; ``!`` where the row has doubts."""
    return _scaled(result) + ("!" if result.doubts else "")


def _scaled(result: ImportedResult) -> str:
    if result.quantity == "time_to_train":
        return f"{units.digits3(result.value / 60)} min"
    if result.unit == "s":
        return units.seconds(result.value)
    if result.unit == "J":
        return units.joules(result.value)
    return f"{units.count(result.value)} {result.unit}"


def _general(imported: ImportedFile) -> Sequence[str]:
    trademarks = dict.fromkeys(one_line(result.citation.trademark) for result in imported.results)
    lines = [text for text in trademarks if text]
    if any(result.doubts for result in imported.results):
        lines.insert(0, "! something in the row does not fit together: see its notes")
    lines += [
        f"row {refusal.row} not imported: {one_line(refusal.reason)}" for refusal in imported.refused[:MAX_REFUSED]
    ]
    if len(imported.refused) > MAX_REFUSED:
        lines.append(f"{len(imported.refused) - MAX_REFUSED} more rows were not imported: --format json lists them")
    return lines


def _last_line(imported: ImportedFile) -> str:
    count, measured = len(imported.results), num_measurements(imported.results)
    twice = f" of {measured} measurements" if measured != count else ""
    doubted = sum(bool(result.doubts) for result in imported.results)
    inferred = sum(result.inferred for result in imported.results)
    return (
        f"{count} results{twice}, {doubted} with doubts, {inferred} inferred, {len(imported.refused)} rows not imported"
    )


def _csv(imported: ImportedFile) -> str:
    first = imported.results[0].citation if imported.results else None
    cited = tuple(first.__struct_fields__) if first else ()
    return csv_text([*_RESULT_FIELDS, "doubts", *cited, "provenance"], _flat(imported.results))


def _flat(results: Iterable[ImportedResult]) -> Iterable[dict[str, Scalar]]:
    for result in results:
        yield {
            **_fields(result, _RESULT_FIELDS),
            "doubts": "; ".join(result.doubts),
            **_fields(result.citation, result.citation.__struct_fields__),
            "provenance": NOT_OURS,
        }


def _fields(record: Record, names: Iterable[str]) -> dict[str, Scalar]:
    return {name: getattr(record, name) for name in names}
