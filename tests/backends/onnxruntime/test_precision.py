from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from backends.cpu_units import cpu_flags, units  # noqa: E402
from backends.onnx_providers import CPU  # noqa: E402
from backends.onnxruntime_audit import Audit, MatrixKernel, audit_session, read_profile  # noqa: E402
from backends.onnxruntime_precision import executed_dtypes, one_line, precision_of, probe  # noqa: E402
from backends.onnxruntime_provider import Provider, make_session  # noqa: E402
from backends.processor import cpu_name  # noqa: E402

HERE = Provider(CPU.name, "cpu", "cpu", CPU)
FUSED = dataclasses.replace(HERE, row=dataclasses.replace(CPU, title="Chip"), kind="npu", name="ChipProvider")


def on_cpu(model: bytes, options: Any) -> Any:
    return make_session(model, options, HERE)


def test_fp32_is_native() -> None:
    support = probe("fp32", HERE)
    assert support.level == "native"
    assert support.evidence == {"executed": "MatMul[float32]", "casts": 0, "significant_bits": 24}


def test_fp16_that_is_widened_is_emulated() -> None:
    """On x86 the CPU provider widens it; where a CPU multiplies FP16 itself, that is native."""
    support = probe("fp16", HERE)
    if support.evidence["executed"] == "MatMul[float16]":
        assert support.level == "native"
        return
    assert support.level == "emulated"
    assert support.reason == "FP16 values are computed in FP32 by the CPU provider: inserted casts"
    assert support.evidence["executed"] == "MatMul[float32]"
    assert support.evidence["computed_in"] == "fp32"


def test_fp8_that_is_dequantized_is_unsupported() -> None:
    support = probe("fp8", HERE)
    assert support.level == "unsupported"
    assert "that would not be an FP8 result" in support.reason or "refuses fp8" in support.reason


def test_bf16_tells_the_providers_words() -> None:
    support = probe("bf16", HERE)
    assert support.level == "native" or "NOT_IMPLEMENTED" in support.reason
    assert "\n" not in support.reason


@pytest.mark.parametrize(
    ("flags", "level", "word"),
    [({"avx2"}, "emulated", "widened to int16"), ({"avx512_vnni"}, "native", ""), ({"asimddp"}, "native", "")],
)
def test_int8_follows_the_flags(flags: set[str], level: str, word: str) -> None:
    support = probe("int8", HERE, flags=flags)
    assert support.level == level
    assert word in support.reason
    assert "[uint8]" in str(support.evidence["executed"])


def test_int8_on_this_cpu() -> None:
    assert probe("int8", HERE).level == ("native" if units("int8", cpu_flags()) else "emulated")


def test_a_product_that_is_left_to_the_cpu_is_none_of_the_provider() -> None:
    support = probe("fp16", FUSED, open_session=on_cpu)
    assert support.level == "unsupported"
    assert support.reason == "the Chip provider takes no FP16 product: it is left to the CPU"
    assert probe("fp32", FUSED, open_session=on_cpu).evidence["left_to"] == "the CPU"


def test_probing_needs_no_onnx_package() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from backends.onnxruntime_precision import probe\n"
        "from backends.onnxruntime_int8 import int8_scheme\n"
        "from backends.onnxruntime_provider import Provider\n"
        "from backends.onnx_providers import CPU\n"
        "here = Provider(CPU.name, 'cpu', 'cpu', CPU)\n"
        "print(*(probe(p, here).level for p in ('fp32', 'fp16', 'bf16', 'fp8', 'int8')), int8_scheme(here))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "native"
    assert len(done.stdout.split()) == 6


def test_reading_cpuinfo(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Big Chip\nflags\t\t: sse avx_vnni\n\nmodel name\t: Small Chip\nflags\t: mmx\n")
    assert cpu_flags(file) == {"sse", "avx_vnni"}
    assert cpu_name(file) == "Big Chip"
    file.write_text("processor\t: 0\nFeatures\t: fp asimddp\n")
    assert cpu_flags(file) == {"fp", "asimddp"}
    assert cpu_flags(tmp_path / "missing") is None
    assert cpu_name(tmp_path / "missing")


def test_precision_names_are_consistent() -> None:
    for precision in ("fp32", "fp16", "bf16", "fp8", "int8"):
        assert {precision_of(dtype) for dtype in executed_dtypes(precision)} == {precision}
    assert precision_of("float64") == "float64"


def test_messages_become_one_short_line() -> None:
    error = RuntimeError("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not\nfind " + "x" * 300)
    text = one_line(error)
    assert text.startswith("NOT_IMPLEMENTED: Could not find x")
    assert len(text) == 160


def node(op: str, inputs: list[tuple[str, list[int]]], output: tuple[str, list[int]]) -> dict[str, Any]:
    shapes = [{kind: shape} for kind, shape in inputs]
    args = {"op_name": op, "provider": "P", "input_type_shape": shapes, "output_type_shape": [dict([output])]}
    return {"cat": "Node", "name": f"{op}_kernel_time", "args": args}


@pytest.mark.parametrize(
    ("event", "kernel"),
    [
        (
            node("MatMul", [("float", [2, 3, 4, 5]), ("float", [5, 6])], ("float", [2, 3, 4, 6])),
            MatrixKernel("MatMul", "float32", "float32", 2 * 2 * 3 * 4 * 6 * 5, "P"),
        ),
        (
            node(
                "QLinearMatMul",
                [("uint8", [4, 5]), ("float", []), ("uint8", []), ("int8", [5, 6])],
                ("uint8", [4, 6]),
            ),
            MatrixKernel("QLinearMatMul", "uint8", "uint8xint8", 2 * 4 * 6 * 5, "P"),
        ),
        (
            node("Conv", [("float", [1, 8, 9, 9]), ("float", [16, 4, 3, 3])], ("float", [1, 16, 7, 7])),
            MatrixKernel("Conv", "float32", "float32", 2 * 16 * 49 * 4 * 9, "P"),
        ),
        (  # its weights were pre-packed
            node("MatMul", [("float16", [4, 5])], ("float16", [4, 6])),
            MatrixKernel("MatMul", "float16", "float16", 2 * 4 * 6 * 5, "P"),
        ),
        (  # its filter was, and what is second is the bias
            node("Conv", [("float", [1, 8, 9, 9]), ("float", [16])], ("float", [1, 16, 7, 7])),
            MatrixKernel("Conv", "float32", "float32", None, "P"),
        ),
        (node("LSTM", [("double", [4, 5])], ("float", [4, 6])), MatrixKernel("LSTM", "float64", "float64", None, "P")),
    ],
)
def test_kernels_from_profile_events(event: dict[str, Any], kernel: MatrixKernel) -> None:
    noise = [{"cat": "Session", "name": "model_run", "args": {}}, node("Add", [("float", [4])], ("float", [4]))]
    audit = read_profile([*noise, event])
    assert audit.matrix_kernels == (kernel,)
    assert audit.providers == {"P": 2}
    assert audit.ops == {"Add": 1, kernel.op: 1}


def test_shares_count_work_not_kernels_where_they_can() -> None:
    def audit(flops: int | None) -> Audit:
        kernels = (
            MatrixKernel("MatMul", "float32", "float32", 100, "P"),
            MatrixKernel("QGemm", "uint8", "uint8xint8", flops, "P"),
        )
        return Audit(kernels, {}, {})

    assert audit(900).shares() == ({"float32": 0.1, "uint8": 0.9}, "flops")
    assert audit(None).shares() == ({"float32": 0.5, "uint8": 0.5}, "kernels")
    assert audit(900).matmul_dtypes == {"MatMul[float32]": 1, "QGemm[uint8xint8]": 1}
    assert Audit((), {}, {}).shares() == ({}, "flops")


def test_audit_feeds_only_what_the_graph_takes() -> None:
    import onnx

    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    product = onnx.helper.make_node("MatMul", ["a", "a"], ["y"], name="product")
    graph = onnx.helper.make_graph([product], "g", [value("a", kind, [4, 4])], [value("y", kind, [4, 4])])
    opset = onnx.helper.make_opsetid("", 20)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    feeds = {"a": np.ones((4, 4), np.float32), "dropped": np.ones(3, np.float32)}
    audit = audit_session(lambda options: on_cpu(model, options), onnxruntime.SessionOptions(), feeds)
    assert audit.matrix_kernels == (
        MatrixKernel("MatMul", "float32", "float32", 2 * 4 * 4 * 4, "CPUExecutionProvider"),
    )


def test_audit_leaves_no_profile_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    probe("fp32", HERE)
    assert list(tmp_path.iterdir()) == []
