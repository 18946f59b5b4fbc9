"""What ONNX Runtime really executed, read from its own profile of one run.

A session's provider list and the types in the model file are not evidence: providers fall
back, and the optimizer inserts casts or replaces nodes. The profile names every kernel that
ran, with its provider and the types and shapes of its inputs.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Kernels that multiply matrices -> positions of the two tensors they multiply, as their
# operator schemas order the inputs (ONNX and com.microsoft operator documentation).
_OPERANDS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv"), (0, 1)),
    **dict.fromkeys(("NhwcFusedConv", "ConvTranspose", "TransposeMatMul"), (0, 1)),
    **dict.fromkeys(("MatMulInteger", "MatMulIntegerToFloat", "ConvInteger"), (0, 1)),
    **dict.fromkeys(("DynamicQuantizeMatMul", "Attention", "MultiHeadAttention", "QAttention"), (0, 1)),
    **dict.fromkeys(("QLinearMatMul", "QLinearConv", "QGemm"), (0, 3)),
}
# A kernel of an unknown name that contains one of these counts, by its first input.
_TELLTALES = ("MatMul", "Gemm", "Conv", "Attention", "LSTM", "GRU", "Einsum")
_NAMES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class MatrixKernel:
    """One executed matrix product or convolution.

    Attributes:
        op: the kernel's operator name.
        dtype: type of the first operand, which decides what is multiplied.
        operands: types of both operands, ``uint8xint8``; one name where they agree.
        flops: 2 per multiply-add, or None where the profile does not tell.
    """

    op: str
    dtype: str
    operands: str
    flops: int | None


@dataclass(frozen=True)
class Audit:
    """The kernels of one run."""

    matrix_kernels: tuple[MatrixKernel, ...]
    ops: Mapping[str, int]
    providers: Mapping[str, int]

    @property
    def matmul_dtypes(self) -> dict[str, int]:
        """``{"QGemm[uint8]": 4, "MatMul[float32]": 1}``: executed kernels of each kind."""
        return dict(sorted(Counter(f"{k.op}[{k.operands}]" for k in self.matrix_kernels).items()))

    def shares(self) -> tuple[dict[str, float], str]:
        """Operand type -> share of the work, and what the share counts (``flops`` or ``kernels``).

        Kernels are counted where the FLOPs of any of them are unknown.
        """
        known = all(kernel.flops is not None for kernel in self.matrix_kernels)
        totals: Counter[str] = Counter()
        for kernel in self.matrix_kernels:
            totals[kernel.dtype] += (kernel.flops or 0) if known else 1
        whole = sum(totals.values())
        shares = {dtype: count / whole for dtype, count in sorted(totals.items())} if whole else {}
        return shares, "flops" if known else "kernels"


def audit_session(make_session: Callable[[Any], Any], options: Any, feeds: Mapping[str, Any]) -> Audit:
    """Run a throw-away session once with the profiler on.

    Weights are not pre-packed in it, for pre-packed weights vanish from the profile's shapes;
    which kernel runs a node does not depend on that.

    Args:
        make_session: creates the session from session options.
        options: fresh session options as the timed session will have them; they are changed.
        feeds: the inputs of one run; what the graph does not take is left out.
    """
    with tempfile.TemporaryDirectory(prefix="chipmark-profile-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.add_session_config_entry("session.disable_prepacking", "1")
        session = make_session(options)
        try:
            session.run(None, {tensor.name: feeds[tensor.name] for tensor in session.get_inputs()})
        finally:  # else the profiler writes its file when the folder is gone
            profile = Path(session.end_profiling())
        return read_profile(json.loads(profile.read_bytes()))


def read_profile(events: Sequence[Mapping[str, Any]]) -> Audit:
    """The kernels among the events of a profile (Chrome trace format)."""
    nodes = [
        event["args"]
        for event in events
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time")
    ]
    return Audit(
        matrix_kernels=tuple(_matrix_kernel(node) for node in nodes if _multiplies(str(node["op_name"]))),
        ops=dict(sorted(Counter(str(node["op_name"]) for node in nodes).items())),
        providers=dict(sorted(Counter(str(node["provider"]) for node in nodes).items())),
    )


def _multiplies(op: str) -> bool:
    return op in _OPERANDS or any(telltale in op for telltale in _TELLTALES)


def _matrix_kernel(node: Mapping[str, Any]) -> MatrixKernel:
    op = str(node["op_name"])
    tensors = [next(iter(entry.items())) for entry in node.get("input_type_shape", ()) if entry]
    types = [_NAMES.get(kind, kind) for kind, _ in tensors]
    positions = [p for p in _OPERANDS.get(op, (0,)) if p < len(types)]
    operands = [types[p] for p in positions] or ["unknown"]
    joined = operands[0] if len(set(operands)) == 1 else "x".join(operands)
    shapes = [list(tensors[p][1]) for p in positions]
    return MatrixKernel(op, operands[0], joined, _flops(op, shapes, node.get("output_type_shape", ())))


def _flops(op: str, shapes: Sequence[Sequence[int]], outputs: Sequence[Mapping[str, Sequence[int]]]) -> int | None:
    """2 * output elements * length of the summed axis.

    The axis is the last one of A for products (no exporter writes a transposed A), and all of a
    filter but its output channels for convolutions.
    """
    if len(shapes) != 2 or len(outputs) != 1 or "Attention" in op or "Transpose" in op or not shapes[0]:
        return None
    out: int = math.prod(next(iter(outputs[0].values())))
    if "Conv" in op:
        return 2 * out * math.prod(shapes[1][1:])
    return 2 * out * shapes[0][-1]
