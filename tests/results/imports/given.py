"""Files of imported results, written and read back in tests."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from results.device_table import shipped_devices
from results.imports.mlperf_inference import Imported, read_mlperf_inference
from results.imports.mlperf_terms import Retrieval
from results.imports.mlperf_training import read_mlperf_training
from results.imports.source_file import read_source
from results.imports.template import COLUMNS, read_template

HERE = Path(__file__).parent
INFERENCE_EXCERPT = HERE / "inference_v6.0.excerpt.csv"
TRAINING_EXCERPT = HERE / "training_derived.excerpt.csv"

# A row of summary_results.json as of v5.1.
JSON_ROW: dict[str, Any] = {
    "ID": "5.1-0042", "Submitter": "Acme", "Availability": "available", "Category": "closed", "Suite": "datacenter",
    "System": "Box (8x H100)", "Platform": "box", "UsedModel": "llama2-70b-99", "Model": "llama2-70b-99",
    "Scenario": "Offline", "Accuracy": "ROUGE1: 44.4", "Nodes": 2, "Processor": "Some CPU",
    "host_processors_per_node": 2, "host_processor_core_count": "56", "Accelerator": "NVIDIA H100-SXM-80GB",
    "a#": 8, "Location": "x", "Software": "TensorRT", "operating_system": "Ubuntu", "Notes": "", "compliance": 1,
    "errors": 0, "version": "v5.1", "inferred": 0, "has_power": False, "weight_data_types": "fp8", "p#": 4,
    "Details": "https://example.org/d", "Code": "", "ColorKey": 1, "Performance_Result": 3200.0,
    "Performance_Units": "Tokens/s",
}  # fmt: skip
TEMPLATE_ROW = {
    "device": "Gaudi3", "vendor": "Intel", "tool": "bench", "tool_version": "1.2", "measured_by": "Lab",
    "date": "2026-05-04", "workload": "llama3-8b", "workload_notes": "512 in", "phase": "decode",
    "precision": "bf16", "batch_size": "16", "quantity": "throughput", "value": "1200", "unit": "token/s",
    "num_accelerators": "8", "power_w": "", "power_scope": "", "accuracy": "", "source": "https://example.org",
    "notes": "",
}  # fmt: skip
CITED = Retrieval("2026-07-24", "https://example.org/file", "")


def inference(path: Path) -> Imported:
    return read_mlperf_inference(read_source(path), CITED, shipped_devices())


def training(path: Path, round_name: str = "") -> Imported:
    return read_mlperf_training(read_source(path), CITED._replace(round=round_name), shipped_devices())


def template(path: Path) -> Imported:
    return read_template(read_source(path), CITED, shipped_devices())


def json_file(folder: Path, *rows: Any) -> Path:
    """A file of rows, each :data:`JSON_ROW` with what is given replaced; None: the key is left out."""
    full = [{k: v for k, v in {**JSON_ROW, **row}.items() if v is not None} for row in rows]
    path = folder / "summary_results.json"
    path.write_text(json.dumps(full))
    return path


def csv_file(folder: Path, *rows: dict[str, str]) -> Path:
    """A CSV file with the columns of the first row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "rows.csv"
    path.write_text(out.getvalue())
    return path


def template_file(folder: Path, *changes: dict[str, str]) -> Path:
    return csv_file(folder, *({**TEMPLATE_ROW, **change} for change in changes))


assert tuple(TEMPLATE_ROW) == COLUMNS
