"""Which precisions ONNX Runtime executes here, found by running one small product in each.

Tensor names: a_MK @ b_KN = y_MN.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backends.onnxruntime_audit import Audit, audit_session
from backends.processor import CPUINFO, read_cpuinfo
from results.records import Precision, Support

_M, _K, _N = 8, 64, 16
# Opset 20 is the first whose QuantizeLinear all three of FP8, INT8 and UINT8 share with Cast;
# IR 10 goes with it (ONNX Versioning document).
_OPSET, _IR_VERSION = 20, 10
_EXECUTED: dict[Precision, frozenset[str]] = {
    "fp32": frozenset({"float32"}),
    "fp16": frozenset({"float16"}),
    "bf16": frozenset({"bfloat16"}),
    "fp8": frozenset({"float8e4m3fn", "float8e5m2"}),
    "int8": frozenset({"uint8", "int8"}),
}
# Instructions that accumulate 8-bit products in 32 bits: Intel SDM (VNNI, AMX), Arm ARM
# (dotprod, listed by Linux as asimddp, and i8mm).
_INT8_UNITS = frozenset({"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm", "svei8mm"})

Int8Scheme = Literal["U8U8", "U8S8"]


def executed_dtypes(precision: Precision) -> frozenset[str]:
    """The operand types that a matrix product of this precision has when it is honoured."""
    return _EXECUTED[precision]


def precision_of(dtype: str) -> str:
    """The precision whose products have operands of ``dtype``, or ``dtype`` itself."""
    return next((precision for precision, dtypes in _EXECUTED.items() if dtype in dtypes), dtype)


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str] | None:
    """Instruction-set flags of the first CPU as Linux names them, or None where unreadable."""
    fields = read_cpuinfo(cpuinfo)
    flags = fields.get("flags") or fields.get("Features")
    return frozenset(flags.split()) if flags else None


def choose_int8_scheme(flags: Collection[str] | None, u8s8_exact: bool) -> Int8Scheme:
    """Types of activations and weights.

    Without VNNI-like instructions U8S8 sums pairs of products in 16 bits, which saturate
    (``vpmaddubsw``): results are wrong for large values, so weights are unsigned too there.
    """
    return "U8S8" if u8s8_exact and _INT8_UNITS & frozenset(flags or ()) else "U8U8"


def int8_scheme(make_session: Callable[..., Any]) -> Int8Scheme:
    """The scheme for this CPU, by its flags and a product of extreme values."""
    return choose_int8_scheme(cpu_flags(), u8s8_is_exact(make_session))


def u8s8_is_exact(make_session: Callable[..., Any]) -> bool:
    """Whether a product of the largest UINT8 and INT8 values is right."""
    import onnx
    import onnxruntime

    a_MK, b_KN = np.full((_M, _K), 255, np.uint8), np.full((_K, _N), 127, np.int8)
    kinds = onnx.TensorProto
    nodes = [onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"], name="product")]
    tensors = [_tensor("b", kinds.INT8, b_KN)]
    model = _model(nodes, tensors, (kinds.UINT8, kinds.INT32))
    session = make_session(model, onnxruntime.SessionOptions())
    (y_MN,) = session.run(None, {"a": a_MK})
    return bool((y_MN == a_MK.astype(np.int32) @ b_KN.astype(np.int32)).all())


def probe(precision: Precision, make_session: Callable[..., Any], flags: Collection[str] | None = None) -> Support:
    """Support for ``precision``, from the kernels that a small graph was executed with.

    Args:
        precision: what to try.
        make_session: ``make_session(model_bytes, options)`` on the provider in question.
        flags: CPU flags, for ``int8``; None reads them.
    """
    import onnxruntime

    flags = cpu_flags() if flags is None else flags
    model, a_MK = _probe_model(precision)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the refusal is our answer, not an error to print
    try:
        audit = audit_session(functools.partial(make_session, model), options, {"a": a_MK})
    except Exception as error:  # the binding raises its own types, one per status code
        return Support(level="unsupported", reason=f"the provider refuses {precision}: {one_line(error)}")
    evidence: dict[str, Any] = {
        "executed": ", ".join(audit.matmul_dtypes),
        "casts": audit.ops.get("Cast", 0),
    }
    if audit.fused:
        return _fused_support(precision, audit.fused, evidence)
    if not audit.matrix_kernels or not all(kernel.dtype in _EXECUTED[precision] for kernel in audit.matrix_kernels):
        return Support(level="unsupported", reason=_substitution(precision, audit), evidence=evidence)
    if precision == "int8":
        return _int8_support(flags, evidence)
    if precision in ("bf16", "fp8"):
        reason = f"{precision} runs on this provider, but chipmark does not export {precision} graphs yet"
        return Support(level="unsupported", reason=reason, evidence=evidence)
    return Support(level="native", evidence=evidence)


def _fused_support(precision: Precision, provider: str, evidence: dict[str, Any]) -> Support:
    """Of a provider that compiles whole subgraphs, whose profile does not tell the types in them."""
    evidence |= {"executed": f"within a subgraph of {provider}, which does not tell its types"}
    if precision == "fp32":  # the numerics gate finds what is computed in less
        return Support(level="native", evidence=evidence)
    reason = f"{provider} compiles the graph and does not tell in which types it multiplies"
    return Support(level="unsupported", reason=reason, evidence=evidence)


def _substitution(precision: Precision, audit: Audit) -> str:
    name = precision.upper()
    computed = " and ".join(sorted({kernel.dtype for kernel in audit.matrix_kernels})) or "nothing"
    computed = computed.replace("float32", "FP32")
    how = "dequantizing" if precision in ("fp8", "int8") else "inserted casts"
    return f"the CPU provider computes {name} graphs in {computed} after {how}: that would not be an {name} result"


def _int8_support(flags: Collection[str] | None, evidence: dict[str, Any]) -> Support:
    units = sorted(_INT8_UNITS & frozenset(flags or ()))
    if units:
        return Support(level="native", evidence={**evidence, "cpu_flags": ", ".join(units)})
    reason = "no VNNI/AMX: int8 products are widened to int16"
    if flags is None:
        reason = "this system does not tell the CPU's flags: taken as widening int8 products"
    return Support(level="emulated", reason=reason, evidence=evidence)


def one_line(error: BaseException, limit: int = 160) -> str:
    """The provider's message without its status prefix, on one line of at most ``limit``."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", r"\1: ", " ".join(str(error).split()))
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _probe_model(precision: Precision) -> tuple[bytes, np.ndarray]:
    """A graph y = a @ b of standard normal values, and a."""
    import onnx

    rng = np.random.default_rng(0)
    a_MK = rng.standard_normal((_M, _K)).astype(np.float32)
    b_KN = rng.standard_normal((_K, _N)).astype(np.float32)
    kinds, node = onnx.TensorProto, onnx.helper.make_node
    if precision == "bf16":  # NumPy cannot feed bfloat16: cast at both ends
        nodes = [
            node("Cast", ["a"], ["a16"], to=kinds.BFLOAT16),
            node("MatMul", ["a16", "b"], ["y16"], name="product"),
            node("Cast", ["y16"], ["y"], to=kinds.FLOAT),
        ]
        return _model(nodes, [_tensor("b", kinds.BFLOAT16, b_KN)], (kinds.FLOAT, kinds.FLOAT)), a_MK
    if precision in ("fp32", "fp16"):
        kind = kinds.FLOAT16 if precision == "fp16" else kinds.FLOAT
        nodes = [node("MatMul", ["a", "b"], ["y"], name="product")]
        model = _model(nodes, [_tensor("b", kind, b_KN)], (kind, kind))
        return model, a_MK.astype(np.float16) if precision == "fp16" else a_MK
    kind, scale = (kinds.UINT8, 4 / 127) if precision == "int8" else (kinds.FLOAT8E4M3FN, 4 / 448)
    zero = 128 if precision == "int8" else 0
    steps_KN = np.clip(np.rint(b_KN / scale) + zero, 0, 255) if precision == "int8" else b_KN / scale
    tensors = [
        _tensor("b8", kind, steps_KN),
        _tensor("scale", kinds.FLOAT, np.array(scale)),
        _tensor("zero", kind, np.array(zero)),
    ]
    nodes = [
        node("QuantizeLinear", ["a", "scale", "zero"], ["a8"]),
        node("DequantizeLinear", ["a8", "scale", "zero"], ["a_wide"]),
        node("DequantizeLinear", ["b8", "scale", "zero"], ["b_wide"]),
        node("MatMul", ["a_wide", "b_wide"], ["y"], name="product"),
    ]
    return _model(nodes, tensors, (kinds.FLOAT, kinds.FLOAT)), a_MK


def _tensor(name: str, kind: int, values: np.ndarray) -> Any:
    import onnx

    integral = kind in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
    flat = values.astype(int if integral else float).ravel().tolist()
    return onnx.helper.make_tensor(name, kind, values.shape, flat)


def _model(nodes: list[Any], tensors: list[Any], kinds: tuple[int, int]) -> bytes:
    import onnx

    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "probe", [value("a", kinds[0], [_M, _K])], [value("y", kinds[1], [_M, _N])], tensors
    )
    opset = onnx.helper.make_opsetid("", _OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())
