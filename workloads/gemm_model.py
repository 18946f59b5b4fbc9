"""The network of the workload ``gemm``: one linear layer.

Shape suffixes: M rows, K depth, N columns.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from typing import cast

from torch import Generator, Tensor, nn

from workloads.gemm import GemmConfig
from workloads.initialization import fill_normal


class GemmModel(nn.Module):
    """``forward(x)`` [M, K] gives ``logits`` [M, N]."""

    def __init__(self, config: GemmConfig) -> None:
        super().__init__()
        self.product = nn.Linear(config.depth, config.columns, bias=False)

    def initialize(self, generator: Generator) -> None:
        """Normal weights that keep the variance of x."""
        fill_normal(self.product.weight, self.product.in_features, generator)

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        return cast(Tensor, self.product(x))
