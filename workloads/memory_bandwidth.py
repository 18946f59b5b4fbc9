"""Moving arrays: the most bytes a device reads and writes, as the copy and triad of STREAM.

McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers", IEEE TCCA
Newsletter, 1995. It is measured like any other workload, so that every other case of the run can
be held against it (``results.ceilings``). Importing this module does not import torch; see
``memory_bandwidth_model``.
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

ITEM_BYTES = 4  # FP32
MIB = 2**20


class BandwidthConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The kernel, as ``Preset.model`` spells it.

    ``num_inputs`` 1: copy, out = a. 2: triad, out = a + scale * b.
    """

    num_inputs: int
    scale: float = 1.0


_COPY: dict[str, int | float] = {"num_inputs": 1}
_TRIAD: dict[str, int | float] = {"num_inputs": 2, "scale": 3.0}


def _presets() -> dict[str, Preset]:
    presets = {}
    for size, array_mib in (("tiny", 64), ("edge", 256), ("standard", 512)):
        for name, model, text in (("copy", _COPY, "out = a"), ("triad", _TRIAD, "out = a + 3 b")):
            summary = f"{text} over FP32 arrays of {array_mib} MiB"
            presets[f"{size}-{name}"] = Preset(summary=summary, model=model, shape={"array_mib": array_mib})
    return presets


_SPEC = WorkloadSpec(
    name="memory-bandwidth",
    version=1,
    domain="ceiling",
    summary="copy and triad over large arrays: the ceiling of moving bytes",
    phases=("infer",),
    item_unit="byte",
    has_top1=False,
    presets=_presets(),
    precisions=("fp32",),
    exportable=False,
)


class MemoryBandwidth:
    """The workload ``memory-bandwidth``.

    One step reads one array (copy) or two (triad) and writes one, which was allocated before: a
    new one every step would measure the allocator and page faults. The bytes are those read and
    written by definition; a cache that reads a line before it is overwritten (write-allocate)
    moves more than is counted, as in STREAM. A step has no matrix products, so no FLOPs.
    The output is compared with the reference by a sample spread over the whole array.
    """

    spec: WorkloadSpec = _SPEC

    def config(self, preset: str) -> BandwidthConfig:
        """The kernel of a preset."""
        return msgspec.convert(find_preset(self.spec, preset).model, BandwidthConfig)

    def model(self, preset: str, seed: int) -> nn.Module:
        """See ``workloads.base``; a ``MemoryBandwidthModel``. It has no weights, so no ``seed``."""
        from workloads.memory_bandwidth_model import MemoryBandwidthModel

        return MemoryBandwidthModel(self.config(preset)).eval()

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        """``a``, for the triad also ``b``: [values], standard normal, FP32.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        import torch

        config, num_bytes = self._checked(preset, phase, batch_size, shape)
        generator = seeded_generator(self.spec, f"batch/{phase}", seed)
        names, cpu = ("a", "b")[: config.num_inputs], torch.device("cpu")
        return {name: torch.randn(num_bytes // ITEM_BYTES, generator=generator, device=cpu) for name in names}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """There is none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.spec.name}: has no loss, for it has no train phase")

    def work(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> Work:
        """Bytes read and written, exactly: two arrays for the copy, three for the triad.

        Raises:
            UsageError: a phase, batch size or shape that the workload cannot do.
        """
        config, num_bytes = self._checked(preset, phase, batch_size, shape)
        moved = (config.num_inputs + 1) * num_bytes
        return Work(items=moved, item_unit="byte", flops=0, bytes=moved)

    def _checked(self, preset: str, phase: Phase, batch_size: int, shape: Size) -> tuple[BandwidthConfig, int]:
        check_request(self.spec, phase, batch_size)
        return self.config(preset), batch_size * MIB * read_dimension(self.spec, shape, "array_mib")
