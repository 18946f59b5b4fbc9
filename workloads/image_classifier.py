"""A residual convolutional network, ResNet-50 v1.5: what it is and how much work it does.

Bottleneck blocks (He et al., arXiv:1512.03385); "v1.5" means that a block which halves the
resolution does so in its 3x3 convolution, not in the first 1x1. Importing this module does not
import torch; the network is in ``image_classifier_model``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.errors import UsageError
from results.records import Phase, Work
from workloads.base import Preset, Size, WorkloadSpec
from workloads.requests import check_request, find_preset, min_trained_values, read_dimension, seeded_generator

if TYPE_CHECKING:
    from torch import Tensor, nn

NUM_COLORS = 3
# A block's output is this many times wider than its 3x3 convolution (He et al., table 1).
EXPANSION = 4
# Each stage works at 1/4, 1/8, 1/16 and 1/32 of the image size.
_TOTAL_STRIDE = 32


class ConvShape(NamedTuple):
    """One square convolution without bias: channels, kernel, stride and the input's side."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    in_size: int

    @property
    def out_size(self) -> int:
        """Side of the output with padding ``kernel // 2``."""
        return (self.in_size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def num_weights(self) -> int:
        """Numbers in the kernel."""
        return self.in_channels * self.out_channels * self.kernel**2

    @property
    def macs(self) -> int:
        """Multiply-adds for one image, the products with padding counted as any other."""
        return self.num_weights * self.out_size**2


class BlockShape(NamedTuple):
    """One bottleneck block: the channels that come in, its width, and the stride of its 3x3."""

    in_channels: int
    width: int
    stride: int

    @property
    def out_channels(self) -> int:
        """Channels that go out."""
        return EXPANSION * self.width

    @property
    def has_projection(self) -> bool:
        """Whether the shortcut needs a 1x1 convolution to fit the output."""
        return self.stride != 1 or self.in_channels != self.out_channels

    def convs(self, in_size: int) -> list[ConvShape]:
        """Its convolutions for inputs of this side; a projection comes last."""
        reduce = ConvShape(self.in_channels, self.width, 1, 1, in_size)
        spatial = ConvShape(self.width, self.width, 3, self.stride, in_size)
        expand = ConvShape(self.width, self.out_channels, 1, 1, spatial.out_size)
        convs = [reduce, spatial, expand]
        if self.has_projection:
            convs.append(ConvShape(self.in_channels, self.out_channels, 1, self.stride, in_size))
        return convs


class ClassifierConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The architecture, as ``Preset.model`` spells it.

    ``width`` is that of the stem and of the first stage's 3x3 convolutions; each further stage is
    twice as wide. ``depth1`` to ``depth4`` are the numbers of blocks.
    """

    width: int
    depth1: int
    depth2: int
    depth3: int
    depth4: int
    num_classes: int

    @property
    def num_features(self) -> int:
        """Channels before the classifier."""
        return 8 * self.width * EXPANSION

    def stem(self, image_size: int) -> ConvShape:
        """The first convolution, 7x7 with stride 2."""
        return ConvShape(NUM_COLORS, self.width, 7, 2, image_size)

    def blocks(self) -> Iterator[BlockShape]:
        """All blocks, from the stem to the classifier."""
        channels = self.width
        for stage, depth in enumerate((self.depth1, self.depth2, self.depth3, self.depth4)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                block = BlockShape(channels, self.width * 2**stage, stride)
                yield block
                channels = block.out_channels

    def convs(self, image_size: int) -> list[ConvShape]:
        """All convolutions for images of this side, the stem first."""
        stem = self.stem(image_size)
        convs = [stem]
        size = (stem.out_size - 1) // 2 + 1  # the 3x3 max pool, stride 2, padding 1
        for block in self.blocks():
            convs += block.convs(size)
            size = convs[-1].out_size
        return convs

    def min_values(self, phase: Phase, batch_size: int, image_size: int) -> int:
        """See ``Work.min_values``."""
        pixels = batch_size * NUM_COLORS * image_size**2
        if phase == "train":
            return min_trained_values(self.num_parameters, "sgd") + pixels + batch_size
        return self.num_parameters + pixels + batch_size * self.num_classes

    @property
    def num_parameters(self) -> int:
        """All trained numbers: kernels, two per channel of each batch norm, the classifier."""
        convs = self.convs(_TOTAL_STRIDE)
        norms = sum(2 * conv.out_channels for conv in convs)
        return sum(conv.num_weights for conv in convs) + norms + (self.num_features + 1) * self.num_classes


_RESNET50: dict[str, int | float] = {
    "width": 64,
    "depth1": 3,
    "depth2": 4,
    "depth3": 6,
    "depth4": 3,
    "num_classes": 1000,
}

_SPEC = WorkloadSpec(
    name="image-classifier",
    version=1,
    domain="vision",
    summary="ResNet-50 v1.5: image-classification training and inference",
    phases=("train", "infer"),
    item_unit="image",
    optimizer="sgd",
    learning_rate=1e-3,  # 0.1 for 256 images, scaled down to a few (Goyal et al., arXiv:1706.02677)
    presets={
        "tiny": Preset(
            summary="a bottleneck ResNet with five blocks and 64x64 images; for smoke tests",
            model={"width": 8, "depth1": 2, "depth2": 1, "depth3": 1, "depth4": 1, "num_classes": 10},
            shape={"image_size": 64},
            batch_size=2,
        ),
        "edge": Preset(
            summary="ResNet-50 v1.5, 25.6 M parameters, 224x224 images one at a time",
            model=_RESNET50,
            shape={"image_size": 224},
            batch_size=1,
        ),
        "standard": Preset(
            summary="ResNet-50 v1.5, 25.6 M parameters, 224x224 images in batches",
            model=_RESNET50,
            shape={"image_size": 224},
            batch_size=32,
        ),
    },
)


class ImageClassifier:
    """The workload ``image-classifier``.

    - ``infer``: ``forward(pixels)`` [B, 3, Y, X] gives logits [B, classes]; batch norms use their
      stored statistics.
    - ``train``: cross entropy against random classes; batch norms use the batch's statistics (the
      model must be in training mode).
    """

    spec: WorkloadSpec = _SPEC

    def config(self, preset: str) -> ClassifierConfig:
        """The architecture of a preset."""
        return msgspec.convert(find_preset(self.spec, preset).model, ClassifierConfig)

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``workloads.base``; an ``ImageClassifierModel``."""
        from workloads.image_classifier_model import ImageClassifierModel
        from workloads.initialization import build_seeded

        config = self.config(preset)
        generator = seeded_generator(self.spec, "weights", seed)
        return build_seeded(lambda: ImageClassifierModel(config), generator)

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """``pixels`` [B, 3, Y, X], standard normal, FP32; for ``train`` also ``labels`` [B], int64.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        import torch

        config, size = self._checked(preset, phase, batch_size, shape)
        generator = seeded_generator(self.spec, f"batch/{phase}", seed)
        cpu = torch.device("cpu")
        pixels_BCYX = torch.randn((batch_size, NUM_COLORS, size, size), generator=generator, device=cpu)
        if phase == "infer":
            return {"pixels": pixels_BCYX}
        labels_B = torch.randint(config.num_classes, (batch_size,), generator=generator, device=cpu)
        return {"pixels": pixels_BCYX, "labels": labels_B}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean cross entropy in nats per image, in FP32."""
        from torch.nn import functional

        return functional.cross_entropy(model(batch["pixels"]).float(), batch["labels"])

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """Exact counts; the convention is in ``results.records.Work``. ``bytes`` is not estimated.

        Training is three times the forward pass less one time the first convolution: nobody asks
        for the gradient of the images.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        config, size = self._checked(preset, phase, batch_size, shape)
        forward_macs = sum(conv.macs for conv in config.convs(size))
        forward_macs += config.num_features * config.num_classes
        macs = forward_macs
        if phase == "train":
            macs = 3 * forward_macs - config.stem(size).macs
        return Work(
            items=batch_size,
            item_unit="image",
            flops=2 * batch_size * macs,
            min_values=config.min_values(phase, batch_size, size),
        )

    def _checked(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> tuple[ClassifierConfig, int]:
        check_request(self.spec, phase, batch_size)
        config = self.config(preset)
        size = read_dimension(self.spec, shape, "image_size")
        if phase == "train" and batch_size == 1 and size <= _TOTAL_STRIDE:
            raise UsageError(
                f"{self.spec.name}: shape: image_size {size} leaves one value a channel in the last stage, "
                "which batch norm cannot train on; give a batch_size of 2 or an image_size above 32"
            )
        return config, size
