"""A decoder-only language model of the Llama family: what it is and how much work it does.

RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU, no biases and no
dropout. Importing this module does not import torch; the network is in ``llm_decoder_model``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from results.records import Phase, Work
from workloads.base import Preset, Size, WorkloadSpec
from workloads.requests import check_request, find_preset, min_trained_values, read_dimension, seeded_generator

if TYPE_CHECKING:
    from torch import Tensor, nn


class DecoderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The architecture, as ``Preset.model`` spells it.

    ``tied_embeddings`` 1: the LM head is the token embedding. ``max_positions`` bounds the
    positions the model can address (the length of the rotary tables).
    """

    vocab_size: int
    dim: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    ffn_dim: int
    max_positions: int
    rope_theta: float
    norm_eps: float
    tied_embeddings: int

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.num_heads

    @property
    def num_parameters(self) -> int:
        """All trained numbers; a tied LM head counts once."""
        embedding = self.vocab_size * self.dim
        norms = (2 * self.num_layers + 1) * self.dim
        return embedding * (2 - self.tied_embeddings) + self.num_layers * self.layer_macs + norms

    @property
    def layer_macs(self) -> int:
        """Multiply-adds of the matrix products with weights in one layer, for one token."""
        kv_dim = self.num_kv_heads * self.head_dim
        return self.dim * (2 * self.dim + 2 * kv_dim + 3 * self.ffn_dim)

    @property
    def head_macs(self) -> int:
        """Multiply-adds of the LM head for one token; the embedding lookup has none."""
        return self.dim * self.vocab_size

    @property
    def num_read_weights(self) -> int:
        """Weights that every forward pass reads whole: all but an embedding table of its own."""
        lookup = 0 if self.tied_embeddings else self.vocab_size * self.dim
        return self.num_parameters - lookup

    def min_values(self, phase: Phase, batch_size: int, length: int, steps: int) -> int:
        """See ``Work.min_values``. A decode step reads the cache of all positions up to its own."""
        if phase == "train":
            return min_trained_values(self.num_parameters, "adamw") + 2 * batch_size * length
        cache = 2 * self.num_layers * self.num_kv_heads * self.head_dim
        cached = length if phase == "prefill" else sum(length + step + 1 for step in range(steps))
        inputs = length if phase == "prefill" else steps
        outputs = steps * self.vocab_size
        return steps * self.num_read_weights + batch_size * (inputs + cache * cached + outputs)

    def attention_macs(self, num_queries: int, num_keys: int) -> int:
        """Multiply-adds of scores and weighted values in all layers, nothing masked away."""
        return self.num_layers * 2 * self.dim * num_queries * num_keys


_GPT2_SMALL_SIZED: dict[str, int | float] = {
    "vocab_size": 50304,  # GPT-2's 50257, padded to a multiple of 64
    "dim": 768,
    "num_layers": 12,
    "num_heads": 12,
    "num_kv_heads": 12,
    "ffn_dim": 2048,
    "max_positions": 8192,
    "rope_theta": 10000.0,
    "norm_eps": 1e-5,
    "tied_embeddings": 1,
}

_SPEC = WorkloadSpec(
    name="llm-decoder",
    version=1,
    domain="language",
    summary="Llama-style decoder: next-token training, prompt processing, token generation",
    phases=("train", "prefill", "decode"),
    item_unit="token",
    exports_cache=True,
    optimizer="adamw",
    learning_rate=3e-4,
    presets={
        "tiny": Preset(
            summary="0.14 M parameters, untied embeddings; for smoke tests",
            model={
                "vocab_size": 512,
                "dim": 64,
                "num_layers": 2,
                "num_heads": 4,
                "num_kv_heads": 2,
                "ffn_dim": 128,
                "max_positions": 4096,
                "rope_theta": 10000.0,
                "norm_eps": 1e-5,
                "tied_embeddings": 0,
            },
            shape={"sequence_length": 32, "prompt_tokens": 32, "new_tokens": 16},
            batch_size=2,
        ),
        "124m": Preset(
            summary="123.6 M parameters, the size of GPT-2 small, tied embeddings",
            model=_GPT2_SMALL_SIZED,
            shape={"sequence_length": 1024, "prompt_tokens": 512, "new_tokens": 128},
            batch_size=4,
        ),
        "edge": Preset(
            summary="the 123.6 M parameter model on short sequences, one at a time",
            model=_GPT2_SMALL_SIZED,
            shape={"sequence_length": 256, "prompt_tokens": 128, "new_tokens": 32},
            batch_size=1,
        ),
        "standard": Preset(
            summary="1.236 B parameters, the dimensions of Llama 3.2 1B, tied embeddings",
            model={
                "vocab_size": 128256,
                "dim": 2048,
                "num_layers": 16,
                "num_heads": 32,
                "num_kv_heads": 8,
                "ffn_dim": 8192,
                "max_positions": 32768,
                "rope_theta": 500000.0,
                "norm_eps": 1e-5,
                "tied_embeddings": 1,
            },
            shape={"sequence_length": 2048, "prompt_tokens": 512, "new_tokens": 128},
            batch_size=1,
        ),
    },
)


class LlmDecoder:
    """The workload ``llm-decoder``.

    - ``train``: next-token cross entropy over ``sequence_length`` positions. A batch has
      ``input_ids`` and ``labels``, both [B, S]; the labels are already shifted (``labels[:, t]``
      is the token after ``input_ids[:, t]``), so all B * S positions count.
    - ``prefill``: ``extend(input_ids, cache, 0)`` over ``prompt_tokens``; the LM head runs on the
      last position only. ``forward(input_ids, last_only=True)`` computes the same without a cache.
    - ``decode``: a cycle of ``new_tokens`` steps of one token each after such a prompt; the batch
      is the prompt. Step t (from 0) attends to ``prompt_tokens + t + 1`` positions.
    """

    spec: WorkloadSpec = _SPEC

    def config(self, preset: str) -> DecoderConfig:
        """The architecture of a preset."""
        return msgspec.convert(find_preset(self.spec, preset).model, DecoderConfig)

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``workloads.base``; an ``LlmDecoderModel``."""
        from workloads.initialization import build_seeded
        from workloads.llm_decoder_model import LlmDecoderModel

        config = self.config(preset)
        generator = seeded_generator(self.spec, "weights", seed)
        return build_seeded(lambda: LlmDecoderModel(config), generator)

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """Token ids, uniform over the vocabulary; int64.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        import torch

        check_request(self.spec, phase, batch_size)
        config = self.config(preset)
        generator = seeded_generator(self.spec, f"batch/{phase}", seed)
        length = self._input_length(config, phase, shape)
        num_drawn = length + 1 if phase == "train" else length
        ids = torch.randint(config.vocab_size, (batch_size, num_drawn), generator=generator, device=torch.device("cpu"))
        if phase == "train":
            return {"input_ids": ids[:, :-1].contiguous(), "labels": ids[:, 1:].contiguous()}
        return {"input_ids": ids}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean cross entropy in nats per token, in FP32; the labels are shifted already."""
        from torch.nn import functional

        logits_BSV = model(batch["input_ids"])
        return functional.cross_entropy(logits_BSV.flatten(0, 1).float(), batch["labels"].flatten())

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """Exact counts; the convention is in ``results.records.Work``. ``bytes`` is not estimated.

        Training is three times the forward pass: one product for the outputs, two for the
        gradients of inputs and weights (Kaplan et al., arXiv:2001.08361, section 2.1).

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        check_request(self.spec, phase, batch_size)
        config = self.config(preset)
        length = self._input_length(config, phase, shape)
        body_macs, head_macs = config.num_layers * config.layer_macs, config.head_macs
        steps, tokens = 1, length
        if phase == "train":
            macs = 3 * (length * (body_macs + head_macs) + config.attention_macs(length, length))
        elif phase == "prefill":
            macs = length * body_macs + head_macs + config.attention_macs(length, length)
        else:
            steps = tokens = read_dimension(self.spec, shape, "new_tokens")
            attended = sum(length + step + 1 for step in range(steps))
            macs = steps * (body_macs + head_macs) + config.attention_macs(1, attended)
        tokens *= batch_size
        return Work(
            steps=steps,
            items=tokens,
            item_unit="token",
            tokens=tokens,
            flops=2 * batch_size * macs,
            min_values=config.min_values(phase, batch_size, length, steps),
        )

    def _input_length(self, config: DecoderConfig, phase: Phase, shape: Size) -> int:
        """Tokens per sequence in a batch, checked against the positions the model has."""
        limit = config.max_positions
        if phase == "train":
            return read_dimension(self.spec, shape, "sequence_length", at_most=limit)
        if phase == "decode":
            limit -= read_dimension(self.spec, shape, "new_tokens", at_most=limit - 1)
        return read_dimension(self.spec, shape, "prompt_tokens", at_most=limit)
