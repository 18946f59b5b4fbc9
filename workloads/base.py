"""The contract of a workload: what runs, independent of where.

Importing this module or a workload's spec module must not import torch; the methods that
build models and tensors import it when called.

Third parties register a workload under the entry-point group ``chipmark.workloads``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import msgspec

from results.records import PRECISIONS, Phase, Precision, Work

if TYPE_CHECKING:
    from torch import Tensor, nn

Size = Mapping[str, int]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A named size. ``model`` fixes the architecture; ``shape`` may be overridden in a suite."""

    summary: str
    model: dict[str, int | float]
    shape: dict[str, int]
    batch_size: int = 1


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload is. ``version`` rises whenever what is computed changes.

    ``item_unit`` is what throughput counts. ``has_top1`` says that the last axis of the output
    ``logits`` ranks classes, so that top-1 agreement means something. ``precisions`` are those in
    which the workload has a meaning. ``exportable``: the forward pass is a function of its inputs
    alone, so that it can be exported and compiled; false where it writes into memory it keeps.
    ``exports_cache``: its model is an :class:`ExportsCache`.
    """

    name: str
    version: int
    domain: str  # language, vision, ...
    summary: str
    phases: tuple[Phase, ...]
    presets: dict[str, Preset]
    item_unit: str
    has_top1: bool = True
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    precisions: tuple[Precision, ...] = PRECISIONS
    exportable: bool = True
    exports_cache: bool = False


@runtime_checkable
class Workload(Protocol):
    """Five members. Everything is deterministic in its arguments."""

    spec: WorkloadSpec

    def model(self, preset: str, seed: int) -> nn.Module:
        """The model in FP32 on the CPU, in eval mode, with weights drawn from ``seed``; a new one at every call.

        ``forward(**batch)`` takes what :meth:`batch` returns for ``infer`` (or ``prefill``) and
        returns one tensor, ``logits``. A model with a ``decode`` phase is a
        :class:`CachedDecoder`.
        """

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """Inputs on the CPU: seeded, never zeros; floating point inputs are standard normal.

        For ``train`` the labels are included.
        """

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The scalar training loss of a ``train`` batch, computed through ``model``."""

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """What one cycle of steps does, analytically; exact integers, without torch."""


@runtime_checkable
class CachedDecoder(Protocol):
    """What a model with ``prefill`` and ``decode`` phases offers beside ``nn.Module``."""

    def new_cache(self, batch_size: int, max_length: int) -> list[tuple[Tensor, Tensor]]:
        """An empty key/value cache on the model's device and in its dtype, one pair a layer."""

    def extend(self, input_ids: Tensor, cache: list[tuple[Tensor, Tensor]], position: int) -> Tensor:
        """Append ``input_ids`` [B, S] at ``position``; return logits [B, V] of the last one.

        Keys and values are written into ``cache`` in place; earlier positions are attended to.
        """


@runtime_checkable
class ExportsCache(Protocol):
    """What a :class:`CachedDecoder` offers so that its cache can be the input and output of a graph."""

    def with_flat_cache(self) -> nn.Module:
        """A module of the same weights: ``forward(input_ids, past) -> (logits, next_token, *present)``.

        ``input_ids`` [B, S]; ``past`` is a list of key and value of each layer in turn, each [B, K, P, D], where P
        may be 0; ``logits`` [B, V] of the last position, ``next_token`` [B, 1] its greedy choice; ``present`` as
        ``past``, each [B, K, P + S, D]. Lengths are read from the shapes, in a way that can be exported.
        """
