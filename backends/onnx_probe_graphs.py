"""Small graphs that show how a provider multiplies: two products in each precision, and INT8 products that tell
integer accumulators from others.

Inputs and outputs are FP32, as in every graph that chipmark exports. Tensor names: a_MK @ b_KN @ c_NN = y_MN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backends.onnx_provider_row import Int8Scheme
from backends.onnx_rounding import BITS, e4m3, rounded
from backends.onnx_wire import (
    BFLOAT16,
    FLOAT,
    FLOAT8E4M3FN,
    FLOAT16,
    INT8,
    UINT8,
    Node,
    Tensor,
    Value,
    model_bytes,
)
from results.records import Precision

M, K, N = 8, 64, 16
_FLOATS = {"fp32": FLOAT, "fp16": FLOAT16, "bf16": BFLOAT16}
# Half of the products of the largest values add up to 2**26 (U8: 255 * 127 * 2080), or 2**25 (S8: 127 * 127 * 2080).
EXTREME_K = 4160


@dataclass(frozen=True)
class ProbeGraph:
    """A graph, what to feed it, and what it multiplies.

    Attributes:
        model: an ONNX file's bytes; input ``a``, output ``y``.
        inputs: FP32, shape [M, K].
        weights: the constants as real numbers, in order.
    """

    model: bytes
    inputs: np.ndarray
    weights: tuple[np.ndarray, ...]


def products(precision: Precision) -> ProbeGraph:
    """Two products of standard normal values."""
    rng = np.random.default_rng(0)
    a_MK, b_KN, c_NN = (rng.standard_normal(shape).astype(np.float32) for shape in ((M, K), (K, N), (N, N)))
    if precision == "fp32":
        nodes = [_product("a", "b", "between"), _product("between", "c", "y")]
    elif precision in _FLOATS:
        nodes = [
            Node("Cast", ("a",), "narrow", ints={"to": _FLOATS[precision]}),
            _product("narrow", "b", "between"),
            _product("between", "c", "wide"),
            Node("Cast", ("wide",), "y", ints={"to": FLOAT}),
        ]
    else:
        return _quantized(precision, a_MK, b_KN)
    b_KN, c_NN = (rounded(x, BITS[precision]).astype(np.float32) for x in (b_KN, c_NN))
    weights = {"b": b_KN, "c": c_NN}
    tensors = [Tensor(name, _FLOATS[precision], _stored(x, precision)) for name, x in weights.items()]
    return ProbeGraph(_model(nodes, tensors, a_MK.shape), a_MK, (b_KN, c_NN))


class Extremes(NamedTuple):
    """A graph, the right result [M, N], and the step of its quantization; 0 where it is not quantized."""

    graph: ProbeGraph
    want: np.ndarray
    step: float


def extremes(scheme: Int8Scheme) -> Extremes:
    """A product of INT8 values so large that only 32-bit integers add them up exactly.

    The first half of each sum climbs to 2**25 or more, where FP32 holds every second number at best, and the second
    half comes back to below 2**20. So FP32 accumulators lose the last digits, pairs that are added in 16 bits
    saturate (``vpmaddubsw`` of AVX2), FP16 overflows; integers of 32 bits are exact.
    """
    rng, half = np.random.default_rng(0), EXTREME_K // 2
    a_MH, b_HN = _near(127 if scheme[0] == "S" else 255, (M, half), rng), _near(127, (half, N), rng)
    a_MK = np.concatenate((a_MH, a_MH), 1)
    b_KN = np.concatenate((b_HN, rng.integers(0, 2, b_HN.shape) - b_HN))
    want_MN = a_MK @ b_KN
    step = float(np.float32(np.abs(want_MN).max() / 127)) if len(scheme) > 4 else 0.0
    (kind_a, type_a, _), (kind_b, type_b, middle) = _EIGHT[scheme[:2]], _EIGHT[scheme[2:4]]
    tensors = [
        Tensor("b8", kind_b, (b_KN + middle).astype(type_b)),
        Tensor("one", FLOAT, np.ones((), np.float32)),
        Tensor("zero_a", kind_a, np.zeros((), type_a)),
        Tensor("zero_b", kind_b, np.array(middle, type_b)),
    ]
    nodes = _dequantized("one", "zero_a", "zero_b", "wide" if step else "y")
    if step:
        kind_y, type_y, middle_y = _EIGHT[scheme[4:]]
        tensors += [
            Tensor("step", FLOAT, np.array(step, np.float32)),
            Tensor("zero_y", kind_y, np.array(middle_y, type_y)),
        ]
        nodes += [
            Node("QuantizeLinear", ("wide", "step", "zero_y"), "y8"),
            Node("DequantizeLinear", ("y8", "step", "zero_y"), "y"),
        ]
    graph = ProbeGraph(_model(nodes, tensors, a_MK.shape), a_MK.astype(np.float32), (b_KN.astype(np.float32),))
    return Extremes(graph, want_MN, step)


# Of a type in a scheme's name: ONNX's and NumPy's, and the middle of its range.
_EIGHT: dict[str, tuple[int, type[np.generic], int]] = {"U8": (UINT8, np.uint8, 128), "S8": (INT8, np.int8, 0)}


def _near(largest: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Integers from 8 below ``largest``."""
    return rng.integers(largest - 8, largest + 1, shape)


def _quantized(precision: Precision, a_MK: np.ndarray, b_KN: np.ndarray) -> ProbeGraph:
    kind, top = (UINT8, 127) if precision == "int8" else (FLOAT8E4M3FN, 448)
    scale = np.float32(4 / top)
    if precision == "int8":
        stored_KN = (np.clip(np.rint(b_KN / scale), -128, 127) + 128).astype(np.uint8)
        zero, real_KN = np.array(128, np.uint8), (stored_KN.astype(np.float32) - 128) * scale
    else:
        stored_KN, zero = e4m3(b_KN / scale), np.zeros((), np.uint8)
        real_KN = rounded(b_KN / scale, 4).astype(np.float32) * scale
    tensors = [Tensor("b8", kind, stored_KN), Tensor("scale", FLOAT, np.array(scale)), Tensor("zero", kind, zero)]
    return ProbeGraph(_model(_dequantized("scale", "zero", "zero", "y"), tensors, a_MK.shape), a_MK, (real_KN,))


def _dequantized(scale: str, zero_a: str, zero_b: str, result: str) -> list[Node]:
    return [
        Node("QuantizeLinear", ("a", scale, zero_a), "a8"),
        Node("DequantizeLinear", ("a8", scale, zero_a), "a_wide"),
        Node("DequantizeLinear", ("b8", scale, zero_b), "b_wide"),
        _product("a_wide", "b_wide", result),
    ]


def _product(left: str, right: str, result: str) -> Node:
    return Node("MatMul", (left, right), result, name=f"product_{result}")


def _model(nodes: list[Node], tensors: list[Tensor], shape: tuple[int, ...]) -> bytes:
    return model_bytes(nodes, tensors, Value("a", FLOAT, shape), Value("y", FLOAT, (M, N)))


def _stored(values: np.ndarray, precision: Precision) -> np.ndarray:
    """FP32, FP16, or BF16 as its bits: the upper half of those of FP32, ties to even."""
    if precision == "bf16":
        bits = rounded(values, 8).astype(np.float32).view(np.uint32)
        return (bits >> 16).astype(np.uint16)
    return values.astype(np.float16 if precision == "fp16" else np.float32)
