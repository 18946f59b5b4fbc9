"""The graph of a decoder with its key/value cache as inputs and outputs: names, and what the exporter needs.

The names are those that other tools give to such graphs: ``past_key_values.0.key`` and ``present.0.key``. One graph
serves both phases: ``prefill`` gives it an empty cache, ``decode`` one new token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workloads.base import Workload

INPUT_NAME, LOGITS_NAME, TOKEN_NAME = "input_ids", "logits", "next_token"
PAST, PRESENT = "past_key_values.", "present."
# Names of the lengths that differ from run to run.
NEW_LENGTH, PAST_LENGTH = "new_length", "past_length"
PHASES = ("prefill", "decode")
# What the exporter is shown. It takes lengths of 0 and 1 for constants.
_EXAMPLE_NEW, _EXAMPLE_PAST = 3, 5


def has_flat_cache(workload: Workload, phase: str) -> bool:
    """Whether a case of this phase is a graph of this kind."""
    return phase in PHASES and workload.spec.exports_cache


def cache_names(prefix: str, number: int) -> list[str]:
    """Names of ``number`` tensors: key and value of each layer in turn."""
    return [f"{prefix}{i // 2}.{'value' if i % 2 else 'key'}" for i in range(number)]


def export_arguments(model: nn.Module, input_ids: Tensor) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Module, example arguments and options for ``torch.onnx.export``.

    Args:
        model: an ``ExportsCache``.
        input_ids: a prompt [B, S], for its batch size and type.
    """
    import torch

    graph: Any = model
    shaped = graph.new_cache(input_ids.shape[0], _EXAMPLE_PAST)
    past = [torch.ones_like(x) for pair in shaped for x in pair]
    new = torch.zeros(input_ids.shape[0], _EXAMPLE_NEW, dtype=input_ids.dtype)
    options = {
        "input_names": [INPUT_NAME, *cache_names(PAST, len(past))],
        "output_names": [LOGITS_NAME, TOKEN_NAME, *cache_names(PRESENT, len(past))],
        "dynamic_shapes": {"input_ids": {1: NEW_LENGTH}, "past": [{2: PAST_LENGTH} for _ in past]},
    }
    return graph.with_flat_cache(), (new, past), options
