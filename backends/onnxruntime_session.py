"""Opens a prepared ONNX Runtime case: its sessions, what they really run, and the facts about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.base import Step
from backends.onnx_cache import CacheEntry
from backends.onnx_source import Arrays
from backends.onnxruntime_assignment import CPU_PROVIDER, RECORD_ASSIGNMENT, assignment
from backends.onnxruntime_audit import Audit, audit_session
from backends.onnxruntime_compiled import Compiled, compiled, not_kept
from backends.onnxruntime_decoder import DecodeStep, PrefillStep, decoder_feeds, has_cache
from backends.onnxruntime_options import CONFIG_ENTRIES, session_options
from backends.onnxruntime_placement import MIN_SHARE, Placement
from backends.onnxruntime_precision import WIDENED, executed_dtypes, precision_of
from backends.onnxruntime_provider import Provider, make_session
from backends.onnxruntime_step import OnnxRuntimeStep
from results.records import CaseSpec, Precision, Scalar, Support

# A case ran in its precision when at least this share of its matrix work did.
MIN_PRECISION_SHARE = 0.9
# MatMulAddFusion makes a Gemm of a quantized MatMul and its bias, and QDQ fusion then refuses the
# Gemm, for its bias is not quantized: it would be computed in FP32 (ONNX Runtime 1.32).
# ReluQuantRewrite drops a Relu whose result is quantized as if 0 were the least value of FP8: negative values then
# pass (1.32; errors above 100 %).
_DISABLED_OPTIMIZERS: dict[Precision, tuple[str, ...]] = {
    "int8": ("MatMulAddFusion",),
    "fp8": ("MatMulAddFusion", "ReluQuantRewrite"),
}
_NATIVE = Support(level="native")


def open_step(
    case: CaseSpec,
    provider: Provider,
    entry: CacheEntry,
    batches: Sequence[Arrays],
    flops: float | None = None,
    support: Support = _NATIVE,
) -> Step:
    """Sessions, bindings and facts for an exported (and quantized) model.

    Args:
        case: its options are checked.
        provider: where to run.
        entry: the model.
        batches: its inputs.
        flops: of one step by the workload's definition; None where it is not known.
        support: what was announced.
    """
    disabled = _DISABLED_OPTIMIZERS.get(case.precision, ())
    kept = _compiled(case, provider, entry.model_path, disabled)

    def create(options: Any) -> Any:
        return make_session(kept.model, options, kept.provider, disabled)

    # The session that is profiled is then like the timed one; on the CPU alone only the kernels are of interest.
    prepack = provider.name != CPU_PROVIDER
    audit = audit_session(create, session_options(case.options), _feeds(case, batches[0]), prepack=prepack)
    session, opening = _timed_session(create, case.options)
    kept.clean_up()
    facts: dict[str, object] = {
        **_export_facts(entry),
        **_session_facts(session, case.options),
        **opening,
        "provider_options": dict(provider.options),
        **kept.facts,
        "disabled_optimizers": list(disabled),
        **_precision_facts(case, audit, support, provider.options, entry.info),
        **_placement(case, provider, session, audit, flops).facts(),
    }
    return _step(case, provider, session, batches, facts)


def _feeds(case: CaseSpec, batch: Arrays) -> Callable[[Any], Arrays]:
    return lambda session: decoder_feeds(session, case.phase, batch) if has_cache(session) else batch


def _step(
    case: CaseSpec, provider: Provider, session: Any, batches: Sequence[Arrays], facts: dict[str, object]
) -> Step:
    memory, captured = provider.row.memory, bool(case.options.get("cuda_graph"))
    if not has_cache(session):
        return OnnxRuntimeStep(session, batches, facts, memory, captured)
    if case.phase == "decode":
        return DecodeStep(session, batches[0], case.shape["new_tokens"], facts, memory, captured)
    return PrefillStep(session, batches, facts, memory, captured)


def _placement(case: CaseSpec, provider: Provider, session: Any, audit: Audit, flops: float | None) -> Placement:
    return Placement(
        asked=provider.name,
        opened_with=session.get_providers(),
        assigned=assignment(session),
        audit=audit,
        flops=flops,
        min_share=float(case.options.get("min_provider_share", MIN_SHARE) or 0),
    )


def _compiled(case: CaseSpec, provider: Provider, model: Path, disabled: Sequence[str]) -> Compiled:
    """The model as it is to be opened: compiled, where the case asks for that."""
    if not case.options.get("ep_context"):
        return not_kept(model, provider)

    def open_session(path: Path, place: Provider, entries: Mapping[str, str]) -> Any:
        made = session_options(case.options)
        for name, value in entries.items():
            made.add_session_config_entry(name, value)
        return make_session(path, made, place, disabled)

    level = str(case.options.get("graph_optimization", "all"))
    ingredients = {"identity": provider.identity, "graph_optimization": level, "disabled_optimizers": list(disabled)}
    return compiled(model, provider, ingredients, open_session)


def _timed_session(create: Callable[[Any], Any], options: Mapping[str, Scalar]) -> tuple[Any, dict[str, object]]:
    """The session to time, and the facts about opening it."""
    made = session_options(options)
    made.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    before, start = _num_threads(), time.perf_counter()
    session = create(made)
    seconds, after = time.perf_counter() - start, _num_threads()
    facts: dict[str, object] = {
        # Most providers compile here, where no cache spares them that.
        "session_s": seconds,
        # The calling thread works too, so a pool of n threads starts n - 1. None: not readable here.
        "threads_started": None if before is None or after is None else after - before,
    }
    return session, facts


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


def _session_facts(session: Any, options: Mapping[str, Scalar]) -> dict[str, object]:
    import onnxruntime

    held = session.get_session_options()
    return {
        "onnxruntime_version": onnxruntime.__version__,
        "providers": list(session.get_providers()),
        "graph_optimization": str(options.get("graph_optimization", "all")),
        "execution_mode": held.execution_mode.name,
        "intra_op_num_threads": held.intra_op_num_threads or "default: one per physical core",
        "inter_op_num_threads": held.inter_op_num_threads,
        "session_config": dict(CONFIG_ENTRIES),
        "torch_used_for": "export, inputs and the FP32 reference; never in a timed step",
    }


def _precision_facts(
    case: CaseSpec, audit: Audit, support: Support, options: Mapping[str, str], graph: Mapping[str, Any]
) -> dict[str, object]:
    """What ran, by the kernels; where they are hidden, what was told, and that it was not observed.

    ``graph`` is what making it told.
    """
    if audit.fused:
        text = ", ".join(f"{name}={value}" for name, value in options.items()) or "nothing but the graph"
        hidden = f"{audit.fused} compiles whole subgraphs and does not tell their types"
        return {
            "matmul_dtypes": audit.matmul_dtypes,
            "precision_executed": None,
            "precision_executed_reason": hidden,
            "precision_honoured": False if (plain := _unquantized(case, graph)) else None,
            "precision_evidence": plain or f"told, not observed ({text}): {hidden}",
            "precision_probe": dict(support.evidence),
        }
    shares, counted = audit.shares()
    announced = executed_dtypes(case.precision) | _announced(support)
    share = sum(shares.get(dtype, 0.0) for dtype in announced)
    listed = ", ".join(f"{dtype} {part:.1%}" for dtype, part in shares.items()) or "no matrix kernels"
    return {
        "matmul_dtypes": audit.matmul_dtypes,
        "precision_executed": precision_of(max(shares, key=lambda dtype: shares[dtype])) if shares else None,
        # Without any matrix product there is nothing that could be in another precision.
        "precision_honoured": share >= MIN_PRECISION_SHARE if shares else case.precision == "fp32",
        "precision_evidence": f"kernels of one profiled run, by {counted}: {listed}",
    }


def _unquantized(case: CaseSpec, graph: Mapping[str, Any]) -> str:
    """What shows, where kernels are hidden, that a graph cannot be computed in 8 bits, or ""."""
    if case.precision not in ("int8", "fp8"):
        return ""
    quantized, eligible = graph.get("quantized_nodes"), graph.get("eligible_nodes")
    if quantized is None or eligible is None:
        return f"nobody tells how much of the {case.precision} graph is quantized, and the provider hides its kernels"
    if eligible and quantized >= MIN_PRECISION_SHARE * eligible:
        return ""
    return f"{quantized} of {eligible} matrix products and convolutions of the graph are quantized"


def _announced(support: Support) -> frozenset[str]:
    """The types of what an emulated case is computed in, beside its own."""
    widened = support.evidence.get(WIDENED) if support.level == "emulated" else None
    return executed_dtypes("fp32") if widened == "fp32" else frozenset()
