from __future__ import annotations

import numpy as np
import pytest

from backends.onnx_probe_graphs import products
from backends.onnx_rounding import BITS, MIXED, rounded, significant_bits
from results.records import Precision


def multiply(start: np.ndarray, weights: tuple[np.ndarray, ...], bits: int, sums: type = np.float32) -> np.ndarray:
    """Two products with operands of so many bits, accumulated in ``sums``."""
    for weight in weights:
        left, right = rounded(start, bits).astype(np.float32), rounded(weight, bits).astype(np.float32)
        total = np.zeros((left.shape[0], right.shape[1]), sums)
        for k in range(left.shape[1]):
            total = (total + np.outer(left[:, k], right[k])).astype(sums)
        start = total
    return start.astype(np.float32)


def test_rounding_is_that_of_the_types() -> None:
    values = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    np.testing.assert_array_equal(rounded(values, 11), values.astype(np.float16))
    np.testing.assert_array_equal(rounded(values, 24), values)
    assert rounded(np.array([0.0, 1 + 2**-8, 1 + 3 * 2**-8]), 8).tolist() == [0.0, 1.0, 1 + 2**-6], "ties to even"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("bits", [24, 11, 8])
def test_bits_are_told_from_the_result(precision: Precision, bits: int) -> None:
    graph = products(precision)
    y = multiply(graph.inputs, graph.weights, bits)
    if bits == 24 and precision != "fp32":
        y = multiply(rounded(graph.inputs, BITS[precision]), graph.weights, bits)
    assert significant_bits(y, graph.inputs, graph.weights, BITS[precision]) == bits


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_the_graphs_own_cast_is_no_narrow_product(precision: Precision) -> None:
    """A cast that stays in the graph, and products in FP32."""
    graph = products(precision)
    y = multiply(rounded(graph.inputs, BITS[precision]), graph.weights, 24)
    assert significant_bits(y, graph.inputs, graph.weights, BITS[precision]) == 24


@pytest.mark.parametrize("bits", [11, 8])
def test_what_rounds_the_inputs_of_an_fp32_graph_does_not_compute_in_fp32(bits: int) -> None:
    """Inputs in TF32 or BF16, products exact, sums in FP32."""
    graph = products("fp32")
    y = multiply(rounded(graph.inputs, bits), graph.weights, 24)
    assert significant_bits(y, graph.inputs, graph.weights) == MIXED


@pytest.mark.parametrize("bits", [11, 8])
@pytest.mark.parametrize("side", ["left", "right"])
def test_rounding_one_operand_of_every_product_is_not_fp32(bits: int, side: str) -> None:
    graph = products("fp32")
    y = graph.inputs
    for weight in graph.weights:
        left = rounded(y, bits if side == "left" else 24).astype(np.float32)
        y = left @ rounded(weight, bits if side == "right" else 24).astype(np.float32)
    assert significant_bits(y, graph.inputs, graph.weights) != 24


def test_an_input_rounded_to_another_type_than_the_graphs_is_told() -> None:
    graph = products("fp16")
    y = multiply(rounded(graph.inputs, 8), graph.weights, 24)
    assert significant_bits(y, graph.inputs, graph.weights, BITS["fp16"]) != 24


def test_narrow_results_and_narrow_sums_are_still_told() -> None:
    graph = products("fp16")
    y = multiply(graph.inputs, graph.weights, 11)
    assert significant_bits(rounded(y, 11), graph.inputs, graph.weights) == 11
    assert significant_bits(multiply(graph.inputs, graph.weights, 11, np.float16), graph.inputs, graph.weights) == 11


def test_what_is_not_finite_is_not_fp32() -> None:
    graph = products("fp32")
    y = np.full((8, 16), np.nan, np.float32)
    assert significant_bits(y, graph.inputs, graph.weights) < BITS["fp32"]
