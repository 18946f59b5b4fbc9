"""A bidirectional text encoder of the BERT family: what it is and how much work it does.

Learned positions, token types, norms after each block, GELU, and the masked-language-model head
(transform, norm, decoder tied to the token embedding). Dropout is 0, so that training is
deterministic. Importing this module does not import torch; see ``text_encoder_model``.
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

# Share of positions to predict (Devlin et al., arXiv:1810.04805, section 3.1).
MASKED_SHARE = 0.15
# The label of a position that is not to be predicted; cross_entropy's default ignore_index.
NOT_PREDICTED = -100


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The architecture, as ``Preset.model`` spells it. ``mask_token`` is the id of ``[MASK]``."""

    vocab_size: int
    dim: int
    num_layers: int
    num_heads: int
    ffn_dim: int
    max_positions: int
    num_token_types: int
    norm_eps: float
    mask_token: int

    @property
    def num_parameters(self) -> int:
        """All trained numbers: the decoder's weight is the token embedding and counts once."""
        d, f = self.dim, self.ffn_dim
        embeddings = (self.vocab_size + self.max_positions + self.num_token_types) * d + 2 * d
        layer = 4 * (d * d + d) + (d * f + f) + (f * d + d) + 2 * 2 * d
        head = (d * d + d) + 2 * d + self.vocab_size
        return embeddings + self.num_layers * layer + head

    def min_values(self, phase: Phase, batch_size: int, length: int) -> int:
        """See ``Work.min_values``. Tables of positions and token types are read as far as they are used."""
        ids = batch_size * length
        if phase == "train":
            return min_trained_values(self.num_parameters, "adamw") + 2 * ids
        unread = (self.max_positions - length + self.num_token_types - 1) * self.dim
        return self.num_parameters - unread + ids + ids * self.vocab_size

    def forward_macs(self, length: int) -> int:
        """Multiply-adds of one sequence: layers, attention and the head at every position."""
        d = self.dim
        layer = 4 * d * d + 2 * d * self.ffn_dim
        head = d * d + d * self.vocab_size
        attention = 2 * d * length * length
        return length * (self.num_layers * layer + head) + self.num_layers * attention


_BERT_BASE: dict[str, int | float] = {
    "vocab_size": 30522,
    "dim": 768,
    "num_layers": 12,
    "num_heads": 12,
    "ffn_dim": 3072,
    "max_positions": 512,
    "num_token_types": 2,
    "norm_eps": 1e-12,
    "mask_token": 103,
}

_SPEC = WorkloadSpec(
    name="text-encoder",
    version=1,
    domain="language",
    summary="BERT-style encoder: masked-language-model training and inference",
    phases=("train", "infer"),
    item_unit="sequence",
    optimizer="adamw",
    learning_rate=5e-4,
    presets={
        "tiny": Preset(
            summary="0.11 M parameters; for smoke tests",
            model={
                "vocab_size": 512,
                "dim": 64,
                "num_layers": 2,
                "num_heads": 4,
                "ffn_dim": 128,
                "max_positions": 128,
                "num_token_types": 2,
                "norm_eps": 1e-12,
                "mask_token": 3,
            },
            shape={"sequence_length": 32},
            batch_size=2,
        ),
        "edge": Preset(
            summary="BERT-base, 109.5 M parameters, short sequences one at a time",
            model=_BERT_BASE,
            shape={"sequence_length": 128},
            batch_size=1,
        ),
        "standard": Preset(
            summary="BERT-base, 109.5 M parameters, full-length sequences",
            model=_BERT_BASE,
            shape={"sequence_length": 512},
            batch_size=8,
        ),
    },
)


class TextEncoder:
    """The workload ``text-encoder``.

    - ``infer``: ``forward(input_ids)`` gives logits [B, S, V] at every position. Sequences are all
      full, so there is no padding mask, and all tokens are of type 0.
    - ``train``: masked language model. In each sequence 15 % of the positions (rounded, at least
      one) are drawn without replacement; there the input is ``[MASK]`` and the label the original
      token, elsewhere the label is -100. The head runs at every position, not only at those. BERT
      leaves a tenth of the chosen tokens as they are and swaps another tenth; with random tokens
      that would change nothing that is measured.
    """

    spec: WorkloadSpec = _SPEC

    def config(self, preset: str) -> EncoderConfig:
        """The architecture of a preset."""
        return msgspec.convert(find_preset(self.spec, preset).model, EncoderConfig)

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``workloads.base``; a ``TextEncoderModel``."""
        from workloads.initialization import build_seeded
        from workloads.text_encoder_model import TextEncoderModel

        config = self.config(preset)
        generator = seeded_generator(self.spec, "weights", seed)
        return build_seeded(lambda: TextEncoderModel(config), generator)

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """``input_ids`` [B, S], uniform over the vocabulary, int64; for ``train`` also ``labels``.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        import torch

        config, length = self._checked(preset, phase, batch_size, shape)
        generator = seeded_generator(self.spec, f"batch/{phase}", seed)
        cpu = torch.device("cpu")
        size_BS = (batch_size, length)
        ids_BS = torch.randint(config.vocab_size, size_BS, generator=generator, device=cpu)
        if phase == "infer":
            return {"input_ids": ids_BS}
        num_masked = max(1, round(MASKED_SHARE * length))
        order_BS = torch.rand(size_BS, generator=generator, device=cpu).argsort(dim=1, stable=True)
        is_masked_BS = torch.zeros(size_BS, dtype=torch.bool, device=cpu)
        is_masked_BS.scatter_(1, order_BS[:, :num_masked], True)
        return {
            "input_ids": ids_BS.masked_fill(is_masked_BS, config.mask_token),
            "labels": ids_BS.masked_fill(~is_masked_BS, NOT_PREDICTED),
        }

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean cross entropy in nats over the masked positions, in FP32."""
        from torch.nn import functional

        logits_BSV = model(batch["input_ids"])
        return functional.cross_entropy(
            logits_BSV.flatten(0, 1).float(), batch["labels"].flatten(), ignore_index=NOT_PREDICTED
        )

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """Exact counts; the convention is in ``results.records.Work``. ``bytes`` is not estimated.

        Training is three times the forward pass (Kaplan et al., arXiv:2001.08361, section 2.1).

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        config, length = self._checked(preset, phase, batch_size, shape)
        passes = 3 if phase == "train" else 1
        return Work(
            items=batch_size,
            item_unit="sequence",
            tokens=batch_size * length,
            flops=2 * batch_size * passes * config.forward_macs(length),
            min_values=config.min_values(phase, batch_size, length),
        )

    def _checked(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> tuple[EncoderConfig, int]:
        check_request(self.spec, phase, batch_size)
        config = self.config(preset)
        return config, read_dimension(self.spec, shape, "sequence_length", at_most=config.max_positions)
