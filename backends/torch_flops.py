"""FLOPs of eager steps, counted by torch's own counter.

torch's table has no formula for the CPU's fused attention, which would then count as nothing, and its
formula for fused backward passes counts the scores a second time, as they are recomputed. Here all
fused attention is counted alike, as the workloads count it: every product once, nothing masked away,
backward twice forward.

Shape suffixes: B batch, H heads, S query and T key positions, D query and E value width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from backends.base import FlopCount
from results.records import Precision

# The formulas are of products in floating point; torch has none for integer and few for scaled ones.
COUNTED_PRECISIONS = ("fp32", "fp16", "bf16")
_FUSED_ATTENTION = (
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)


def count_flops(run: Callable[[int], None], numbers: Iterable[int], precision: Precision, compiled: bool) -> FlopCount:
    """FLOPs of the steps with these numbers, each run once; None where a count would mean nothing."""
    if compiled:
        return FlopCount(None, "compiled code is not counted: its kernels do not pass torch's dispatcher")
    if precision not in COUNTED_PRECISIONS:
        return FlopCount(None, f"torch has no FLOP formulas for the products of {precision}")
    with FlopCounterMode(display=False, custom_mapping=_formulas()) as counter:
        for i in numbers:
            run(i)
    return FlopCount(int(counter.get_total_flops()))


def _formulas() -> dict[Any, Callable[..., int]]:
    found: dict[Any, Callable[..., int]] = {}
    for name in _FUSED_ATTENTION:
        for full_name, formula in ((name, _attention), (f"{name}_backward", _attention_backward)):
            operator = getattr(torch.ops.aten, full_name, None)  # not every version of torch has all
            if operator is not None:
                found[operator] = formula
    return found


def _attention(q_BHSD: Sequence[int], k_BHTD: Sequence[int], v_BHTE: Sequence[int], *_: Any, **__: Any) -> int:
    """Scores and weighted values, from the shapes; keys may have fewer heads than queries."""
    batch, heads, queries, width = q_BHSD
    return 2 * batch * heads * queries * k_BHTD[-2] * (width + v_BHTE[-1])


def _attention_backward(
    gradient: Sequence[int], q_BHSD: Sequence[int], k_BHTD: Sequence[int], v_BHTE: Sequence[int], *_: Any, **__: Any
) -> int:
    return 2 * _attention(q_BHSD, k_BHTD, v_BHTE)
