"""Which precisions ONNX Runtime executes on a provider, found by running a small graph in each.

Two sources tell: the profile names the kernels with their types, and the result itself tells with how many
significant bits it was computed. Providers that compile whole subgraphs tell nothing of their types, so there the
result is all there is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.cpu_units import cpu_flags, units
from backends.onnx_probe_graphs import ProbeGraph, products
from backends.onnx_rounding import BITS, MIXED, NAMES, significant_bits
from backends.onnxruntime_audit import Audit, audit_session
from backends.onnxruntime_int8 import int8_scheme, int8_sums
from backends.onnxruntime_provider import Provider, make_session
from results.records import Precision, Scalar, Support

_EXECUTED: dict[Precision, frozenset[str]] = {
    "fp32": frozenset({"float32"}),
    "fp16": frozenset({"float16"}),
    "bf16": frozenset({"bfloat16"}),
    "fp8": frozenset({"float8e4m3fn", "float8e5m2"}),
    "int8": frozenset({"uint8", "int8"}),
}
# What a graph of the precision is widened to, if at all, on providers without kernels for it.
WIDENED = "computed_in"
_MIXED = "with products of 24 significant bits, but of inputs rounded to fewer"
Evidence = dict[str, Scalar]


def executed_dtypes(precision: Precision) -> frozenset[str]:
    """The operand types that a matrix product of this precision has when it is honoured."""
    return _EXECUTED[precision]


def precision_of(dtype: str) -> str:
    """The precision whose products have operands of ``dtype``, or ``dtype`` itself."""
    return next((precision for precision, dtypes in _EXECUTED.items() if dtype in dtypes), dtype)


def probe(
    precision: Precision,
    provider: Provider,
    *,
    graph_precision: Precision | None = None,
    open_session: Callable[..., Any] | None = None,
    flags: Collection[str] | None = None,
) -> Support:
    """Support for ``precision``, from what a small graph was executed with.

    ``evidence["computed_in"]`` of an ``emulated`` answer names the precision that products are widened to.

    Args:
        precision: what to try.
        provider: where, with the options that tell it the precision.
        graph_precision: the graph's, where the provider is only told to compute in ``precision``.
        open_session: ``open_session(model_bytes, options)``; None opens one on ``provider``.
        flags: of the CPU; None reads them.
    """
    import onnxruntime

    flags = cpu_flags() if flags is None else flags
    graph = products(graph_precision or precision)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the refusal is our answer, not an error to print
    make = open_session or functools.partial(make_session, provider=provider)
    opened: list[Any] = []

    def create(made: Any) -> Any:
        opened.append(make(graph.model, made))
        return opened[-1]

    try:
        audit = audit_session(create, options, {"a": graph.inputs})
        (y_MN,) = opened[-1].run(None, {"a": graph.inputs})
    except Exception as error:  # the binding raises its own types, one per status code
        return Support(level="unsupported", reason=f"the provider refuses {precision}: {one_line(error)}")
    return _Seen(precision, graph_precision or precision, provider, audit, graph, y_MN, flags, make).support()


@dataclass(frozen=True)
class _Seen:
    """What a probe showed."""

    precision: Precision
    graph_precision: Precision
    provider: Provider
    audit: Audit
    graph: ProbeGraph
    result: np.ndarray
    flags: Collection[str] | None
    open_session: Callable[..., Any]

    def support(self) -> Support:
        """By the kernels where they are told, else by the result."""
        evidence: Evidence = {"executed": ", ".join(self.audit.matmul_dtypes), "casts": self.audit.ops.get("Cast", 0)}
        kinds = {kernel.dtype for kernel in self.audit.matrix_kernels}
        if self._left_elsewhere():
            if self.precision == "fp32":  # a fallback of the case itself is found where it ran, and is invalid
                return Support(level="native", evidence={**evidence, "left_to": "the CPU"})
            reason = f"the {self._title} provider takes no {self.precision.upper()} product: it is left to the CPU"
            return Support(level="unsupported", reason=reason, evidence=evidence)
        if self.audit.fused:
            evidence["executed"] = f"within a subgraph of {self.audit.fused}, which does not tell its types"
        if self.precision in BITS:
            bits = significant_bits(
                self.result, self.graph.inputs, self.graph.weights, BITS.get(self.graph_precision, 24)
            )
            evidence["significant_bits"] = bits
            return self._of_fused_floats(bits, evidence) if self.audit.fused else self._of_floats(kinds, bits, evidence)
        if self.audit.fused:
            return self._of_fused_quantized(evidence)
        if kinds and kinds <= _EXECUTED[self.precision]:
            return self._by_units(evidence)
        name, computed = self.precision.upper(), (" and ".join(sorted(kinds)) or "nothing").replace("float32", "FP32")
        reason = f"the {self._title} provider dequantizes {name} graphs and computes in {computed}"
        return Support(level="unsupported", reason=f"{reason}: that would not be an {name} result", evidence=evidence)

    def _left_elsewhere(self) -> bool:
        """Whether another provider multiplied."""
        name, audit = self.provider.name, self.audit
        return name not in audit.providers or any(kernel.provider != name for kernel in audit.matrix_kernels)

    @property
    def _title(self) -> str:
        return self.provider.row.title

    def _of_floats(self, kinds: set[str], bits: int, evidence: Evidence) -> Support:
        """The profile names the kernels; the result tells what those of FP32 did inside (TF32)."""
        if kinds and kinds <= _EXECUTED[self.precision]:
            if self.precision == "fp32" and bits != BITS["fp32"]:
                return self._otherwise(bits, evidence)
            return Support(level="native", evidence=evidence)
        if kinds == {"float32"}:
            return self._widened("inserted casts", evidence)
        reason = f"the {self._title} provider computes {self.precision.upper()} graphs in {' and '.join(sorted(kinds))}"
        return Support(level="unsupported", reason=reason, evidence=evidence)

    def _of_fused_floats(self, bits: int, evidence: Evidence) -> Support:
        if bits == BITS[self.precision]:
            return self._by_units(evidence)
        if bits == BITS["fp32"] and self.graph_precision == self.precision:
            return self._widened("its results are not rounded", evidence)
        return self._otherwise(bits, evidence)

    def _of_fused_quantized(self, evidence: Evidence) -> Support:
        """INT8 by its sums. FP8 products are exact in FP32 too, so nothing but documentation tells those apart."""
        title, name = self._title, self.precision.upper()
        if self.precision == "fp8":
            if self.provider.kind != "cpu" and "fp8" in self.provider.row.precisions:
                return Support(level="native", evidence={**evidence, "fp8": "as documented; a result cannot show it"})
            reason = f"nothing shows that {title} multiplies FP8 and does not dequantize it first"
            return Support(level="unsupported", reason=reason, evidence=evidence)
        scheme = int8_scheme(self.provider, self.open_session, self.flags)
        sums = int8_sums(scheme, self.provider, self.open_session)
        evidence |= {"scheme": scheme, "sums": sums}
        if sums in ("integer", "quantized"):
            return self._by_units(evidence)
        why = {
            "floating": f"{title} dequantizes {name} graphs and computes in floating point",
            "wrong": f"large sums of {name} products come out wrong on {title}: they saturate or overflow",
            "refused": f"{title} refuses {name} products of {scheme}",
        }[sums]
        return Support(level="unsupported", reason=why, evidence=evidence)

    def _by_units(self, evidence: Evidence) -> Support:
        """Native, except on a CPU without instructions for it."""
        if self.provider.kind != "cpu" or self.precision in ("fp32", "fp8"):
            return Support(level="native", evidence=evidence)
        found = units(self.precision, self.flags)
        if found:
            return Support(level="native", evidence={**evidence, "cpu_flags": ", ".join(found)})
        reason = "no VNNI/AMX: int8 products are widened to int16"
        if self.flags is None:
            reason = f"this system does not tell the CPU's flags: taken as widening {self.precision} products"
        elif self.precision != "int8":
            reason = f"no {self.precision} multiplication unit in this CPU: products are widened"
        return Support(level="emulated", reason=reason, evidence=evidence)

    def _widened(self, how: str, evidence: Evidence) -> Support:
        reason = f"{self.precision.upper()} values are computed in FP32 by the {self._title} provider: {how}"
        return Support(level="emulated", reason=reason, evidence={**evidence, WIDENED: "fp32"})

    def _otherwise(self, bits: int, evidence: Evidence) -> Support:
        how = f"with {bits} significant bits, as {NAMES[bits]}: ask for that" if bits != MIXED else _MIXED
        reason = f"the {self._title} provider computes {self.precision.upper()} {how}"
        return Support(level="unsupported", reason=reason, evidence=evidence)


def one_line(error: BaseException, limit: int = 160) -> str:
    """The provider's message without its status prefix, on one line of at most ``limit``."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", r"\1: ", " ".join(str(error).split()))
    return text if len(text) <= limit else text[: limit - 3] + "..."
