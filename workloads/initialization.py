"""Build a module without running its default initialisation first.

Default initialisation would draw from the global random number generator, and for a billion
parameters it costs as long as our own. Modules are therefore built without storage ("meta"
device), given uninitialised storage, and then filled by their own ``initialize(generator)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Generator, Tensor


class Initializable(Protocol):
    """A module that can fill all of its parameters and buffers."""

    def initialize(self, generator: Generator) -> None:
        """Draw every parameter from ``generator``, in a fixed order; set every buffer."""

    def to_empty(self, *, device: str) -> object:
        """As in ``torch.nn.Module``."""

    def eval(self) -> object:
        """As in ``torch.nn.Module``."""


M = TypeVar("M", bound=Initializable)


def build_seeded(construct: Callable[[], M], generator: Generator) -> M:
    """The module that ``construct`` makes, in FP32 on the CPU, in eval mode, filled from ``generator``."""
    with torch.device("meta"):
        module = construct()
    module.to_empty(device="cpu")
    with torch.no_grad():
        module.initialize(generator)
    module.eval()
    return module


def fill_normal(weight: Tensor, fan_in: int, generator: Generator, gain: float = 1.0) -> None:
    """Draw ``weight`` from N(0, gain^2 / fan_in), in place.

    With ``gain`` 1 a linear map keeps the variance of inputs of zero mean (LeCun et al.,
    "Efficient BackProp", 1998, section 4.6).
    """
    weight.normal_(0.0, gain * fan_in**-0.5, generator=generator)
