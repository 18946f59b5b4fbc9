"""Where a case ran, as summaries, tables and frames tell it."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest

from results.explain import explain
from results.frame import load
from results.notes import case_notes
from results.placement_summary import NO_PLACEMENT
from results.records import Device, Measurement
from results.render import render_summary
from results.store import StoredRun
from results.summary import run_summary
from tests.results.example_run import CPU_ORT, SEQUENCES, case, measurement, run_info, store, timing

OPENVINO = "OpenVINOExecutionProvider"
NPU = Device(id="openvino:npu", backend="onnxruntime", kind="npu", name="Example NPU")
SPEC = case("bert-encoder", "infer", "fp32", backend="onnxruntime", device="openvino:npu")


def placed(time: float | None, nodes: float | None, left: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    found = {
        "asked": OPENVINO, "ok": True, "evidence": "9 of 9 nodes", "share_of_time": time, "share_of_nodes": nodes,
        "share_of_work": 1.0, "left_on_cpu": left or {},
    }  # fmt: skip
    return {"facts": {"placement": found | more}}


def run_of(tmp_path: Any, *replicates: dict[str, Any], spec: Any = SPEC, device: Device = NPU) -> StoredRun:
    times = {"work": SEQUENCES, "timing": timing([(10, 10**9)], 0)}
    records: list[tuple[Measurement, dict[str, Any]]] = [
        (measurement(spec, **{"replicate": i} | times | fields), {}) for i, fields in enumerate(replicates)
    ]
    return store(tmp_path / "runs" / "run", run_info([(spec, len(replicates))], (device,)), records)


def test_the_least_share_of_the_replicates_counts(tmp_path):
    left = {"Gather": 3, "Relu": 1}
    run = run_of(tmp_path, placed(0.99, 0.9, left), placed(0.96, 0.9, left), placed(1.0, 1.0))
    (found,) = run_summary(run).cases
    assert found.execution_provider == OPENVINO
    assert (found.provider_time_share, found.provider_node_share, found.provider_work_share) == (0.96, 0.9, 1.0)
    assert found.left_on_cpu == "Gather 3, Relu 1"
    (row,) = csv.DictReader(io.StringIO(render_summary(run_summary(run), "csv")))
    assert (row["provider_time_share"], row["execution_provider"], row["left_on_cpu"]) == (
        "0.96", OPENVINO, "Gather 3, Relu 1",
    )  # fmt: skip
    frame = load(run.path)
    assert (frame["provider_time_share"][0], frame["provider_node_share"][0]) == (0.96, 0.9)
    assert frame["provider_time_share"].dtype == "float64"


def test_a_share_that_one_process_does_not_know_is_not_known(tmp_path):
    (found,) = run_summary(run_of(tmp_path, placed(None, 1.0), placed(1.0, 1.0))).cases
    assert (found.provider_time_share, found.provider_node_share) == (None, 1.0)
    assert found.provider_time_share_reason == "not told by ONNX Runtime in every process"
    (note,) = case_notes(found, True)
    assert note == f"on {OPENVINO}: time n/a: not told by ONNX Runtime in every process, 100 % of the nodes"


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        (placed(1.0, 1.0), [f"on {OPENVINO}: 100 % of the time, 100 % of the nodes"]),
        (
            placed(0.99996, 0.98, {"Gather": 1}),
            [f"on {OPENVINO}: 99.9 % of the time, 98.0 % of the nodes; left on the CPU: Gather 1"],
        ),
        (placed(1.0, 1.0, asked="CPUExecutionProvider"), []),
        ({"facts": {}}, []),
    ],
)
def test_tables_tell_it_only_where_it_is_not_plain(tmp_path, fields, notes):
    (found,) = run_summary(run_of(tmp_path, fields)).cases
    assert case_notes(found, True) == notes


def test_a_fallback_shows_its_numbers_as_invalid(tmp_path):
    why = f"fallback: no node is on {OPENVINO}: 0% of the time and 0 of 6 nodes"
    fields = placed(0.0, 0.0, {"MatMul": 3}, ok=False) | {"status": "invalid", "reason": why}
    run = run_of(tmp_path, fields)
    table = " ".join(render_summary(run_summary(run), "table").split())
    assert f"invalid at finish: {why}" in table
    assert "80.0!" in table
    assert f"on {OPENVINO}: 0 % of the time, 0 % of the nodes; left on the CPU: MatMul 3" in table


def test_what_no_backend_told(tmp_path):
    plain = case("bert-encoder", "infer", "fp32", backend="onnxruntime")
    run = run_of(tmp_path, {"facts": {"providers": ["CPUExecutionProvider"]}}, spec=plain, device=CPU_ORT)
    (found,) = run_summary(run).cases
    assert (found.execution_provider, found.provider_time_share) == (None, None)
    assert found.provider_time_share_reason == NO_PLACEMENT
    assert math.isnan(load(run.path)["provider_time_share"][0])
    assert "Placement" not in explain(run, plain.id)


def test_explain_gives_the_evidence_once(tmp_path):
    text = explain(run_of(tmp_path, placed(1.0, 1.0), placed(1.0, 1.0)), SPEC.id)
    assert "\n\nPlacement\n  9 of 9 nodes\n\n" in text
