"""Opens a prepared ONNX Runtime case: its sessions, what they really run, and the facts about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.onnx_cache import CacheEntry
from backends.onnx_source import Arrays
from backends.onnxruntime_assignment import CPU_PROVIDER, RECORD_ASSIGNMENT, assignment
from backends.onnxruntime_audit import Audit, audit_session
from backends.onnxruntime_options import CONFIG_ENTRIES, session_options
from backends.onnxruntime_placement import MIN_SHARE, Placement
from backends.onnxruntime_precision import executed_dtypes, precision_of
from backends.onnxruntime_provider import Provider, make_session
from backends.onnxruntime_step import OnnxRuntimeStep
from results.records import CaseSpec, Precision, Scalar

# A case ran in its precision when at least this share of its matrix work did.
MIN_PRECISION_SHARE = 0.9
# MatMulAddFusion makes a Gemm of a quantized MatMul and its bias, and QDQ fusion then refuses the
# Gemm, for its bias is not quantized: it would be computed in FP32 (ONNX Runtime 1.32).
_DISABLED_OPTIMIZERS: dict[Precision, tuple[str, ...]] = {"int8": ("MatMulAddFusion",)}


def open_step(
    case: CaseSpec, provider: Provider, entry: CacheEntry, batches: Sequence[Arrays], flops: float | None = None
) -> OnnxRuntimeStep:
    """Sessions, bindings and facts for an exported (and quantized) model.

    Args:
        case: its options are checked.
        provider: where to run.
        entry: the model.
        batches: its inputs.
        flops: of one step by the workload's definition; None where it is not known.
    """
    disabled = _DISABLED_OPTIMIZERS.get(case.precision, ())

    def create(options: Any) -> Any:
        return make_session(entry.model_path, options, provider, disabled)

    # The session that is profiled is then like the timed one; on the CPU alone only the kernels are of interest.
    prepack = provider.name != CPU_PROVIDER
    audit = audit_session(create, session_options(case.options), batches[0], prepack=prepack)
    session, threads_started = _timed_session(create, case.options)
    facts: dict[str, object] = {
        **_export_facts(entry),
        **_session_facts(session, case.options, threads_started),
        "disabled_optimizers": list(disabled),
        **_precision_facts(case.precision, audit),
        **_placement(case, provider, session, audit, flops).facts(),
    }
    return OnnxRuntimeStep(session, batches, facts)


def _placement(case: CaseSpec, provider: Provider, session: Any, audit: Audit, flops: float | None) -> Placement:
    return Placement(
        asked=provider.name,
        opened_with=session.get_providers(),
        assigned=assignment(session),
        audit=audit,
        flops=flops,
        min_share=float(case.options.get("min_provider_share", MIN_SHARE) or 0),
    )


def _timed_session(create: Callable[[Any], Any], options: Mapping[str, Scalar]) -> tuple[Any, int | None]:
    """The session to time and the number of threads it started (None: not readable here)."""
    made = session_options(options)
    made.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    before = _num_threads()
    session = create(made)
    after = _num_threads()
    return session, None if before is None or after is None else after - before


def _num_threads() -> int | None:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


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
        "session_config": dict(CONFIG_ENTRIES),
        "torch_used_for": "export, inputs and the FP32 reference; never in a timed step",
    }


def _precision_facts(precision: Precision, audit: Audit) -> dict[str, object]:
    shares, counted = audit.shares()
    share = sum(shares.get(dtype, 0.0) for dtype in executed_dtypes(precision))
    listed = ", ".join(f"{dtype} {part:.1%}" for dtype, part in shares.items()) or "no matrix kernels"
    if audit.fused:
        listed = f"subgraphs of {audit.fused}, which does not tell its types"
    return {
        "matmul_dtypes": audit.matmul_dtypes,
        "precision_executed": precision_of(max(shares, key=lambda dtype: shares[dtype])) if shares else None,
        # Without any matrix product there is nothing that could be in another precision.
        "precision_honoured": share >= MIN_PRECISION_SHARE if shares else precision == "fp32",
        "precision_evidence": f"kernels of one profiled run, by {counted}: {listed}",
    }
