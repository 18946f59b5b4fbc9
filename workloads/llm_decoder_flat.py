"""The network of ``llm-decoder`` as a function of its key/value cache, for graphs that keep no memory.

The same weights and the same products as ``LlmDecoderModel.extend``; the cache goes in and comes out instead of
being written in place, and lengths are taken from shapes, so that one graph serves prompts and tokens.

Shape suffixes as in ``llm_decoder_model``: B batch, S new positions, P positions before them, T = P + S, C model
width, H query heads, K key/value heads, G = H / K, D head width, R half the head width, V vocabulary.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workloads.llm_decoder_model import Attention, LlmDecoderModel, rotate


class FlatCacheDecoder(nn.Module):
    """A ``workloads.base.CachedDecoder`` without memory; see ``workloads.base.ExportsCache``."""

    def __init__(self, decoder: LlmDecoderModel) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, input_ids: Tensor, past: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Logits [B, V] and the greedy next token [B, 1] after ``input_ids`` [B, S], and the longer cache.

        Args:
            input_ids: token ids, int64.
            past: key and value of each layer in turn, each [B, K, P, D]; P may be 0.

        Returns:
            Logits, next token, then key and value of each layer in turn, each [B, K, T, D].
        """
        S, P = input_ids.shape[1], past[0].shape[2]
        tables = self.decoder.rotary.cos_PR[P : P + S], self.decoder.rotary.sin_PR[P : P + S]
        before_S1 = torch.arange(P, P + S).unsqueeze(1)
        hidden_ST = torch.arange(P + S).unsqueeze(0) > before_S1
        x_BSC = self.decoder.embedding(input_ids)
        present: list[Tensor] = []
        for number, layer in enumerate(self.decoder.layers):
            normed_BSC = layer.attention_norm(x_BSC)
            mixed_BSC, key, value = _attend(layer.attention, normed_BSC, tables, past[2 * number : 2 * number + 2],
                                            hidden_ST)  # fmt: skip
            x_BSC = x_BSC + mixed_BSC
            x_BSC = x_BSC + layer.ffn(layer.ffn_norm(x_BSC))
            present += [key, value]
        logits_BV = self.decoder.lm_head(self.decoder.norm(x_BSC[:, -1]))
        return logits_BV, logits_BV.argmax(-1, keepdim=True), *present


def _attend(
    attention: Attention, x_BSC: Tensor, tables: tuple[Tensor, Tensor], past: Sequence[Tensor], hidden_ST: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of the new positions to all, and all keys and values.

    Query heads of a group go in as if they were positions, so keys and values are never copied to as many heads.
    """
    B, S, D = x_BSC.shape[0], x_BSC.shape[1], attention.head_dim
    q_BHSD = rotate(attention.query(x_BSC).view(B, S, -1, D).transpose(1, 2), *tables)
    k_BKSD = rotate(attention.key(x_BSC).view(B, S, -1, D).transpose(1, 2), *tables)
    v_BKSD = attention.value(x_BSC).view(B, S, -1, D).transpose(1, 2)
    k_BKTD, v_BKTD = torch.cat((past[0], k_BKSD), 2), torch.cat((past[1], v_BKSD), 2)
    K = k_BKTD.shape[1]
    G = q_BHSD.shape[1] // K
    q_BKQD = (q_BHSD * D**-0.5).reshape(B, K, G * S, D)
    scores_BKQT = torch.matmul(q_BKQD, k_BKTD.transpose(2, 3))
    scores_BKQT = scores_BKQT.masked_fill(hidden_ST.repeat(G, 1), float("-inf"))
    mixed_BKQD = torch.matmul(torch.softmax(scores_BKQT, -1), v_BKTD)
    mixed_BSHD = mixed_BKQD.reshape(B, K * G, S, D).transpose(1, 2)
    return attention.output(mixed_BSHD.reshape(B, S, K * G * D)), k_BKTD, v_BKTD
