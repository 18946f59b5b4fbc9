"""A prepared ONNX Runtime case: its session, its bound inputs and outputs, and its facts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import NUM_ROTATING_BATCHES
from backends.onnx_cache import CacheEntry
from backends.onnx_export import inputs_of
from backends.onnxruntime_audit import Audit, audit_session
from backends.onnxruntime_precision import executed_dtypes, precision_of
from results.records import CaseSpec, Precision, Scalar
from workloads.base import Workload

# A case ran in its precision when at least this share of its matrix work did.
MIN_PRECISION_SHARE = 0.9
_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "off": "ORT_DISABLE_ALL",
}
# Set, though it is the default, so that the facts tell what holds.
_CONFIG_ENTRIES = {"session.intra_op.allow_spinning": "1"}
# MatMulAddFusion makes a Gemm of a quantized MatMul and its bias, and QDQ fusion then refuses the
# Gemm, for its bias is not quantized: it would be computed in FP32 (ONNX Runtime 1.32).
_DISABLED_OPTIMIZERS: dict[Precision, tuple[str, ...]] = {"int8": ("MatMulAddFusion",)}
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime as a device of chipmark.

    Attributes:
        name: ONNX Runtime's name of it.
        device_id: what ``--device`` takes.
        kind: kind of the device.
        options: provider options, passed on.
    """

    name: str
    device_id: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)


def make_session(model: Path | bytes, options: Any, provider: Provider, disabled_optimizers: Sequence[str] = ()) -> Any:
    """A session on ``provider`` that raises instead of retrying on another provider."""
    import onnxruntime

    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(
        source,
        options,
        providers=[(provider.name, dict(provider.options))],
        disabled_optimizers=list(disabled_optimizers),
    )
    session.disable_fallback()
    return session


def session_options(options: Mapping[str, Scalar]) -> Any:
    """Fresh session options for checked case options."""
    import onnxruntime

    made = onnxruntime.SessionOptions()
    level = _LEVELS[str(options.get("graph_optimization", "all"))]
    made.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    made.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    made.intra_op_num_threads = int(options.get("threads") or 0)
    made.inter_op_num_threads = 1
    made.log_severity_level = 3  # errors; warnings would interleave with the harness's output
    for name, value in _CONFIG_ENTRIES.items():
        made.add_session_config_entry(name, value)
    return made


class OnnxRuntimeStep:
    """Runs a session over rotating, pre-bound inputs into one pre-allocated output.

    Args:
        session: the session to time.
        batches: its inputs by name, one dict for each of ``NUM_ROTATING_BATCHES``.
        facts: what is known about it.
    """

    def __init__(self, session: Any, batches: list[dict[str, np.ndarray]], facts: dict[str, object]) -> None:
        self.facts: Mapping[str, object] = facts
        self._session = session
        self._output = _output_of(session)
        # A value may read its array's memory, and nothing promises that a binding keeps it alive.
        self._inputs = [_values(session, batch) for batch in batches]
        self._bindings = [_binding(session, inputs, self._output) for inputs in self._inputs]

    def run(self, i: int) -> None:
        """One inference; done when it returns."""
        self._session.run_with_iobinding(self._bindings[i % NUM_ROTATING_BATCHES])

    def sync(self) -> None:
        """Nothing is outstanding: the CPU provider returns when it is done."""

    def outputs(self) -> Mapping[str, np.ndarray]:
        """``logits`` of the last run, in float32."""
        return {"logits": np.array(self._output.numpy(), dtype=np.float32)}

    def timer(self) -> None:
        """The CPU provider has no events."""
        return


def open_step(workload: Workload, case: CaseSpec, provider: Provider, entry: CacheEntry) -> OnnxRuntimeStep:
    """Sessions, bindings and facts for an exported (and quantized) model."""
    seeds = range(case.seed + 1, case.seed + 1 + NUM_ROTATING_BATCHES)
    batches = [{n: x.numpy() for n, x in inputs_of(workload, case, seed).items()} for seed in seeds]
    disabled = _DISABLED_OPTIMIZERS.get(case.precision, ())

    def create(options: Any) -> Any:
        return make_session(entry.model_path, options, provider, disabled)

    audit = audit_session(create, session_options(case.options), batches[0])
    session, threads_started = _timed_session(create, case.options)
    facts: dict[str, object] = {
        **_export_facts(entry),
        **_session_facts(session, case.options, threads_started),
        "disabled_optimizers": list(disabled),
        **_precision_facts(case.precision, audit),
        "nodes_by_provider": _assignment(session),
        "kernels_by_provider": dict(audit.providers),
    }
    return OnnxRuntimeStep(session, batches, facts)


def _timed_session(create: Callable[[Any], Any], options: Mapping[str, Scalar]) -> tuple[Any, int | None]:
    """The session to time and the number of threads it started (None: not readable here)."""
    made = session_options(options)
    made.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    before = _num_threads()
    session = create(made)
    after = _num_threads()
    return session, None if before is None or after is None else after - before


def _num_threads() -> int | None:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


def _output_of(session: Any) -> Any:
    """Memory for the one output, allocated once and shared by all bindings."""
    import onnxruntime

    (described,) = session.get_outputs()
    dtype = np.float16 if described.type == "tensor(float16)" else np.float32
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(described.shape, dtype, "cpu")


def _values(session: Any, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import onnxruntime

    wrap = onnxruntime.OrtValue.ortvalue_from_numpy
    return {x.name: wrap(np.ascontiguousarray(batch[x.name])) for x in session.get_inputs()}


def _binding(session: Any, inputs: Mapping[str, Any], output: Any) -> Any:
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, output)
    return binding


def _export_facts(entry: CacheEntry) -> dict[str, object]:
    """The export's facts as they are for this process: nothing was exported on a cache hit."""
    info = dict(entry.info)
    parts = ("export_s", "quantize_s")
    took = {name: None if entry.cached else info.pop(name, None) for name in parts}
    cached = entry.cached or bool(info.get("export_cached"))
    notes = [note for note in (entry.note, str(info.pop("export_note", ""))) if note]
    kept = {name: value for name, value in info.items() if name not in parts}
    return {**kept, **took, "export_cached": cached, "export_note": "; ".join(notes)}


def _session_facts(session: Any, options: Mapping[str, Scalar], threads_started: int | None) -> dict[str, object]:
    import onnxruntime

    held = session.get_session_options()
    return {
        "onnxruntime_version": onnxruntime.__version__,
        "providers": list(session.get_providers()),
        "graph_optimization": str(options.get("graph_optimization", "all")),
        "execution_mode": held.execution_mode.name,
        "intra_op_num_threads": held.intra_op_num_threads or "default: one per physical core",
        "inter_op_num_threads": held.inter_op_num_threads,
        # The calling thread works too, so a pool of n threads starts n - 1.
        "threads_started": threads_started,
        "session_config": dict(_CONFIG_ENTRIES),
        "torch_used_for": "export, inputs and the FP32 reference; never in a timed step",
    }


def _precision_facts(precision: Precision, audit: Audit) -> dict[str, object]:
    shares, counted = audit.shares()
    share = sum(shares.get(dtype, 0.0) for dtype in executed_dtypes(precision))
    listed = ", ".join(f"{dtype} {part:.1%}" for dtype, part in shares.items()) or "no matrix kernels"
    return {
        "matmul_dtypes": audit.matmul_dtypes,
        "precision_executed": precision_of(max(shares, key=lambda dtype: shares[dtype])) if shares else None,
        # Without any matrix product there is nothing that could be in another precision.
        "precision_honoured": share >= MIN_PRECISION_SHARE if shares else precision == "fp32",
        "precision_evidence": f"kernels of one profiled run, by {counted}: {listed}",
    }


def _assignment(session: Any) -> dict[str, int] | str:
    """Nodes on each provider as partitioned (before fusions), or why that is unknown."""
    read = getattr(session, "get_provider_graph_assignment_info", None)
    if read is None:
        return "unknown: this version of ONNX Runtime does not tell (1.24 does)"
    counts: Counter[str] = Counter()
    for subgraph in read():
        counts[subgraph.ep_name] += len(subgraph.get_nodes())
    return dict(sorted(counts.items()))
