from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import pytest

from results.baseline_list import list_stores
from results.baseline_store import read_store
from results.baseline_writer import StoreWriter
from results.count_check import check_counts
from results.counts import counts_of
from results.metrics import METRICS
from results.records import SCHEMA_VERSION
from results.render import json_text
from results.render_compare import render_comparison
from results.render_counts import checked_json, counts_text
from results.schema import schema_document, schema_text, unit_of
from results.selfcheck_record import Detectable, SelfCheck
from results.summary import run_summary
from tests.results import example_comparison
from tests.results.ab_folders import ab_folder
from tests.results.baselines.stores import NOW, add
from tests.results.cost_documents import cost_documents
from tests.results.example_run import example_run
from tests.results.sessions import session, sessions

SCHEMA = schema_document()
STORED = ("baseline.json", "sessions/*.json", "superseded.json")
TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def problems(value, schema, where="$"):
    """Violations of the part of JSON Schema that is used here, as text."""
    if "$ref" in schema:
        return problems(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
    if "anyOf" in schema:
        found = [problems(value, choice, where) for choice in schema["anyOf"]]
        return [] if [] in found else min(found, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    if kind == "number":
        return [] if isinstance(value, int | float) and not isinstance(value, bool) else [f"{where}: {value!r}"]
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        return [f"{where}: {value!r} is no {kind}"]
    found = []
    if kind == "array" and "items" in schema and schema["items"] is not False:
        found += [p for i, item in enumerate(value) for p in problems(item, schema["items"], f"{where}[{i}]")]
    if kind == "object":
        found += object_problems(value, schema, where)
    return found


def object_problems(value, schema, where):
    found = [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        inner = known.get(name, rest)
        if inner is False:
            found.append(f"{where}.{name} is unknown")
        elif isinstance(inner, dict):
            found += problems(item, inner, f"{where}.{name}")
    return found


@pytest.fixture
def run(tmp_path):
    return example_run(tmp_path / "run")


def documents(run, folder):
    summary = run_summary(run)
    good = session(folder / "good")
    counts = counts_of(good)
    check = SelfCheck(
        measured_at="2026-11-22T10:11:12+00:00", host_id="0123456789ab", chipmark_version="0.1.0", elapsed_s=1.0,
        clock="perf_counter_ns", detectable=(Detectable(minutes=1.0, ratio=0.03),),
    )  # fmt: skip
    return {
        "run.json": [(run.path / "run.json").read_text()],
        "measurements.jsonl": (run.path / "measurements.jsonl").read_text().splitlines(),
        "show --format json": [json_text(summary)],
        "show --format counts": [counts_text(counts)],
        "run --check --json": [checked_json(run_summary(good), check_counts(good, counts, "counts.json"))],
        "compare --format json": [render_comparison(example_comparison.report(), "json")],
        "ab.json": [(ab_folder(folder / "ab", [(1.0, 1.0)]) / "ab.json").read_text()],
        "selfcheck --json": [json_text(check)],
        **baseline_documents(folder),
        **cost_documents(folder),
    }


def baseline_documents(folder):
    created = add(folder / "store", *sessions(folder / "base", 2), run_to_bar(folder))
    assert created.added
    assert created.barred
    with StoreWriter(folder / "store", NOW, "0.1.0") as writer:
        writer.supersede(read_store(folder / "store")[0], "example")
    listing = list_stores([folder / "store"])
    stored = {name: [f.read_text() for f in (folder / "store").rglob(name)] for name in STORED}
    assert all(stored.values())
    return {
        **stored,
        "baseline create --json": [json_text(created)],
        "baseline list --json": [json_text(listing)],
        "baseline show --json": [json_text(listing.entries[0])],
    }


def run_to_bar(folder):
    return session(folder / "barred", hour=9, record={"status": "killed", "stage": "measure"})


def test_what_is_written_follows_the_schema(run, tmp_path):
    texts = documents(run, tmp_path)
    assert set(texts) == set(SCHEMA["documents"])
    for name, found in texts.items():
        for text in found:
            assert problems(json.loads(text), SCHEMA["documents"][name]) == []


def test_what_is_wrong_does_not_follow_the_schema(run):
    info = json.loads((run.path / "run.json").read_text())
    reference = SCHEMA["documents"]["run.json"]
    assert problems({**info, "extra": 1}, reference) == ["$.extra is unknown"]
    assert problems({**info, "order_seed": "7"}, reference) == ["$.order_seed: '7' is no integer"]
    del info["run_id"]
    assert problems(info, reference) == ["$.run_id is missing"]


def test_versions_and_units():
    assert SCHEMA["x-stored-schema-version"] == SCHEMA_VERSION
    case_summary = SCHEMA["$defs"]["CaseSummary"]["properties"]
    for metric in METRICS:
        assert case_summary[metric.name]["x-unit"] == metric.unit
        assert case_summary[metric.name]["description"] == metric.doc
    assert SCHEMA["$defs"]["Window"]["properties"]["elapsed_ns"]["x-unit"] == "ns"
    assert SCHEMA["$defs"]["PriceRow"]["properties"]["price_usd_per_hour"]["x-unit"] == "USD/h"


@pytest.mark.parametrize(("name", "unit"), [
    ("throughput_per_s", "1/s"), ("elapsed_s", "s"), ("min_seconds", "s"), ("peak_bytes", "B"), ("status", None),
    ("steps", None), ("energy_j", "J"), ("average_power_w", "W"), ("usd_per_1m_items_billed", "USD"),
    ("usd_per_hour_attributed", "USD/h"), ("accelerator_memory_gib", "GiB"), ("items", None), ("reason", None),
    ("flops_per_s", "FLOP/s"),
])  # fmt: skip
def test_unit_from_the_name(name, unit):
    assert unit_of(name) == unit


def test_the_text_is_the_same_in_every_process():
    texts = {
        subprocess.run(
            [sys.executable, "-c", "from results.schema import schema_text; print(schema_text(), end='')"],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert texts == {schema_text()}


def test_golden(golden):
    golden("schema.json", schema_text())


def test_every_reference_resolves():
    text = msgspec.json.encode(SCHEMA).decode()
    names = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= set(SCHEMA["$defs"])
    assert {"RunInfo", "Measurement", "RunSummary", "CostReport"} <= names
