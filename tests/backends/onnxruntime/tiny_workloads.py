"""Two small workloads: a convolutional classifier, and a causal attention net with a prefill phase.

Shape suffixes: B batch, S sequence, C channels, H heads, K head size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from results.records import CaseSpec, Phase, Precision, Scalar, Work
from workloads.base import Preset, Size, WorkloadSpec

VOCABULARY = 64


class ConvNet(nn.Module):
    """Convolution, batch normalization, a hidden layer with an ignored input beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8 * 6 * 6, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, image: Tensor, ignored: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(image)))
        return self.head(torch.relu(self.hidden(x.flatten(1))))


class AttentionNet(nn.Module):
    """One causal attention layer, with as much of a decoder's interface as prefilling needs."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.qkv = nn.Linear(32, 96)
        self.out = nn.Linear(32, 32)
        self.head = nn.Linear(32, VOCABULARY)

    def forward(self, input_ids: Tensor, last_only: bool = False) -> Tensor:
        x_BSC = self.embedding(input_ids)
        batch, length, _ = x_BSC.shape
        q_BHSK, k_BHSK, v_BHSK = self.qkv(x_BSC).view(batch, length, 3, 2, 16).permute(2, 0, 3, 1, 4)
        y_BHSK = nn.functional.scaled_dot_product_attention(q_BHSK, k_BHSK, v_BHSK, is_causal=True)
        x_BSC = x_BSC + self.out(y_BHSK.transpose(1, 2).reshape(batch, length, 32))
        return self.head(x_BSC[:, -1] if last_only else x_BSC)

    def extend(self, input_ids: Tensor, cache: list[tuple[Tensor, Tensor]], position: int) -> Tensor:
        return AttentionNet.forward(self, input_ids, last_only=True)

    def new_cache(self, batch_size: int, max_length: int) -> list[tuple[Tensor, Tensor]]:
        return []


class PlainAttentionNet(AttentionNet):
    """The same without ``last_only``."""

    def forward(self, input_ids: Tensor) -> Tensor:
        return super().forward(input_ids)


class DataDependentNet(ConvNet):
    """Branches on a value, which no export can follow."""

    def forward(self, image: Tensor, ignored: Tensor) -> Tensor:
        return super().forward(image if image.sum() > 0 else -image, ignored)


class TinyWorkload:
    """A workload around one of the nets."""

    phases: tuple[Phase, ...] = ("train", "infer")
    net: type[nn.Module] = ConvNet
    shape: dict[str, int] = {"size": 6}

    def __init__(self) -> None:
        self.spec = WorkloadSpec(
            name=self.net.__name__,
            version=1,
            domain="test",
            summary="a tiny net",
            phases=self.phases,
            presets={"tiny": Preset(summary="the only one", model={}, shape=self.shape)},
            item_unit="sample",
        )

    def model(self, preset: str, seed: int) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = self.net()
            if isinstance(model, ConvNet):  # statistics that do something
                model.norm.running_mean.normal_()
                model.norm.running_var.uniform_(0.5, 2)
        return model.eval()

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        size = (batch_size, 3, shape["size"], shape["size"])
        return {
            "image": torch.randn(size, generator=generator),
            "ignored": torch.randn(batch_size, generator=generator),
        }

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return model(**batch).square().mean()

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        return Work(items=batch_size, item_unit="sample", flops=1)


class TinyDecoder(TinyWorkload):
    phases = ("infer", "prefill", "decode")
    net = AttentionNet
    shape = {"sequence_length": 12}

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        size = (batch_size, shape["sequence_length"])
        return {"input_ids": torch.randint(VOCABULARY, size, generator=generator)}


class PlainDecoder(TinyDecoder):
    net = PlainAttentionNet


class UnexportableWorkload(TinyWorkload):
    net = DataDependentNet


def case_of(
    workload: TinyWorkload,
    phase: Phase = "infer",
    precision: Precision = "fp32",
    seed: int = 0,
    batch_size: int = 2,
    **options: Scalar,
) -> CaseSpec:
    return CaseSpec(
        workload=workload.spec.name,
        workload_version=1,
        phase=phase,
        preset="tiny",
        precision=precision,
        batch_size=batch_size,
        shape=dict(workload.shape),
        backend="onnxruntime",
        device="cpu",
        options={"threads": 1, **options},
        seed=seed,
    )
