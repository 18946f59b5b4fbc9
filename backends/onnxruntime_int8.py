"""Which types a quantized graph is to have on a provider: what it takes best, if it multiplies that rightly."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal

import numpy as np

from backends.cpu_units import cpu_flags, units
from backends.onnx_probe_graphs import EXTREME_K, extremes
from backends.onnx_provider_row import Int8Scheme
from backends.onnxruntime_provider import Provider, make_session

# How 8-bit products are added up: in 32-bit integers; in floating point after dequantizing; rightly, into a quantized
# result that hides how; in too few bits, so that large sums are wrong; or the provider refuses the graph.
Sums = Literal["integer", "floating", "quantized", "wrong", "refused"]
# Tried in this order where what a provider wants comes out wrong or is refused.
_OTHERS: tuple[Int8Scheme, ...] = ("U8S8", "S8S8", "U8U8")
_GOOD = ("integer", "quantized")
# Rounding a sum to a quantized result takes half a step, and scaling it in fixed point may take another (QNN's
# simulator: 0.6). What is saturated is wrong by dozens.
_MAX_STEPS = 1.5


def int8_scheme(
    provider: Provider, open_session: Callable[..., Any] | None = None, flags: Collection[str] | None = None
) -> Int8Scheme:
    """The types of a quantized graph for ``provider``: what its row wants, or the first of others that is right.

    ``by cpu`` wants U8S8 where the CPU has VNNI or the like, else U8U8: without, U8S8 adds pairs of products in
    16 bits, which saturate (``vpmaddubsw``). Where nothing is right, what the row wants; ``probe`` then says so.

    Args:
        provider: where it is to run.
        open_session: ``open_session(model_bytes, session_options)``; None opens one on ``provider``.
        flags: of the CPU; None reads them.
    """
    wanted = provider.row.int8
    if wanted == "by cpu":
        flags = cpu_flags() if flags is None else flags
        wanted = "U8S8" if units("int8", flags) else "U8U8"
    order = (wanted, *(scheme for scheme in _OTHERS if scheme != wanted))
    return next((scheme for scheme in order if int8_sums(scheme, provider, open_session) in _GOOD), wanted)


def int8_sums(scheme: Int8Scheme, provider: Provider, open_session: Callable[..., Any] | None = None) -> Sums:
    """How ``provider`` adds up products of extreme values; see ``onnx_probe_graphs.extremes``."""
    import onnxruntime

    graph, want, step = extremes(scheme)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a refusal is an answer
    try:
        session = open_session(graph.model, options) if open_session else make_session(graph.model, options, provider)
        (y_MN,) = session.run(None, {"a": graph.inputs})
    except Exception:  # the binding raises its own types, one per status code
        return "refused"
    worst = float(np.max(np.abs(np.asarray(y_MN, np.float64) - want)))
    if step:
        return "quantized" if worst <= _MAX_STEPS * step else "wrong"
    if worst == 0:
        return "integer"
    # FP32 rounds each of K sums below 2**26 by 4 at most, to both sides: their errors are far below K.
    return "floating" if worst <= EXTREME_K else "wrong"
