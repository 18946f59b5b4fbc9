"""FP8 and INT8 through torchao: what is converted, what is not, and why not.

Recipes: INT8 inference is dynamic per-token activations with per-channel weights; FP8 inference
is dynamic activations and weights, per tensor; FP8 training is torchao.float8 with dynamic
per-tensor scaling (e4m3 forward, e5m2 gradients). All of them convert ``nn.Linear`` only.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from results.records import Phase, Precision

INSTALL_HINT = "pip install torchao"
FP8_MULTIPLE = 16  # torch._scaled_mm takes operands whose widths are multiples of this
# Who writes to the log while torchao is imported: extension modules built for other machines.
_NOISY_LOGGERS = ("torchao", "torch.utils._pytree")


class ConversionError(Exception):
    """torchao is missing or refuses; the text is the reason."""


class Converted(NamedTuple):
    """A converted model and how many of its linear layers were converted."""

    model: nn.Module
    num_linear: int
    num_converted: int


def convert(model: nn.Module, precision: Precision, phase: Phase) -> Converted:
    """Convert the linear layers of ``model`` in place, or a root that is one into another.

    Raises:
        ConversionError: torchao is missing, refuses, or has no recipe.
    """
    num_linear = sum(isinstance(module, nn.Linear) for module in model.modules())
    if precision == "fp8" and phase == "train":
        model = _to_float8_training(model)
    else:
        _quantize(model, precision)
    num_converted = sum(is_converted(module) for module in model.modules())
    return Converted(model, num_linear, num_converted)


def is_converted(module: nn.Module) -> bool:
    """Whether torchao has taken over this layer's products."""
    if type(module).__name__ == "Float8Linear":
        return True
    return isinstance(module, nn.Linear) and is_traceable_wrapper_subclass(module.weight)


def missing_reason() -> str | None:
    """Why torchao cannot be used, or None."""
    if importlib.util.find_spec("torchao") is None:
        return f"torchao is not installed; {INSTALL_HINT}"
    return None


def _quantize(model: nn.Module, precision: Precision) -> None:
    quantization = _torchao("torchao.quantization")
    name = {
        "int8": "Int8DynamicActivationInt8WeightConfig",
        "fp8": "Float8DynamicActivationFloat8WeightConfig",
    }[precision]
    if not hasattr(quantization, name):
        raise ConversionError(f"this torchao has no {name}; pip install --upgrade torchao")
    _attempt(lambda: quantization.quantize_(model, getattr(quantization, name)()))


def _to_float8_training(model: nn.Module) -> nn.Module:
    float8 = _torchao("torchao.float8")
    # The weight gradient sums over tokens, whatever their number: let torchao pad that dimension.
    config = float8.Float8LinearConfig(pad_inner_dim=True)
    return _attempt(lambda: float8.convert_to_float8_training(model, module_filter_fn=_fits_fp8, config=config))


def _fits_fp8(module: nn.Module, name: str) -> bool:
    return bool(module.in_features % FP8_MULTIPLE == 0 and module.out_features % FP8_MULTIPLE == 0)


def _attempt(action: Callable[[], Any]) -> Any:
    """Run a torchao call; it refuses devices and shapes by AssertionError and others alike.

    Running out of memory is no refusal and goes through.
    """
    try:
        with _quiet():
            return action()
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or "no message"
        raise ConversionError(f"torchao refuses: {type(error).__name__}: {text[:300]}") from error


@functools.cache
def _torchao(name: str) -> Any:
    reason = missing_reason()
    if reason:
        raise ConversionError(reason)
    try:
        with _quiet():
            return importlib.import_module(name)
    except Exception as error:
        raise ConversionError(f"torchao cannot be imported: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what torchao logs when it is imported and used; errors still come through."""
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
