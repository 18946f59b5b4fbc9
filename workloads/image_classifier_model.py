"""The network of the workload ``image-classifier``, in plain PyTorch.

Shape suffixes: B batch, C channels, Y and X height and width, F features, N classes.
"""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from typing import cast

from torch import Generator, Tensor, nn
from torch.nn import functional

from workloads.image_classifier import BlockShape, ClassifierConfig, ConvShape
from workloads.initialization import fill_normal


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm."""

    def __init__(self, shape: ConvShape) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            shape.in_channels,
            shape.out_channels,
            shape.kernel,
            shape.stride,
            padding=shape.kernel // 2,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(shape.out_channels)

    def forward(self, x_BCYX: Tensor) -> Tensor:
        """[B, C, Y, X] to [B, C', Y', X']."""
        return cast(Tensor, self.norm(self.conv(x_BCYX)))


class Bottleneck(nn.Module):
    """1x1 to the block's width, 3x3 (with the stride), 1x1 to four times the width; plus shortcut."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        reduce, spatial, expand, *projection = shape.convs(in_size=1)
        self.reduce, self.spatial, self.expand = ConvNorm(reduce), ConvNorm(spatial), ConvNorm(expand)
        self.shortcut = ConvNorm(projection[0]) if projection else nn.Identity()

    def forward(self, x_BCYX: Tensor) -> Tensor:
        """[B, C, Y, X] to [B, C', Y', X']."""
        branch_BCYX = functional.relu(self.reduce(x_BCYX))
        branch_BCYX = functional.relu(self.spatial(branch_BCYX))
        return functional.relu(self.expand(branch_BCYX) + self.shortcut(x_BCYX))


class ImageClassifierModel(nn.Module):
    """``forward(pixels)`` [B, 3, Y, X] gives ``logits`` [B, N]."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = ConvNorm(config.stem(image_size=1))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(Bottleneck(shape) for shape in config.blocks()))
        self.classifier = nn.Linear(config.num_features, config.num_classes)

    def initialize(self, generator: Generator) -> None:
        """He normal kernels (arXiv:1502.01852, eq. 10), so made that comparing outputs means something.

        - Each kernel is centred to a sum of zero. After ReLU all values are positive, and what all
          images have in common would drown what tells them apart: every image would get the same
          class. A kernel that sums to zero passes the differences only.
        - The last batch norm of each block has the scale 1/sqrt(blocks). With 1 the residual stream
          doubles its variance at each block and rounding errors grow with depth until they hide
          the result (BF16 differs from FP32 by a third and more); with the customary 0 every block
          is an identity and adds no rounding errors at all.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fill_normal(module.weight, module.weight[0].numel(), generator, gain=2.0**0.5)
                module.weight -= module.weight.mean(dim=(1, 2, 3), keepdim=True)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1.0)
                module.bias.zero_()
                module.reset_running_stats()
            elif isinstance(module, nn.Linear):
                fill_normal(module.weight, module.in_features, generator)
                module.weight -= module.weight.mean(dim=1, keepdim=True)
                module.bias.zero_()
        for block in self.blocks:
            block.expand.norm.weight.fill_(len(self.blocks) ** -0.5)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of each image."""
        x_BCYX = self.blocks(self.pool(functional.relu(self.stem(pixels))))
        return cast(Tensor, self.classifier(x_BCYX.mean(dim=(2, 3))))
