"""Models that a device does not open: one plain line each, and the run goes on."""

from __future__ import annotations

from typing import Any

import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from onnx import TensorProto, helper  # noqa: E402

from backends import onnxruntime_session  # noqa: E402
from backends.onnx_source import ExportedHere  # noqa: E402
from backends.onnxruntime_error_text import plain_error, refusal  # noqa: E402
from harness.clock import HostClock  # noqa: E402
from harness.messages import Task  # noqa: E402
from harness.worker import run_task  # noqa: E402
from results.errors import BackendUnavailable, ChipmarkError  # noqa: E402
from results.records import MeasureSpec  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of  # noqa: E402
from tests.harness.fakes import DraftReporter  # noqa: E402
from workloads import REGISTRY as WORKLOADS  # noqa: E402


def model_of(op: str = "Relu", opset: int = 20, ir: int = 10) -> bytes:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, ["a"], ["y"])], "g", [value("a", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir).SerializeToString()
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (model_of(opset=99), "the model is newer than this ONNX Runtime: use a newer one"),
        (model_of(ir=99), "the model is newer than this ONNX Runtime: use a newer one"),
        (model_of("Nonsense"), "No Op registered for Nonsense"),
        (model_of()[:40], "protobuf parsing failed"),
        (b"", "No graph was found"),
    ],
)
def test_one_plain_line(backend, cpu, cache, monkeypatch, model, words):
    """A real file in the place of the exported one, opened by the real runtime."""
    real = onnxruntime_session.make_session
    monkeypatch.setattr(onnxruntime_session, "make_session", lambda path, *rest: real(model, *rest))
    with pytest.raises(ChipmarkError) as caught:
        backend.prepare(TinyWorkload(), case_of(TinyWorkload()), cpu)
    said = str(caught.value)
    assert said.startswith("cpu does not open the model: ")
    assert words in said
    assert "\n" not in said
    assert ".cc:" not in said
    assert "ONNXRuntimeError" not in said
    assert len(said) < 420
    assert caught.value.__cause__ is not None, "the log has all of it"


def test_a_provider_that_wants_fixed_shapes_makes_the_case_unsupported():
    """As QNN 2.7 says it; the worker ends a case with this type of error as ``unsupported``."""
    error: Any = RuntimeError(
        "[ONNXRuntimeError] : 11 : EP_FAIL : Dynamic shape is not supported yet, for input: val_46"
    )
    found = refusal("qnn:npu", error)
    assert isinstance(found, BackendUnavailable)
    assert str(found).startswith("qnn:npu takes no graph whose lengths vary, as a decoder's does")
    assert not isinstance(refusal("qnn:npu", RuntimeError("another shape")), BackendUnavailable)


def test_out_of_memory_stays_what_it_is(backend, cpu, cache, monkeypatch):
    def open_session(*arguments: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(onnxruntime_session, "make_session", open_session)
    with pytest.raises(MemoryError, match="no room"):
        backend.prepare(TinyWorkload(), case_of(TinyWorkload()), cpu)
    assert ExportedHere(TinyWorkload(), case_of(TinyWorkload())).lacks() == ""


def greedy_model(node_name: str) -> bytes:
    """Takes the tiny workload's batch, and asks for 4 EiB when it runs."""
    value = helper.make_tensor_value_info
    inputs = [value("image", TensorProto.FLOAT, [2, 3, 6, 6]), value("ignored", TensorProto.FLOAT, [2])]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2**59, 2])
    nodes = [helper.make_node("Expand", ["ignored", "shape"], ["logits"], name=node_name)]
    graph = helper.make_graph(nodes, "g", inputs, [value("logits", TensorProto.FLOAT, ["n", 2])], [shape])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    )


@pytest.mark.parametrize("node_name", ["n", "node_" + "of_a_module_deep_inside_" * 8])
def test_an_allocation_that_fails_in_the_profiled_run_is_out_of_memory(cache, monkeypatch, node_name):
    """Whatever the node is called: the reason is cut, and what is looked for must not be."""
    real = onnxruntime_session.make_session
    monkeypatch.setattr(onnxruntime_session, "make_session", lambda path, *rest: real(greedy_model(node_name), *rest))
    workload = TinyWorkload()
    monkeypatch.setitem(WORKLOADS._resolved, workload.spec.name, workload)
    reporter = DraftReporter()
    run_task(Task(case=case_of(workload), measure=MeasureSpec(), log_path=""), reporter, HostClock())
    assert reporter.draft.stage == "prepare"
    assert reporter.draft.status == "out_of_memory"
    reason = str(reporter.draft.fields["reason"])
    assert reason.startswith("cpu does not open the model: ")
    assert ".cc:" not in reason
    assert "\n" not in reason


def test_places_in_sources_are_left_out_within_a_message_too():
    error = RuntimeError(
        "Error in execution: Non-zero status code returned while running Gemm node. Name:'a' Status Message: "
        "/src/core/bfc_arena.cc:360 void* onnxruntime::BFCArena::Allocate(size_t, bool, Stream*) Failed to allocate"
    )
    assert plain_error(error) == (
        "Error in execution: Non-zero status code returned while running Gemm node. Name:'a' Status Message: "
        "Failed to allocate"
    )
