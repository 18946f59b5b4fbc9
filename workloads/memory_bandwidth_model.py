"""The network of the workload ``memory-bandwidth``: no weights, one kernel, one array it keeps.

Shape suffix: V values of an array.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.memory_bandwidth import BandwidthConfig

# Every so many values one goes into the output's sample; a prime, so that all places within a
# cache line, a page and a thread's share have their turn.
SAMPLE_STRIDE = 4099


class MemoryBandwidthModel(nn.Module):
    """``forward(a)`` copies, ``forward(a, b)`` adds; both write all of ``out`` and return a sample of it."""

    def __init__(self, config: BandwidthConfig) -> None:
        super().__init__()
        self.config = config
        # Not a buffer: its size is that of the inputs, so it is made when they are known.
        self.out: Tensor | None = None

    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        """[V] to a strided view of the output, without copying it."""
        if self.out is None:
            self.out = torch.empty_like(a)
        if b is None:
            self.out.copy_(a)
        else:
            torch.add(a, b, alpha=self.config.scale, out=self.out)
        return self.out[::SAMPLE_STRIDE]
