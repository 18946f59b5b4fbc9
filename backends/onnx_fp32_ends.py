"""A narrow model with FP32 at both ends, which devices and NumPy can feed whatever is between."""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


def with_fp32_ends(model: nn.Module, dtype: str, keeps_cache: bool) -> nn.Module:
    """``model``, which is in ``dtype``, between casts from and to FP32.

    Args:
        model: takes tensors by name and returns one.
        dtype: torch's name of a floating point type.
        keeps_cache: it takes ``(input_ids, past)`` and returns ``(logits, next_token, *present)`` instead. Then only
            the logits are cast: the cache goes from one step into the next, and its size in memory is that of its
            type.
    """
    import torch
    from torch import nn

    narrow = getattr(torch, dtype)

    class Fp32Ends(nn.Module):
        """A cast of each floating point input, the model, a cast of its output."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **batch: Tensor) -> Tensor:
            cast = {name: x.to(narrow) if x.is_floating_point() else x for name, x in batch.items()}
            logits: Tensor = self.model(**cast)
            return logits.float()

    class Fp32Logits(nn.Module):
        """The model, and a cast of its first output."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Tensor, past: Sequence[Tensor]) -> tuple[Tensor, ...]:
            logits_BV, *rest = self.model(input_ids, past)
            return logits_BV.float(), *rest

    return Fp32Logits() if keeps_cache else Fp32Ends()


def narrow_convolutions(program: Any) -> None:
    """Make the constants of convolutions BF16 again, in the program that torch exported from a BF16 model.

    Folding a normalization into a convolution leaves them in FP32 (onnxscript 0.7), which is no valid graph.
    """
    import ml_dtypes
    import onnx_ir

    for node in program.model.graph:
        for value in node.inputs[1:] if node.op_type in ("Conv", "ConvTranspose") else ():
            constant = value.const_value if value is not None else None
            if constant is not None and constant.dtype == onnx_ir.DataType.FLOAT:
                value.const_value = onnx_ir.tensor(constant.numpy().astype(ml_dtypes.bfloat16), name=value.name)
                value.dtype = onnx_ir.DataType.BFLOAT16
