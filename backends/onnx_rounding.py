"""How many significant bits a product was computed with, told from its result alone.

Some providers compile whole subgraphs and tell nothing of the types in them, and some compute FP32 graphs in less
without a word. Their results tell: rounding operands and intermediate results to p bits leaves a pattern that can be
computed exactly elsewhere.
"""

from __future__ import annotations

import numpy as np

# Significant bits, the hidden one included (IEEE 754; BF16: its 8 bits of FP32). TF32 keeps as many as FP16.
BITS = {"fp32": 24, "fp16": 11, "bf16": 8}
NAMES = {24: "fp32", 11: "fp16 or tf32", 8: "bf16"}
# Products of 24 bits, but of inputs that were rounded to fewer.
MIXED = 0
# An error below it leaves no room for less than 24 bits: two products of some dozens of FP32 terms err by some 1e-7
# (unit roundoff 6e-8); rounding just the operands to 11 bits errs by 2e-4 (4.9e-4 at most a value, uniformly spread
# over a binade: by the root mean square 0.58 * 0.72 of that). The limit is near the geometric mean of both.
MAX_FP32_ERROR = 1e-5


def significant_bits(y: np.ndarray, a: np.ndarray, weights: tuple[np.ndarray, ...], graph_bits: int = 24) -> int:
    """24, 11 or 8: with how many bits ``y = a @ weights[0] @ ...`` was computed; or ``MIXED``.

    Accumulators may be wider or narrower; what counts is the operands and the results between the products. Only a
    graph that casts its input to a narrower type itself may show that rounding and still be computed in 24 bits.

    Args:
        y: the result, shape [M, N].
        a: the input, FP32, shape [M, K].
        weights: as they are in the graph, in its type.
        graph_bits: of the type that the graph casts ``a`` to.
    """
    if any(_error(y, start, weights, 24) < MAX_FP32_ERROR for start in (a, rounded(a, graph_bits))):
        return 24
    if any(_error(y, rounded(a, bits), weights, 24) < MAX_FP32_ERROR for bits in (11, 8)):
        return MIXED
    return min((11, 8), key=lambda bits: _error(y, a, weights, bits))


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Float64 of ``values`` rounded to so many significant bits, ties to even; the exponent is not limited."""
    fraction, exponent = np.frexp(np.asarray(values, np.float64))
    exact: np.ndarray = np.ldexp(np.rint(fraction * 2.0**bits), exponent - bits)
    return exact


def e4m3(values: np.ndarray) -> np.ndarray:
    """The bytes of ``values``, at most 448 in size, as FP8: sign, 4 bits of exponent (bias 7), 3 of fraction."""
    fraction, exponent = np.frexp(rounded(values, 4))
    biased, steps = exponent - 1 + 7, np.rint((np.abs(fraction) * 2 - 1) * 8)
    code = np.where(
        (biased > 0) & (fraction != 0), biased * 8 + steps, np.rint(np.abs(values) * 2**9)
    )  # subnormal: steps of 2**-9
    signed: np.ndarray = code.astype(np.uint8) | (np.signbit(values).astype(np.uint8) << 7)
    return signed


def _error(y: np.ndarray, a: np.ndarray, weights: tuple[np.ndarray, ...], bits: int) -> float:
    """Relative distance of ``y`` from the product with operands of so many bits."""
    product = np.asarray(a, np.float64)
    for weight in weights:
        product = rounded(product, bits) @ rounded(weight, bits)
    distance = float(np.linalg.norm(np.asarray(y, np.float64) - product) / np.linalg.norm(product))
    return distance if np.isfinite(distance) else float("inf")
