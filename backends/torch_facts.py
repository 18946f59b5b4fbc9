"""What one eager step really multiplies, and in which types: seen by torch, not promised by us.

:class:`ProductTrace` looks at every operator that reaches the dispatcher, below autocast and
below tensor subclasses. Run it under ``no_grad`` or with gradients, not under
``inference_mode``, which keeps composite operators (``linear``) whole.

Shape suffixes: B batch dimensions (any number), M, N, K of a matrix product; S query and T key
positions, D query and E value width of one attention head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from results.records import Precision

# Of the FLOPs of products with weights, this share must be in the type asked for.
MIN_WEIGHT_SHARE = 0.9
_PRECISION_OF = {
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
    "int8": "int8",
    "uint8": "int8",
    "float8_e4m3fn": "fp8",
    "float8_e4m3fnuz": "fp8",
    "float8_e5m2": "fp8",
    "float8_e5m2fnuz": "fp8",
}
# Recipes for these convert layers with weights only; attention stays in the carrier type.
_WEIGHT_ONLY_PRECISIONS = ("fp8", "int8")


class Product(NamedTuple):
    """A kind of operator.

    ``operand`` is the index of the argument whose dtype counts, ``flops`` takes the arguments and
    the result. ``has_weights``: products of activations with each other have not.
    """

    operand: int
    has_weights: bool
    flops: Callable[[Sequence[Any], Any], int]


def _matmul(first: int) -> Callable[[Sequence[Any], Any], int]:
    """2 FLOPs per multiply-add of a [B.., M, K] times [B.., K, N] at arguments ``first`` and next."""
    return lambda args, out: 2 * int(args[first].numel() * args[first + 1].shape[-1])


def _linear(args: Sequence[Any], out: Any) -> int:
    return 2 * int(args[0].numel() * args[1].shape[0])


def _linear_backward(args: Sequence[Any], out: Any) -> int:
    input_MK, _, weight_NK, wanted = args[:4]
    return 2 * int(input_MK.numel() * weight_NK.shape[0] * sum(wanted[:2]))


def _convolution(args: Sequence[Any], out: Any) -> int:
    """Every output (of a transposed convolution: input) value takes one filter's multiply-adds."""
    moved = args[0] if args[6] else out
    return 2 * int(moved.numel() * args[1].numel() // args[1].shape[0])


def _convolution_backward(args: Sequence[Any], out: Any) -> int:
    moved = args[1] if args[7] else args[0]
    return 2 * int(moved.numel() * args[2].numel() // args[2].shape[0] * sum(args[10][:2]))


def _attention(first: int, factor: int) -> Callable[[Sequence[Any], Any], int]:
    """Scores and weighted values of q_BSD, k_BTD, v_BTE, nothing masked away; backward is twice it.

    A fused backward pass computes the scores again; that is not counted as useful work.
    """

    def flops(args: Sequence[Any], out: Any) -> int:
        q_BSD, k_BTD, v_BTE = args[first : first + 3]
        width = q_BSD.shape[-1] + v_BTE.shape[-1]
        return factor * 2 * int(q_BSD.numel() // q_BSD.shape[-1] * k_BTD.shape[-2] * width)

    return flops


PRODUCTS: Mapping[str, Product] = {
    "mm": Product(0, True, _matmul(0)),
    "addmm": Product(1, True, _matmul(1)),
    "_int_mm": Product(0, True, _matmul(0)),
    "_scaled_mm": Product(0, True, _matmul(0)),
    "_scaled_mm_v2": Product(0, True, _matmul(0)),
    "linear": Product(0, True, _linear),
    "linear_backward": Product(0, True, _linear_backward),
    "convolution": Product(0, True, _convolution),
    "convolution_backward": Product(0, True, _convolution_backward),
    "bmm": Product(0, False, _matmul(0)),
    "baddbmm": Product(1, False, _matmul(1)),
}
ATTENTION = Product(0, False, _attention(0, 1))
ATTENTION_BACKWARD = Product(1, False, _attention(1, 2))


def product_of(name: str) -> Product | None:
    """The kind of product an operator called ``name`` is, or None if it is none."""
    if "scaled_dot_product" in name:
        return ATTENTION_BACKWARD if name.endswith("_backward") else ATTENTION
    return PRODUCTS.get(name)


class ProductTrace(TorchDispatchMode):  # type: ignore[misc]
    """While entered, counts the matrix products by operator and operand dtype, with their FLOPs."""

    def __init__(self, device_type: str) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.flops: Counter[tuple[str, str]] = Counter()
        self.elsewhere = 0  # products that ran on another kind of device than asked for
        self._device_type = device_type

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if any(not issubclass(kind, torch.nn.Parameter) and kind is not torch.Tensor for kind in types):
            return NotImplemented  # let the subclass do it; what it calls comes back here
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        product = product_of(name)
        if product is not None:
            operand = args[product.operand]
            key = (name, str(operand.dtype).removeprefix("torch."))
            self.counts[key] += 1
            self.flops[key] += product.flops(args, out)
            self.elsewhere += operand.device.type != self._device_type
        return out


def describe(trace: ProductTrace, precision: Precision, tf32: bool) -> dict[str, object]:
    """The facts that follow from a trace.

    ``precision_executed`` is the precision of at least 90 % of all product FLOPs, else ``mixed``.
    ``precision_honoured`` is true if at least 90 % of the FLOPs of products with weights were in
    the type asked for, on the device asked for; fp16, bf16 and fp32 must reach it over all
    products, attention included. Attention that is not fused shows as ``bmm``.
    """
    shares = _shares(trace, weights_only=False)
    judged = _shares(trace, weights_only=precision in _WEIGHT_ONLY_PRECISIONS)
    top = max(shares, key=lambda name: shares[name], default="none")
    executed = top if shares.get(top, 1.0) >= MIN_WEIGHT_SHARE else "mixed"
    asked = judged.get(precision, 0.0)
    text = ", ".join(f"{name} {share:.2%}" for name, share in shares.items()) or "no matrix products were seen"
    evidence = f"of the product FLOPs of one eager step: {text}"
    if precision in _WEIGHT_ONLY_PRECISIONS:
        evidence += f"; of those with weights: {precision} {asked:.2%}"
    if trace.elsewhere:
        evidence += f"; {trace.elsewhere} products ran off the device"
    return {
        "matmul_dtypes": _by_operator(trace.counts),
        "matmul_flops": _by_operator(trace.flops),
        "attention_kernel": sorted({name for name, _ in trace.counts if "scaled_dot_product" in name}),
        "precision_executed": "tf32" if tf32 and executed == "fp32" else executed,
        "precision_honoured": asked >= MIN_WEIGHT_SHARE and not trace.elsewhere,
        "precision_evidence": evidence,
    }


def describe_inputs(batch: Mapping[str, torch.Tensor], precision: Precision) -> dict[str, object]:
    """The same facts for a workload that has no matrix products by definition: its inputs' types count."""
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in batch.values()})
    executed = {_PRECISION_OF.get(dtype, dtype) for dtype in dtypes}
    return {
        "matmul_dtypes": {},
        "matmul_flops": {},
        "attention_kernel": [],
        "precision_executed": executed.pop() if len(executed) == 1 else "mixed",
        "precision_honoured": all(_PRECISION_OF.get(dtype) == precision for dtype in dtypes),
        "precision_evidence": f"no matrix products by definition; inputs are {', '.join(dtypes)}",
    }


def _shares(trace: ProductTrace, *, weights_only: bool) -> dict[str, float]:
    """Precision -> its share of the FLOPs, largest first."""
    flops: Counter[str] = Counter()
    for (name, dtype), count in trace.flops.items():
        product = product_of(name)
        if product is not None and (product.has_weights or not weights_only):
            flops[_PRECISION_OF.get(dtype, dtype)] += count
    total = flops.total()
    return {name: count / total for name, count in flops.most_common()} if total else {}


def _by_operator(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (name, dtype), count in sorted(counter.items()):
        nested.setdefault(name, {})[dtype] = count
    return nested
