"""Real exports and sessions of tiny nets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

for package in ("onnx", "onnxruntime", "onnxscript", "torch"):
    pytest.importorskip(package)

import torch  # noqa: E402

from backends import onnx_export, onnx_quantize, onnxruntime_session  # noqa: E402
from backends.base import GATE_STEPS, NUM_ROTATING_BATCHES, Step  # noqa: E402
from backends.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from results.records import CaseSpec, Device  # noqa: E402
from tests.backends.onnxruntime import tiny_workloads  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import (  # noqa: E402
    PlainDecoder,
    TinyDecoder,
    TinyWorkload,
    case_of,
)

Prepare = Callable[..., Step]
CASES = [(TinyWorkload(), "infer"), (TinyDecoder(), "prefill")]


@pytest.fixture
def prepare(backend: OnnxRuntimeBackend, cpu: Device, cache: Path) -> Prepare:
    return lambda workload, case: backend.prepare(workload, case, cpu)


def torch_logits(workload: TinyWorkload, case: CaseSpec, i: int = 0) -> np.ndarray:
    """What the model itself says about step i's batch."""
    model = workload.model(case.preset, case.seed)
    batch = workload.batch(case.preset, case.phase, case.batch_size, case.shape, case.seed + 1 + i)
    with torch.no_grad():
        logits = model(**batch)
    return (logits[:, -1] if case.phase == "prefill" else logits).numpy()


def error(got: np.ndarray, expected: np.ndarray) -> float:
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(("workload", "phase"), CASES, ids=["conv", "decoder"])
def test_fp32_equals_torch_on_every_rotating_batch(workload: TinyWorkload, phase: Any, prepare: Prepare) -> None:
    case = case_of(workload, phase)
    step = prepare(workload, case)
    assert isinstance(step, Step)
    assert step.timer() is None
    for i in (0, 1, 2, 3, NUM_ROTATING_BATCHES + 1):
        step.run(i)
        step.sync()
        assert error(step.outputs()["logits"], torch_logits(workload, case, i % NUM_ROTATING_BATCHES)) < 1e-5
    kept = step.outputs()["logits"]
    before = kept.copy()
    step.run(2)
    assert (kept == before).all()  # outputs are copies
    assert not np.allclose(step.outputs()["logits"], before)


@pytest.mark.parametrize(("workload", "phase"), CASES, ids=["conv", "decoder"])
def test_reference_is_torch_on_the_inputs_of_step_0(
    workload: TinyWorkload, phase: Any, backend: OnnxRuntimeBackend, cpu: Device
) -> None:
    case = case_of(workload, phase, "int8", seed=3, graph_optimization="all")
    found = backend.reference(workload, case, cpu)
    assert found is not None
    text, outputs = found
    assert text == "torch eager fp32 on cpu"
    assert outputs["logits"].shape[0] == GATE_STEPS[phase]
    assert error(outputs["logits"][0], torch_logits(workload, case)) < 1e-6


@pytest.mark.parametrize(("workload", "phase"), CASES, ids=["conv", "decoder"])
def test_int8_runs_in_int8_and_stays_close(workload: TinyWorkload, phase: Any, prepare: Prepare) -> None:
    case = case_of(workload, phase, "int8")
    step = prepare(workload, case)
    step.run(0)
    relative = error(step.outputs()["logits"], torch_logits(workload, case))
    assert 1e-4 < relative < 0.1  # below: it was not quantized; above: it is scrambled
    facts = step.facts
    assert facts["precision_honoured"] is True
    assert facts["precision_executed"] == "int8"
    assert facts["quantized_nodes"] == facts["eligible_nodes"] == (3 if phase == "infer" else 5)
    assert all("[uint8" in kernel for kernel in facts["matmul_dtypes"])
    timed_seeds = {case.seed + 1 + i for i in range(NUM_ROTATING_BATCHES)}
    assert len(set(facts["calibration_seeds"])) == 4
    assert not timed_seeds & set(facts["calibration_seeds"])


@pytest.mark.parametrize("scheme", ["U8U8", "U8S8"])
def test_int8_scheme_reaches_the_weights(
    scheme: Any, backend: OnnxRuntimeBackend, cpu: Device, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    monkeypatch.setattr("backends.onnxruntime_int8.int8_scheme", lambda provider: scheme)
    workload = TinyWorkload()
    case = case_of(workload, "infer", "int8")
    facts = backend.prepare(workload, case, cpu).facts
    assert scheme in str(facts["quantization"])
    operands = "uint8" if scheme == "U8U8" else "uint8xint8"
    assert facts["matmul_dtypes"] == {f"QGemm[{operands}]": 2, f"QLinearConv[{operands}]": 1}
    graph = onnx.load(onnx_quantize.quantized_model(workload, case, scheme).model_path).graph
    scales = [list(x.dims) for x in graph.initializer if "weight" in x.name and x.name.endswith("_scale")]
    assert sorted(scales) == [[8], [10], [32]], "one scale for each output channel"


def test_quantized_weights_not_fused_back_into_float(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit is what tells: with the fusion that undoes INT8 it says so."""
    workload = TinyDecoder()
    monkeypatch.setattr(onnxruntime_session, "_DISABLED_OPTIMIZERS", {})
    facts = prepare(workload, case_of(workload, "infer", "int8")).facts
    assert facts["precision_honoured"] is False
    assert "float32" in str(facts["precision_evidence"])


def test_int8_that_is_not_executed_is_said(prepare: Prepare) -> None:
    workload = TinyWorkload()
    case = case_of(workload, "infer", "int8", graph_optimization="off")
    step = prepare(workload, case)
    step.run(1)
    assert error(step.outputs()["logits"], torch_logits(workload, case, 1)) < 0.1
    assert step.facts["precision_honoured"] is False
    assert step.facts["precision_executed"] == "fp32"


@pytest.mark.parametrize(("workload", "phase"), CASES, ids=["conv", "decoder"])
def test_fp16_says_what_it_was_computed_in(workload: TinyWorkload, phase: Any, prepare: Prepare) -> None:
    case = case_of(workload, phase, "fp16")
    step = prepare(workload, case)
    step.run(1)
    assert 1e-5 < error(step.outputs()["logits"], torch_logits(workload, case, 1)) < 0.01
    runs_fp16 = "[float16]" in str(step.facts["matmul_dtypes"])
    assert step.facts["precision_executed"] == ("fp16" if runs_fp16 else "fp32")
    assert step.facts["precision_honoured"] is True, "computed in FP32, as announced"


def test_emulation_that_was_not_announced_is_not_honoured(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = TinyWorkload()
    monkeypatch.setattr("backends.onnxruntime_session.WIDENED", "something else")
    facts = prepare(workload, case_of(workload, "infer", "fp16")).facts
    assert facts["precision_honoured"] is (facts["precision_executed"] == "fp16")


def test_facts(prepare: Prepare) -> None:
    workload = TinyWorkload()
    facts = prepare(workload, case_of(workload, threads=2, graph_optimization="basic")).facts
    assert facts["intra_op_num_threads"] == 2
    assert facts["threads_started"] in (1, None)
    assert facts["graph_optimization"] == "basic"
    assert facts["execution_mode"] == "ORT_SEQUENTIAL"
    assert facts["session_config"] == {"session.intra_op.allow_spinning": "1"}
    assert facts["providers"] == ["CPUExecutionProvider"]
    placement = facts["placement"]
    assert placement["asked"] == "CPUExecutionProvider"
    assert placement["ok"] is True
    assert (placement["share_of_nodes"], placement["share_of_time"], placement["share_of_work"]) == (1, 1, 1)
    assert placement["nodes_by_provider"].keys() == {"CPUExecutionProvider"}
    assert placement["left_on_cpu"] == {}
    assert facts["precision_honoured"] is True
    assert facts["matmul_dtypes"] == {"Conv[float32]": 1, "Gemm[float32]": 2}
    json.dumps(facts)


def test_prefill_returns_the_last_position_only(prepare: Prepare) -> None:
    direct, plain = TinyDecoder(), PlainDecoder()
    first, second = (prepare(w, case_of(w, "prefill")) for w in (direct, plain))
    first.run(0)
    second.run(0)
    assert first.outputs()["logits"].shape == (2, tiny_workloads.VOCABULARY)
    assert error(second.outputs()["logits"], first.outputs()["logits"]) < 1e-5
    assert "every position" not in str(first.facts["output"])
    assert "every position" in str(second.facts["output"])


def test_export_is_cached_and_mended(
    backend: OnnxRuntimeBackend, cpu: Device, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "EXTERNAL_DATA_BYTES", 10_000)  # as for a model of gigabytes
    monkeypatch.setattr(onnx_quantize, "EXTERNAL_DATA_BYTES", 10_000)
    workload = TinyWorkload()
    case = case_of(workload)
    expected = torch_logits(workload, case)

    def facts_of(case: CaseSpec) -> Any:
        step = backend.prepare(workload, case, cpu)
        step.run(0)
        assert error(step.outputs()["logits"], expected) < (1e-5 if case.precision == "fp32" else 0.1)
        return step.facts

    first = facts_of(case)
    assert first["export_s"] > 0
    assert first["export_cached"] is False
    (weights,) = (empty_cache / "onnx").glob("*/model.onnx.data")
    second = facts_of(msgspec.structs.replace(case, options={}))  # other options, same graph
    assert (second["export_s"], second["export_cached"], second["export_note"]) == (None, True, "")

    damaged = bytearray(weights.read_bytes())
    damaged[100] ^= 0xFF
    weights.write_bytes(damaged)
    third = facts_of(case)
    assert third["export_s"] > 0
    assert "model.onnx.data: checksum differs" in third["export_note"]

    int8 = msgspec.structs.replace(case, precision="int8")
    fourth, fifth = facts_of(int8), facts_of(int8)
    assert (fourth["export_s"], fourth["export_cached"]) == (None, True)
    assert fourth["quantize_s"] > 0
    assert (fifth["export_s"], fifth["quantize_s"], fifth["export_cached"]) == (None, None, True)
    assert len(list((empty_cache / "onnx").glob("*/model.onnx*"))) == 4  # two models with weights beside


def test_unwritable_cache_still_works(
    backend: OnnxRuntimeBackend, cpu: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "file" / "below"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    workload = TinyWorkload()
    case = case_of(workload, "infer", "int8")
    step = backend.prepare(workload, case, cpu)
    assert "cannot be written" in str(step.facts["export_note"])
    assert step.facts["export_s"] is not None
    # The first export of a process also makes torch's own folder there.
    assert [path for path in temporary.iterdir() if not path.name.startswith("torchinductor_")] == []
    step.run(0)  # the session does not need the deleted files
    assert error(step.outputs()["logits"], torch_logits(workload, case)) < 0.1
