"""The network of the workload ``text-encoder``, in plain PyTorch.

Shape suffixes: B batch, S sequence, C model width, F feed-forward width, H heads, D head width,
V vocabulary.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from workloads.initialization import fill_normal
from workloads.text_encoder import EncoderConfig
from workloads.tied_weights import TiedWeightsModule


class Embeddings(nn.Module):
    """Token, position and token-type embeddings, added and normed; every token is of type 0."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Embedding(config.max_positions, config.dim)
        self.token_type = nn.Embedding(config.num_token_types, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, input_ids_BS: Tensor) -> Tensor:
        """[B, S] to [B, S, C]."""
        positions_S = torch.arange(input_ids_BS.shape[1], device=input_ids_BS.device)
        types_BS = torch.zeros_like(input_ids_BS)
        x_BSC = self.token(input_ids_BS) + self.token_type(types_BS) + self.position(positions_S)
        return cast(Tensor, self.norm(x_BSC))


class Layer(nn.Module):
    """Self-attention and feed-forward, each added to its input and normed after that."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.dim // config.num_heads
        self.query = nn.Linear(config.dim, config.dim)
        self.key = nn.Linear(config.dim, config.dim)
        self.value = nn.Linear(config.dim, config.dim)
        self.output = nn.Linear(config.dim, config.dim)
        self.attention_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.up = nn.Linear(config.dim, config.ffn_dim)
        self.down = nn.Linear(config.ffn_dim, config.dim)
        self.ffn_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, x_BSC: Tensor) -> Tensor:
        """[B, S, C] to [B, S, C]."""
        x_BSC = self.attention_norm(x_BSC + self._attend(x_BSC))
        return cast(Tensor, self.ffn_norm(x_BSC + self.down(functional.gelu(self.up(x_BSC)))))

    def _attend(self, x_BSC: Tensor) -> Tensor:
        B, S, C = x_BSC.shape
        q_BHSD, k_BHSD, v_BHSD = (
            project(x_BSC).view(B, S, -1, self.head_dim).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed_BHSD = functional.scaled_dot_product_attention(q_BHSD, k_BHSD, v_BHSD)
        return cast(Tensor, self.output(mixed_BHSD.transpose(1, 2).reshape(B, S, C)))


class MaskedLanguageHead(nn.Module):
    """Dense, GELU, norm, then a decoder with a bias; the model ties its weight."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.transform = nn.Linear(config.dim, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.decoder = nn.Linear(config.dim, config.vocab_size)

    def forward(self, x_BSC: Tensor) -> Tensor:
        """[B, S, C] to [B, S, V]."""
        return cast(Tensor, self.decoder(self.norm(functional.gelu(self.transform(x_BSC)))))


class TextEncoderModel(TiedWeightsModule):
    """``forward(input_ids)`` [B, S] gives ``logits`` [B, S, V]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.head = MaskedLanguageHead(config)
        self.tie()

    def tied_modules(self) -> tuple[nn.Module, nn.Module]:
        """The token embedding and the decoder of the head."""
        return self.embeddings.token, self.head.decoder

    def initialize(self, generator: Generator) -> None:
        """Variance-keeping normal weights; norms 1 and 0; biases 0.

        The two products a layer adds to its input are scaled by 1/sqrt(2 * layers). Without that,
        attention (nearly uniform at random weights) averages the tokens away: with BERT-base every
        position gets the same top-1 token, and comparing outputs means little.
        """
        residual_gain = (2 * self.config.num_layers) ** -0.5
        for name, module in self.named_modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.fill_(1.0)
                module.bias.zero_()
            elif isinstance(module, nn.Embedding):
                fill_normal(module.weight, self.config.dim, generator)
            elif isinstance(module, nn.Linear):
                module.bias.zero_()
                gain = residual_gain if name.endswith((".output", ".down")) else 1.0
                if module is not self.head.decoder:
                    fill_normal(module.weight, module.in_features, generator, gain)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits at every position."""
        x_BSC = self.embeddings(input_ids)
        for layer in self.layers:
            x_BSC = layer(x_BSC)
        return cast(Tensor, self.head(x_BSC))
