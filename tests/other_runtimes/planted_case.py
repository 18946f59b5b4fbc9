"""Run by another Python with OpenVINO: a whole case with a silent fallback planted into its model.

python -m tests.other_runtimes.planted_case
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from backends.onnx_cache import MODEL_FILE, CacheEntry
from backends.onnx_source import ExportedHere
from harness.clock import HostClock
from harness.messages import Task
from harness.worker import run_task
from results.records import MeasureSpec
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of
from tests.harness.fakes import DraftReporter
from workloads import REGISTRY as WORKLOADS

NUM_PLANTED = 50
MEASURE = MeasureSpec(min_seconds=0.01, min_iterations=3, max_seconds=0.1, warmup_max_seconds=0.05)


def plant(source: Path, target: Path) -> None:
    """The model with :data:`NUM_PLANTED` scalers by 1 behind its first input."""
    import onnx

    model = onnx.load(source)
    name = last = model.graph.input[0].name
    chain = []
    for i in range(NUM_PLANTED):
        attributes: dict[str, Any] = {"offset": [0.0], "scale": [1.0], "domain": "ai.onnx.ml"}
        chain.append(onnx.helper.make_node("Scaler", [last], [f"planted{i}"], name=f"planted{i}", **attributes))
        last = f"planted{i}"
        value = model.graph.value_info.add(name=last)  # nothing infers it, and OpenVINO takes no unknown rank
        value.type.CopyFrom(model.graph.input[0].type)
    for node in model.graph.node:
        node.input[:] = [last if taken == name else taken for taken in node.input]
    nodes = [*chain, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    onnx.save(model, target)


def measured() -> dict[str, Any]:
    """How the case ended."""
    workload = TinyWorkload()
    WORKLOADS._resolved[workload.spec.name] = workload
    original = ExportedHere.model
    with tempfile.TemporaryDirectory() as folder:

        def planted(self: ExportedHere, *arguments: Any) -> CacheEntry:
            plant(original(self, *arguments).model_path, Path(folder) / MODEL_FILE)
            return CacheEntry(Path(folder), {}, cached=True)

        ExportedHere.model = planted  # type: ignore[method-assign]
        case = msgspec.structs.replace(case_of(workload), device="openvino:cpu")
        reporter = DraftReporter()
        run_task(Task(case=case, measure=MEASURE, log_path=""), reporter, HostClock())
    assert reporter.draft.status is not None
    found = reporter.draft.measurement(case, 0, reporter.draft.status, str(reporter.draft.fields["reason"]), "now", 0.0)
    return {
        "status": found.status, "stage": found.stage, "reason": found.reason, "detail": found.detail,
        "numerics": found.numerics and found.numerics.verdict,
        "windows": len(found.timing.windows) if found.timing else 0,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measured()))
