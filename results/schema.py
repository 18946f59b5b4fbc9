"""JSON Schema of everything chipmark stores or prints as JSON.

Units come from the suffix of a field's name, descriptions of derived numbers from
:mod:`results.metrics`; the output depends on nothing else, so that two exports of the same
version are the same bytes.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from results.ab_record import AbRecord
from results.baseline_records import BaselineEntry, BaselineSession, Superseded
from results.baseline_report import CreateReport, EntryListing, Listing
from results.case_summary import SUMMARY_SCHEMA_VERSION, RunSummary
from results.comparison import ComparisonReport
from results.cost_record import CostReport
from results.count_check import CheckedRun
from results.counts import ExpectedCounts
from results.imported_record import ImportedFile
from results.metrics import METRIC
from results.records import SCHEMA_VERSION, Measurement, RunInfo
from results.scorecard_record import ScorecardReport
from results.selfcheck_record import SelfCheck

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "run.json": (RunInfo, "what was asked for, where and with what; written before measuring"),
    "measurements.jsonl": (Measurement, "one finished replicate of one case a line"),
    "show --format json": (RunSummary, "derived: one summary a case"),
    "cost --format json": (CostReport, "derived: one cost a case and price"),
    "cost --scorecards --format json": (ScorecardReport, "derived: training and inference scorecards of each device"),
    "chipmark-imports/*.json": (ImportedFile, "results measured elsewhere, with their citations"),
    "show --format counts": (ExpectedCounts, "what a run must count up to; read by run --check"),
    "run --check --json": (CheckedRun, "derived: the summary and what is not as expected"),
    "compare --format json": (ComparisonReport, "derived: one verdict a case and metric"),
    "baseline.json": (BaselineEntry, "of a store of baselines: one case on one device"),
    "sessions/*.json": (BaselineSession, "of a store of baselines: what one run measured of an entry's case"),
    "superseded.json": (Superseded, "of a store of baselines: the entry is no longer used"),
    "baseline create --json": (CreateReport, "derived: what was added and what not"),
    "baseline list --json": (Listing, "derived: all entries of a store"),
    "baseline show --json": (EntryListing, "derived: one entry with its sessions"),
    "ab.json": (AbRecord, "which runs of compare --ab belong together; rewritten after every half of a pair"),
    "selfcheck --json": (SelfCheck, "what the harness costs and can resolve on one host; stored in every run.json"),
}

# Longest suffix first: "_per_s" is a rate, not seconds.
UNIT_SUFFIXES = (
    ("_usd_per_hour", "USD/h"),
    ("usd_per_busy_hour", "USD/h"),
    ("usd_per_hour_min", "USD/h"),
    ("usd_per_hour_median", "USD/h"),
    ("usd_per_hour_max", "USD/h"),
    ("_usd_per_kwh", "USD/kWh"),
    ("usd_per_hour_billed", "USD/h"),
    ("usd_per_hour_attributed", "USD/h"),
    ("_per_s", "1/s"),
    ("_seconds", "s"),
    ("_bytes", "B"),
    ("_gib", "GiB"),
    ("_ns", "ns"),
    ("_s", "s"),
    ("_j", "J"),
    ("_w", "W"),
    ("_usd", "USD"),
    ("_years", "a"),
)


def schema_document() -> dict[str, Any]:
    """The whole schema: ``documents`` maps each kind of JSON to its definition in ``$defs``."""
    kinds = [kind for kind, _ in DOCUMENTS.values()]
    references, definitions = msgspec.json.schema_components(
        kinds, schema_hook=_schema_hook, ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        # Python before 3.13 keeps a docstring's indentation; the schema must not depend on that.
        definition["description"] = cleandoc(definition.get("description", ""))
        for name, schema in definition.get("properties", {}).items():
            _annotate(name, schema)
    documents = {
        name: {**reference, "description": description}
        for (name, (_, description)), reference in zip(DOCUMENTS.items(), references, strict=True)
    }
    return {
        "$schema": DIALECT,
        "title": "chipmark",
        "description": "Numbers are in the unit 'x-unit'. null is 'not known'; the *_reason beside it says why.",
        "x-stored-schema-version": SCHEMA_VERSION,
        "x-derived-schema-version": SUMMARY_SCHEMA_VERSION,
        "documents": documents,
        "anyOf": list(references),
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """:func:`schema_document` as indented JSON with sorted keys, ending in a newline."""
    encoded = msgspec.json.encode(schema_document(), order="sorted")
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def unit_of(name: str) -> str | None:
    """The unit a field's name promises, or None."""
    if name in METRIC:
        return METRIC[name].unit
    if name == "usd" or (name.startswith(("usd_", "electricity_usd_")) and "hour" not in name):
        return "USD"
    return next((unit for suffix, unit in UNIT_SUFFIXES if name.endswith(suffix)), None)


def _schema_hook(kind: type) -> dict[str, Any]:
    """Free-form JSON (the facts of a step) is annotated as ``object``: any value goes."""
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError(f"no JSON Schema for {kind}")


def _annotate(name: str, schema: dict[str, Any]) -> None:
    unit = unit_of(name)
    if unit is not None:
        schema["x-unit"] = unit
    if name in METRIC:
        schema["description"] = METRIC[name].doc
        if METRIC[name].better:
            schema["x-better"] = METRIC[name].better
