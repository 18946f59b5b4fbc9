"""Graphs written without the ``onnx`` package are what the package would write."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402

from backends.onnx_probe_graphs import EXTREME_K, K, M, N, extremes, products  # noqa: E402
from backends.onnx_provider_row import Int8Scheme  # noqa: E402
from backends.onnx_wire import BFLOAT16, FLOAT, FLOAT8E4M3FN, FLOAT16, INT8, IR_VERSION, OPSET, UINT8  # noqa: E402
from results.records import PRECISIONS  # noqa: E402

KINDS = {"fp32": FLOAT, "fp16": FLOAT16, "bf16": BFLOAT16, "fp8": FLOAT8E4M3FN, "int8": UINT8}
SCHEMES = get_args(Int8Scheme)


def read(model: bytes) -> Any:
    parsed = onnx.load_from_string(model)
    onnx.checker.check_model(parsed, full_check=True)
    return parsed


@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_have_the_types_and_values_that_they_say(precision: Any) -> None:
    found = products(precision)
    model = read(found.model)
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET)
    (given,), (result,) = model.graph.input, model.graph.output
    assert (given.type.tensor_type.elem_type, result.type.tensor_type.elem_type) == (FLOAT, FLOAT)
    assert [d.dim_value for d in given.type.tensor_type.shape.dim] == [M, K] == list(found.inputs.shape)
    assert [d.dim_value for d in result.type.tensor_type.shape.dim] == [M, N]
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    names = ("b8",) if precision in ("int8", "fp8") else ("b", "c")
    for name, real in zip(names, found.weights, strict=True):
        assert tensors[name].data_type == KINDS[precision]
        values = numpy_helper.to_array(tensors[name]).astype(np.float32)
        if "scale" in tensors:
            zero = numpy_helper.to_array(tensors["zero"]).astype(np.float32)
            values = (values - zero) * numpy_helper.to_array(tensors["scale"])
        np.testing.assert_array_equal(values, real)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_extremes_are_quantized_as_their_scheme_says(scheme: Any) -> None:
    graph, want, step = extremes(scheme)
    model = read(graph.model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kinds = {"U8": UINT8, "S8": INT8}
    assert tensors["zero_a"].data_type == kinds[scheme[:2]]
    assert tensors["b8"].data_type == tensors["zero_b"].data_type == kinds[scheme[2:4]]
    assert (step > 0) is (len(scheme) == 6) is ("zero_y" in tensors)
    stored = numpy_helper.to_array(tensors["b8"]).astype(np.int64)
    zero = int(numpy_helper.to_array(tensors["zero_b"]))
    a_MK = graph.inputs.astype(np.int64)
    np.testing.assert_array_equal(a_MK @ (stored - zero), want)
    limit = 255 if scheme[0] == "U" else 127
    assert 0 <= a_MK.min() <= a_MK.max() <= limit
    assert np.abs(want).max() < 2**20
    half = a_MK[:, : EXTREME_K // 2] @ (stored - zero)[: EXTREME_K // 2]
    assert half.min() > 2**24, "so far must FP32 come, to lose digits"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fp32_cannot_add_them_up(scheme: Any) -> None:
    graph, want, _ = extremes(scheme)
    total = np.zeros((M, N), np.float32)
    for a_M, b_N in zip(graph.inputs.T, graph.weights[0], strict=True):
        total += np.outer(a_M, b_N)
    assert (total != want).any()
    assert np.abs(total - want).max() < EXTREME_K
