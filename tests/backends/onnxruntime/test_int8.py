"""How a provider adds up 8-bit products, and what types its graphs get."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")

from backends.cpu_units import cpu_flags, units  # noqa: E402
from backends.onnx_probe_graphs import extremes  # noqa: E402
from backends.onnx_providers import CPU  # noqa: E402
from backends.onnxruntime_int8 import int8_scheme, int8_sums  # noqa: E402
from backends.onnxruntime_provider import Provider, make_session  # noqa: E402

HERE = Provider(CPU.name, "cpu", "cpu", CPU)


def wanting(scheme: Any) -> Provider:
    return dataclasses.replace(HERE, row=dataclasses.replace(CPU, int8=scheme))


def unoptimized(model: bytes, options: Any) -> Any:
    """The CPU provider, which then dequantizes and multiplies in FP32."""
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return make_session(model, options, HERE)


class Chip:
    """A provider whose sums are ``change`` of the right ones, for the graphs that it takes."""

    def __init__(self, takes: dict[str, Callable[[np.ndarray], np.ndarray]]) -> None:
        self.graphs = {extremes(scheme).graph.model: (scheme, change) for scheme, change in takes.items()}  # type: ignore[arg-type]
        self.asked: list[str] = []

    def __call__(self, model: bytes, options: Any) -> Any:
        if model not in self.graphs:
            raise RuntimeError("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED")
        self.scheme, self.change = self.graphs[model]
        self.asked.append(self.scheme)
        return self

    def run(self, _: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [self.change(extremes(self.scheme).want.astype(np.float32))]  # type: ignore[arg-type]


def exact(y: np.ndarray) -> np.ndarray:
    return y


def saturated(y: np.ndarray) -> np.ndarray:
    return y - 40_000


def in_floats(y: np.ndarray) -> np.ndarray:
    return y + 17


@pytest.mark.parametrize("scheme", ["U8U8", "U8S8", "S8S8"])
def test_sums_of_the_cpu_provider(scheme: Any) -> None:
    usual = int8_sums(scheme, HERE)
    assert usual == "integer" or (scheme == "U8S8" and usual == "wrong" and not units("int8", cpu_flags()))
    assert int8_sums(scheme, HERE, unoptimized) == "floating"


@pytest.mark.parametrize("scheme", ["U8U8U8", "U8S8U8", "S8S8S8"])
def test_quantized_results_hide_how_they_were_added_up(scheme: Any) -> None:
    assert int8_sums(scheme, HERE, unoptimized) == "quantized"
    step = extremes(scheme).step
    assert int8_sums(scheme, HERE, Chip({scheme: lambda y: y + step})) == "quantized"
    assert int8_sums(scheme, HERE, Chip({scheme: lambda y: y + 2 * step})) == "wrong"


@pytest.mark.parametrize(
    ("change", "sums"),
    [(exact, "integer"), (in_floats, "floating"), (saturated, "wrong"), (lambda y: np.full_like(y, np.inf), "wrong")],
    ids=["exact", "in-floats", "saturated", "overflown"],
)
def test_sums_are_told_by_their_errors(change: Any, sums: str) -> None:
    assert int8_sums("U8S8", HERE, Chip({"U8S8": change})) == sums


def test_a_refusal_is_an_answer() -> None:
    assert int8_sums("U8S8", HERE, Chip({})) == "refused"


@pytest.mark.parametrize(
    ("wants", "flags", "takes", "scheme"),
    [
        ("by cpu", {"avx2"}, {"U8U8": exact, "U8S8": exact}, "U8U8"),
        ("by cpu", {"avx512_vnni"}, {"U8U8": exact, "U8S8": exact}, "U8S8"),
        ("by cpu", {"avx512_vnni"}, {"U8U8": exact, "U8S8": saturated}, "U8U8"),  # the product has the last word
        ("S8S8", set(), {"S8S8": exact, "U8S8": exact}, "S8S8"),
        ("S8S8", set(), {"U8U8": exact}, "U8U8"),
        ("S8S8", set(), {"S8S8": in_floats, "U8S8": exact}, "U8S8"),
        ("U8S8U8", set(), {"U8S8U8": exact, "U8S8": exact}, "U8S8U8"),
        ("S8S8", set(), {"S8S8": in_floats, "U8S8": saturated}, "S8S8"),  # nothing is right: a probe will say so
        ("S8S8", set(), {}, "S8S8"),
    ],
)
def test_what_a_provider_wants_unless_it_is_wrong(
    wants: Any, flags: set[str], takes: dict[str, Any], scheme: str
) -> None:
    assert int8_scheme(wanting(wants), Chip(takes), flags) == scheme


def test_the_scheme_of_this_cpu_is_exact() -> None:
    assert int8_sums(int8_scheme(HERE), HERE) == "integer"
