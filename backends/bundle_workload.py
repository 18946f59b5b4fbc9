"""A workload whose large weights and inputs come from streams, so that a device can make them again without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from backends.bundle_weights import stream_values
from results.records import Phase, Work
from workloads.base import Size, Workload, WorkloadSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

# Smaller tensors are kept as they are: 64 KiB in FP32.
MIN_VALUES = 16_384
# Smaller inputs are kept as they are: 1 MiB in FP32. By contract, floating point inputs are standard normal.
MIN_INPUTS = 262_144
# Raise when other weights come out.
STREAMS_VERSION = 2
# A mean this many standard errors from 0 is not chance.
_MAX_MEAN = 6.0
# Products with larger ones leave FP32; no initialisation draws such.
_MAX_SD = 1e6


class BundleWorkload:
    """``workloads.base.Workload``: all of the one it is made from but the values of large random weights and inputs.

    They are normal, with mean 0 and the standard deviation that the workload's own initialisation gave. Parameters
    of another mean or with values that are not finite are kept, and so are buffers (tables, running statistics).

    Attributes:
        weights: names what the weights are, for the key of cached exports.
    """

    weights = f"streams {STREAMS_VERSION}"

    def __init__(self, workload: Workload) -> None:
        self.spec: WorkloadSpec = workload.spec
        self.inner = workload
        self._sds: dict[str, float] = {}

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``Workload``."""
        import torch

        model = self.inner.model(preset, seed)
        with torch.no_grad():
            for name, tensor in self._large(model).items():
                sd = float(np.float32(tensor.std(correction=0).item()))
                tensor.copy_(torch.from_numpy(stream_values(self.stream_name(preset, seed, name), tensor.shape, sd)))
                self._sds[self.stream_name(preset, seed, name)] = sd
        return model

    def stream_name(self, preset: str, seed: int, tensor: str) -> str:
        """The name of a weight's stream, which says all that its values depend on but shape and deviation."""
        spec = self.spec
        return f"{spec.name}/{spec.version}/{preset}/{seed}/{tensor}/{STREAMS_VERSION}"

    def streams(self, preset: str, seed: int) -> dict[str, tuple[float, np.ndarray]]:
        """Stream name -> standard deviation and values of every large weight."""
        model = self.model(preset, seed)
        return {
            (name := self.stream_name(preset, seed, key)): (self._sds[name], tensor.numpy())
            for key, tensor in self._large(model).items()
        }

    def _large(self, model: nn.Module) -> dict[str, Tensor]:
        """Large random parameters, each storage once (tied ones by their first name)."""
        found: dict[int, tuple[str, Tensor]] = {}
        for name, parameter in model.named_parameters():
            if parameter.numel() >= MIN_VALUES and _is_random(parameter.data):
                found.setdefault(parameter.data_ptr(), (name, parameter.data))
        return dict(found.values())

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """See ``Workload``; large floating point inputs are streams."""
        import torch

        batch = self.inner.batch(preset, phase, batch_size, shape, seed)
        for name, tensor in batch.items():
            if tensor.is_floating_point() and tensor.numel() >= MIN_INPUTS:
                stream = self.input_name(preset, phase, batch_size, shape, seed, name)
                batch[name] = torch.from_numpy(stream_values(stream, tensor.shape, 1.0))
        return batch

    def input_name(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int, tensor: str) -> str:
        """The name of an input's stream."""
        sizes = ",".join(f"{key}={value}" for key, value in sorted({"batch_size": batch_size, **shape}.items()))
        return f"{self.spec.name}/{self.spec.version}/{preset}/{phase}/{sizes}/{seed}/{tensor}/{STREAMS_VERSION}"

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """See ``Workload``."""
        return self.inner.loss(model, batch)

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """See ``Workload``."""
        return self.inner.work(preset, phase, batch_size, shape)


def _is_random(values: Tensor) -> bool:
    """Finite values that vary around 0, as an initialisation draws them."""
    if not values.is_floating_point() or not bool(values.isfinite().all()):
        return False
    sd, mean = float(values.std(correction=0)), float(values.mean())
    return 0 < sd < _MAX_SD and abs(mean) <= _MAX_MEAN * sd / values.numel() ** 0.5
