from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from backends.onnx_providers import CPU  # noqa: E402
from backends.onnxruntime_audit import Audit, MatrixKernel, audit_session, read_profile  # noqa: E402
from backends.onnxruntime_precision import (  # noqa: E402
    choose_int8_scheme,
    cpu_flags,
    executed_dtypes,
    int8_scheme,
    one_line,
    precision_of,
    probe,
    u8s8_is_exact,
)
from backends.onnxruntime_provider import Provider, make_session  # noqa: E402
from backends.processor import cpu_name  # noqa: E402

VNNI = frozenset({"avx2", "avx512_vnni"})


def on_cpu(model: bytes, options: Any) -> Any:
    return make_session(model, options, Provider(CPU.name, "cpu", "cpu", CPU))


def test_fp32_is_native() -> None:
    support = probe("fp32", on_cpu)
    assert support.level == "native"
    assert support.evidence["executed"] == "MatMul[float32]"


@pytest.mark.parametrize("precision", ["fp16", "fp8"])
def test_widened_precisions_are_unsupported(precision: Any) -> None:
    """On x86 the CPU provider widens both; where a CPU multiplies FP16 itself, that is native."""
    support = probe(precision, on_cpu)
    if support.evidence["executed"] == "MatMul[float16]":
        assert support.level == "native"
    else:
        assert support.level == "unsupported"
        assert support.evidence["executed"] == "MatMul[float32]"
        assert f"that would not be an {precision.upper()} result" in support.reason


def test_fp16_widening_is_seen_as_casts() -> None:
    support = probe("fp16", on_cpu)
    assert (support.evidence["casts"] == 2) == (support.level == "unsupported")


def test_bf16_tells_the_providers_words() -> None:
    support = probe("bf16", on_cpu)
    assert support.level == "unsupported"
    assert "NOT_IMPLEMENTED" in support.reason or "does not export" in support.reason
    assert "\n" not in support.reason


@pytest.mark.parametrize(
    ("flags", "level", "word"),
    [({"avx2"}, "emulated", "widened to int16"), (VNNI, "native", ""), ({"asimddp"}, "native", "")],
)
def test_int8_follows_the_flags(flags: set[str], level: str, word: str) -> None:
    support = probe("int8", on_cpu, flags=flags)
    assert support.level == level
    assert word in support.reason
    assert "[uint8]" in str(support.evidence["executed"])


def test_int8_on_this_cpu() -> None:
    support = probe("int8", on_cpu)
    has_units = bool(cpu_flags() and {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & (cpu_flags() or set()))
    assert support.level == ("native" if has_units else "emulated")


@pytest.mark.parametrize(
    ("flags", "exact", "scheme"),
    [
        ({"avx2"}, True, "U8U8"),
        (None, True, "U8U8"),
        (VNNI, True, "U8S8"),
        (VNNI, False, "U8U8"),  # the product itself has the last word
        ({"avx2"}, False, "U8U8"),
    ],
)
def test_int8_scheme_choice(flags: set[str] | None, exact: bool, scheme: str) -> None:
    assert choose_int8_scheme(flags, exact) == scheme


def test_saturation_is_seen() -> None:
    class Saturating:
        def run(self, _: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.full((8, 16), 1_048_544, np.int32)]  # what AVX2 returned

    assert not u8s8_is_exact(lambda model, options: Saturating())
    assert int8_scheme(on_cpu) == choose_int8_scheme(cpu_flags(), u8s8_is_exact(on_cpu))


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
    probe("fp32", on_cpu)
    assert list(tmp_path.iterdir()) == []
