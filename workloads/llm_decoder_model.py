"""The network of the workload ``llm-decoder``, in plain PyTorch.

Shape suffixes: B batch, S new positions, T all positions so far, C model width, F feed-forward
width, H query heads, K key/value heads, G query heads per key/value head, D head width, R half
the head width, V vocabulary, P all positions a model can address.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from workloads.initialization import fill_normal
from workloads.llm_decoder import DecoderConfig
from workloads.tied_weights import TiedWeightsModule

Cache = list[tuple[Tensor, Tensor]]


class RmsNorm(nn.Module):
    """Root mean square norm (Zhang and Sennrich, arXiv:1910.07467), computed in FP32."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x_BSC: Tensor) -> Tensor:
        """The normed input, in the input's dtype, times the weight."""
        wide_BSC = x_BSC.float()
        scale_BS1 = torch.rsqrt(wide_BSC.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * (wide_BSC * scale_BS1).to(x_BSC.dtype)


class RotaryTables(nn.Module):
    """Cosines and sines of rotary position embedding (Su et al., arXiv:2104.09864), always FP32.

    A BF16 table would be wrong by up to 2^-9 at every position, so casting the model must not
    cast the tables: whenever the module is moved or cast they are computed anew in FP32.
    """

    def __init__(self, num_positions: int, head_dim: int, theta: float) -> None:
        super().__init__()
        self.num_positions, self.head_dim, self.theta = num_positions, head_dim, theta
        empty_PR = torch.empty(num_positions, head_dim // 2, dtype=torch.float32)
        self.register_buffer("cos_PR", empty_PR, persistent=False)
        self.register_buffer("sin_PR", empty_PR, persistent=False)
        self._fill(empty_PR.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RotaryTables:
        super()._apply(fn, recurse)
        self._fill(next(self.buffers()).device)
        return self

    def _fill(self, device: torch.device) -> None:
        """Angles in FP64 on the CPU, tables in FP32 on ``device``."""
        exponents_R = torch.arange(0, self.head_dim, 2, dtype=torch.float64, device="cpu") / self.head_dim
        positions_P = torch.arange(self.num_positions, dtype=torch.float64, device="cpu")
        angles_PR = torch.outer(positions_P, self.theta**-exponents_R)
        self.cos_PR = angles_PR.cos().float().to(device)
        self.sin_PR = angles_PR.sin().float().to(device)

    def forward(self, position: int, length: int) -> tuple[Tensor, Tensor]:
        """Tables of positions ``position`` to ``position + length - 1``, each [S, R].

        Raises:
            ValueError: the model does not have so many positions.
        """
        end = position + length
        if end > self.num_positions:
            raise ValueError(f"position {end - 1} is asked for, the model ends at {self.num_positions - 1}")
        return self.cos_PR[position:end], self.sin_PR[position:end]


def rotate(x_BHSD: Tensor, cos_SR: Tensor, sin_SR: Tensor) -> Tensor:
    """Rotate the pairs (i, i + D/2) of each head, in FP32; the result has the input's dtype."""
    first_BHSR, second_BHSR = x_BHSD.float().chunk(2, dim=-1)
    turned_BHSD = torch.cat(
        (first_BHSR * cos_SR - second_BHSR * sin_SR, second_BHSR * cos_SR + first_BHSR * sin_SR), dim=-1
    )
    return turned_BHSD.to(x_BHSD.dtype)


def grouped_attention(q_BHSD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor) -> Tensor:
    """Causal attention of the last S of T positions, H / K query heads to one key/value head.

    One query position needs no mask, and its query heads of a group go in as if they were
    positions, so keys and values are read once and never copied. Several positions get copies of
    the heads: fused kernels exist for equal head counts in every dtype, for grouped ones only
    in some (the others fall back to unfused attention).
    """
    B, H, S, D = q_BHSD.shape
    K, T = k_BKTD.shape[1:3]
    if S == 1:
        q_BKGD = q_BHSD.reshape(B, K, H // K, D)
        mixed_BKGD = functional.scaled_dot_product_attention(q_BKGD, k_BKTD, v_BKTD)
        return cast(Tensor, mixed_BKGD.reshape(B, H, 1, D))
    k_BHTD = k_BKTD.repeat_interleave(H // K, dim=1) if H != K else k_BKTD
    v_BHTD = v_BKTD.repeat_interleave(H // K, dim=1) if H != K else v_BKTD
    if S == T:
        return cast(Tensor, functional.scaled_dot_product_attention(q_BHSD, k_BHTD, v_BHTD, is_causal=True))
    visible_ST = torch.ones(S, T, dtype=torch.bool, device=q_BHSD.device).tril(diagonal=T - S)
    return cast(Tensor, functional.scaled_dot_product_attention(q_BHSD, k_BHTD, v_BHTD, attn_mask=visible_ST))


class Attention(nn.Module):
    """Grouped-query self-attention (Ainslie et al., arXiv:2305.13245) with rotary positions."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        kv_dim = config.num_kv_heads * config.head_dim
        self.query = nn.Linear(config.dim, config.dim, bias=False)
        self.key = nn.Linear(config.dim, kv_dim, bias=False)
        self.value = nn.Linear(config.dim, kv_dim, bias=False)
        self.output = nn.Linear(config.dim, config.dim, bias=False)

    def forward(
        self,
        x_BSC: Tensor,
        tables: tuple[Tensor, Tensor],
        cached: tuple[Tensor, Tensor] | None = None,
        position: int = 0,
    ) -> Tensor:
        """Attend to these positions and, with ``cached``, to all before them."""
        B, S, _ = x_BSC.shape
        q_BHSD = rotate(self.query(x_BSC).view(B, S, -1, self.head_dim).transpose(1, 2), *tables)
        k_BKTD = rotate(self.key(x_BSC).view(B, S, -1, self.head_dim).transpose(1, 2), *tables)
        v_BKTD = self.value(x_BSC).view(B, S, -1, self.head_dim).transpose(1, 2)
        if cached is not None:
            end = position + S
            cached[0][:, :, position:end] = k_BKTD
            cached[1][:, :, position:end] = v_BKTD
            k_BKTD, v_BKTD = cached[0][:, :, :end], cached[1][:, :, :end]
        mixed_BHSD = grouped_attention(q_BHSD, k_BKTD, v_BKTD)
        return cast(Tensor, self.output(mixed_BHSD.transpose(1, 2).reshape(B, S, -1)))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer, arXiv:2002.05202)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.up = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.down = nn.Linear(config.ffn_dim, config.dim, bias=False)

    def forward(self, x_BSC: Tensor) -> Tensor:
        """[B, S, C] to [B, S, C]."""
        return cast(Tensor, self.down(functional.silu(self.gate(x_BSC)) * self.up(x_BSC)))


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and added to the residual stream."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.dim, config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = RmsNorm(config.dim, config.norm_eps)
        self.ffn = FeedForward(config)

    def forward(
        self,
        x_BSC: Tensor,
        tables: tuple[Tensor, Tensor],
        cached: tuple[Tensor, Tensor] | None = None,
        position: int = 0,
    ) -> Tensor:
        """[B, S, C] to [B, S, C]."""
        x_BSC = x_BSC + self.attention(self.attention_norm(x_BSC), tables, cached, position)
        return cast(Tensor, x_BSC + self.ffn(self.ffn_norm(x_BSC)))


class LlmDecoderModel(TiedWeightsModule):
    """A ``workloads.base.CachedDecoder`` and ``ExportsCache``."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.rotary = RotaryTables(config.max_positions, config.head_dim, config.rope_theta)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = RmsNorm(config.dim, config.norm_eps)
        self.lm_head = nn.Linear(config.dim, config.vocab_size, bias=False)
        if config.tied_embeddings:
            self.tie()

    def tied_modules(self) -> tuple[nn.Module, nn.Module]:
        """The embedding and the LM head; tied only if the configuration says so."""
        return self.embedding, self.lm_head

    def initialize(self, generator: Generator) -> None:
        """Variance-keeping normal weights, so that attention and logits have unit-size spread.

        The two products that feed the residual stream are scaled by 1/sqrt(2 * layers), which
        keeps its variance independent of depth (Radford et al., GPT-2, 2019, section 2.3).
        """
        residual_gain = (2 * self.config.num_layers) ** -0.5
        fill_normal(self.embedding.weight, self.config.dim, generator)
        for name, module in self.named_modules():
            if isinstance(module, RmsNorm):
                module.weight.fill_(1.0)
            elif isinstance(module, nn.Linear) and module.weight is not self.embedding.weight:
                gain = residual_gain if name.endswith((".output", ".down")) else 1.0
                fill_normal(module.weight, module.in_features, generator, gain)

    def forward(self, input_ids: Tensor, last_only: bool = False) -> Tensor:
        """Logits [B, S, V] of ``input_ids`` [B, S]; with ``last_only`` [B, V] of the last position."""
        tables = self.rotary(0, input_ids.shape[1])
        x_BSC = self.embedding(input_ids)
        for layer in self.layers:
            x_BSC = layer(x_BSC, tables)
        return cast(Tensor, self.lm_head(self.norm(x_BSC[:, -1] if last_only else x_BSC)))

    def new_cache(self, batch_size: int, max_length: int) -> Cache:
        """Zeroed keys and values, one pair a layer, each [B, K, max_length, D]."""
        like = self.norm.weight  # never quantized, so it tells the model's dtype and device
        shape = (batch_size, self.config.num_kv_heads, max_length, self.config.head_dim)
        return [(like.new_zeros(shape), like.new_zeros(shape)) for _ in self.layers]

    def extend(self, input_ids: Tensor, cache: Cache, position: int) -> Tensor:
        """See ``workloads.base.CachedDecoder``; no gradients.

        Raises:
            ValueError: the cache or the model has too few positions.
        """
        end = position + input_ids.shape[1]
        if end > cache[0][0].shape[2]:
            raise ValueError(f"the cache holds {cache[0][0].shape[2]} positions, {end} are needed")
        with torch.no_grad():
            tables = self.rotary(position, input_ids.shape[1])
            x_BSC = self.embedding(input_ids)
            for layer, cached in zip(self.layers, cache, strict=True):
                x_BSC = layer(x_BSC, tables, cached, position)
            return cast(Tensor, self.lm_head(self.norm(x_BSC[:, -1])))

    def with_flat_cache(self) -> nn.Module:
        """See ``workloads.base.ExportsCache``."""
        from workloads.llm_decoder_flat import FlatCacheDecoder

        return FlatCacheDecoder(self).eval()
