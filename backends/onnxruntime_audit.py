"""What ONNX Runtime really executed, read from its own profile of a throw-away session.

A session's provider list and the types in the model file are not evidence: providers fall
back, and the optimizer inserts casts or replaces nodes. The profile names every kernel that
ran, with its provider, its time, and the types and shapes of its inputs.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.onnxruntime_assignment import CPU_PROVIDER, RECORD_ASSIGNMENT, assignment
from backends.onnxruntime_run_times import COPIES, Event, RunTimes, run_times, split_runs

# Runs whose times are read where nodes are on several providers: odd, so that one of them is the median.
NUM_TIMED_RUNS = 5
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

Feeds = Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class MatrixKernel:
    """One executed matrix product or convolution.

    Attributes:
        op: the kernel's operator name.
        dtype: type of the first operand, which decides what is multiplied.
        operands: types of both operands, ``uint8xint8``; one name where they agree.
        flops: 2 per multiply-add, or None where the profile does not tell.
        provider: where it ran.
    """

    op: str
    dtype: str
    operands: str
    flops: int | None
    provider: str


@dataclass(frozen=True)
class Audit:
    """The kernels of one run, and the times of all runs that count.

    Attributes:
        matrix_kernels: those that multiply.
        ops: operator -> kernels.
        providers: provider -> kernels. A fused subgraph is one; nodes that copy are left out.
        runs: times of each provider; the first of several runs, which warms up, is not among them.
        ops_by_provider: provider -> operator -> kernels, nodes that copy left out.
    """

    matrix_kernels: tuple[MatrixKernel, ...]
    ops: Mapping[str, int]
    providers: Mapping[str, int]
    runs: tuple[RunTimes, ...] = ()
    ops_by_provider: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def fused(self) -> str:
        """A provider beside the CPU's that ran something, though no matrix kernel of it is to be seen; else ""."""
        shown = {kernel.provider for kernel in self.matrix_kernels}
        return next((name for name in self.providers if name != CPU_PROVIDER and name not in shown), "")

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


def audit_session(
    make_session: Callable[[Any], Any], options: Any, feeds: Mapping[str, Any] | Feeds, *, prepack: bool = False
) -> Audit:
    """Run a throw-away session with the profiler on.

    Once where all nodes are on one provider, whose share of the time is then all of it. Otherwise ``NUM_TIMED_RUNS``
    times after one that warms up, for the times of the first run are mostly those of loading.

    Args:
        make_session: creates the session from session options.
        options: fresh session options as the timed session will have them; they are changed.
        feeds: the inputs of one run, or a function of the session that makes them; what the graph does not take
            is left out.
        prepack: whether the CPU's kernels may pre-pack their weights, as in the timed session. It makes them
            faster, which matters where times are compared; but such weights vanish from the profile's shapes.
            Which kernel runs a node does not depend on it.
    """
    with tempfile.TemporaryDirectory(prefix="chipmark-profile-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
        if not prepack:
            options.add_session_config_entry("session.disable_prepacking", "1")
        session = make_session(options)
        given = feeds(session) if callable(feeds) else feeds
        inputs = {tensor.name: given[tensor.name] for tensor in session.get_inputs()}
        try:
            for _ in range(1 if _on_one_provider(session) else 1 + NUM_TIMED_RUNS):
                session.run(None, inputs)
        finally:  # else the profiler writes its file when the folder is gone
            profile = Path(session.end_profiling())
        return read_profile(json.loads(profile.read_bytes()))


def _on_one_provider(session: Any) -> bool:
    assigned = assignment(session)
    providers = session.get_providers() if isinstance(assigned, str) else assigned
    return len(providers) == 1


def read_profile(events: Sequence[Event]) -> Audit:
    """The kernels of the last run among the events of a profile (Chrome trace format), and the times of all."""
    runs = split_runs(events)
    nodes = [event["args"] for event in runs[-1]] if runs else []
    by_provider: dict[str, Counter[str]] = {}
    for node in nodes:
        if node["op_name"] not in COPIES:
            by_provider.setdefault(str(node["provider"]), Counter())[str(node["op_name"])] += 1
    return Audit(
        matrix_kernels=tuple(_matrix_kernel(node) for node in nodes if multiplies(str(node["op_name"]))),
        ops=dict(sorted(Counter(str(node["op_name"]) for node in nodes).items())),
        providers={provider: ops.total() for provider, ops in sorted(by_provider.items())},
        runs=tuple(run_times(run) for run in (runs[1:] or runs)),
        ops_by_provider={provider: dict(ops) for provider, ops in sorted(by_provider.items())},
    )


def multiplies(op: str) -> bool:
    """Whether an operator of this name multiplies matrices or convolves."""
    return op in _OPERANDS or any(telltale in op for telltale in _TELLTALES)


def _matrix_kernel(node: Mapping[str, Any]) -> MatrixKernel:
    op = str(node["op_name"])
    tensors = [next(iter(entry.items())) for entry in node.get("input_type_shape", ()) if entry]
    types = [_NAMES.get(kind, kind) for kind, _ in tensors]
    positions = [p for p in _OPERANDS.get(op, (0,)) if p < len(types)]
    operands = [types[p] for p in positions] or ["unknown"]
    joined = operands[0] if len(set(operands)) == 1 else "x".join(operands)
    shapes = [list(tensors[p][1]) for p in positions]
    flops = _flops(op, shapes, node.get("output_type_shape", ()))
    return MatrixKernel(op, operands[0], joined, flops, str(node["provider"]))


def _flops(op: str, shapes: Sequence[Sequence[int]], outputs: Sequence[Mapping[str, Sequence[int]]]) -> int | None:
    """2 * output elements * length of the summed axis.

    The axis is the last one of A for products (no exporter writes a transposed A), and all of a
    filter but its output channels for convolutions. A filter that was pre-packed is not there.
    """
    told = op in _OPERANDS and "Attention" not in op and "Transpose" not in op
    if not told or len(outputs) != 1 or not shapes or not shapes[0]:
        return None
    out: int = math.prod(next(iter(outputs[0].values())))
    if "Conv" not in op:
        return 2 * out * shapes[0][-1]
    is_filter = len(shapes) == 2 and len(shapes[1]) == len(shapes[0])
    return 2 * out * math.prod(shapes[1][1:]) if is_filter else None
