"""One matrix product: the most a device computes through a backend, at each precision.

It is measured like any other workload, so that every other case of the run can be held against
it (``results.ceilings``). Importing this module does not import torch; see ``gemm_model``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from results.errors import UsageError
from results.records import Phase, Work
from workloads.base import Preset, Size, WorkloadSpec
from workloads.requests import check_request, find_preset, read_dimension, seeded_generator

if TYPE_CHECKING:
    from torch import Tensor, nn


class GemmConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The weight, as ``Preset.model`` spells it: ``depth`` K is summed over, ``columns`` N come out."""

    depth: int
    columns: int

    @property
    def num_parameters(self) -> int:
        """Numbers in the weight."""
        return self.depth * self.columns


def _preset(summary: str, rows: int, depth: int, columns: int) -> Preset:
    return Preset(summary=summary, model={"depth": depth, "columns": columns}, shape={"rows": rows})


def _presets() -> dict[str, Preset]:
    """For each size a square product and two rectangular ones of as many FLOPs: what a chip does
    on one shape it may not do on another (mamf-finder in stas00/ml-engineering shows by how much).
    """
    presets = {}
    for size, n, purpose in (
        ("tiny", 384, "for smoke tests"),
        ("edge", 2048, "for laptops and small GPUs"),
        ("standard", 8192, "for datacenter accelerators"),
    ):
        presets[size] = _preset(f"{n} x {n} times {n} x {n}; {purpose}", n, n, n)
        presets[f"{size}-wide"] = _preset(
            f"{n} x {n // 2} times {n // 2} x {2 * n}: shallow, many columns", n, n // 2, 2 * n
        )
        presets[f"{size}-tall"] = _preset(f"{2 * n} x {n} times {n} x {n // 2}: many rows", 2 * n, n, n // 2)
    return presets


_SPEC = WorkloadSpec(
    name="gemm",
    version=1,
    domain="ceiling",
    summary="one matrix product: the ceiling of computing, at each precision",
    phases=("infer",),
    item_unit="matmul",
    has_top1=False,
    presets=_presets(),
)


class Gemm:
    """The workload ``gemm``: x [M, K] times a weight [K, N].

    It is a linear layer without bias, so that every precision takes the path that it takes in the
    other workloads (dynamic quantization of the activations included). M is ``shape["rows"]``
    times the batch size.
    """

    spec: WorkloadSpec = _SPEC

    def config(self, preset: str) -> GemmConfig:
        """The weight's size of a preset."""
        return msgspec.convert(find_preset(self.spec, preset).model, GemmConfig)

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``workloads.base``; a ``GemmModel``."""
        from workloads.gemm_model import GemmModel
        from workloads.initialization import build_seeded

        config = self.config(preset)
        generator = seeded_generator(self.spec, "weights", seed)
        return build_seeded(lambda: GemmModel(config), generator)

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """``x`` [M, K], standard normal, FP32.

        Never zeros: they toggle no transistors, so that a chip at its power limit multiplies them
        faster (an A100 by 15 %: thonking.ai, "Strangely, Matrix Multiplications on GPUs Run Faster").

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        import torch

        config, num_rows = self._checked(preset, phase, batch_size, shape)
        generator = seeded_generator(self.spec, f"batch/{phase}", seed)
        return {"x": torch.randn((num_rows, config.depth), generator=generator, device=torch.device("cpu"))}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """There is none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.spec.name}: has no loss, for it has no train phase")

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """2 M N K FLOPs exactly; at least every number of x, the weight and the product moves once.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        config, num_rows = self._checked(preset, phase, batch_size, shape)
        return Work(
            items=batch_size,
            item_unit="matmul",
            flops=2 * num_rows * config.num_parameters,
            min_values=num_rows * config.depth + config.num_parameters + num_rows * config.columns,
        )

    def _checked(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> tuple[GemmConfig, int]:
        check_request(self.spec, phase, batch_size)
        return self.config(preset), batch_size * read_dimension(self.spec, shape, "rows")
