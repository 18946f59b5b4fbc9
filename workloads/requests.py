"""What every workload checks before it builds anything: preset, phase and shape.

Importing this module does not import torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from results.errors import UnknownNameError, UsageError
from results.records import Phase, Precision
from workloads.base import Preset, WorkloadSpec

if TYPE_CHECKING:
    from torch import Generator


def find_preset(spec: WorkloadSpec, name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        UnknownNameError: the workload has no such preset.
    """
    if name not in spec.presets:
        raise UnknownNameError("preset", name, spec.presets, where=spec.name)
    return spec.presets[name]


def check_request(spec: WorkloadSpec, phase: Phase, batch_size: int) -> None:
    """Refuse a phase the workload does not have and a batch that is not a positive number.

    Raises:
        UsageError: either of the two.
    """
    if phase not in spec.phases:
        raise UsageError(f"{spec.name}: no phase {phase!r}; choose from: {', '.join(spec.phases)}")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UsageError(f"{spec.name}: batch_size is {batch_size!r}; give a whole number of 1 or more")


def unsuited_reason(spec: WorkloadSpec, phase: Phase, precision: Precision) -> str:
    """Why the workload itself rules a case out, whatever the backend can do; ``""`` if it does not."""
    if phase not in spec.phases:
        return f"{spec.name} has no {phase} phase"
    if precision not in spec.precisions:
        return f"{spec.name} is defined in {', '.join(spec.precisions)} only"
    return ""


def min_trained_values(num_parameters: int, optimizer: str) -> int:
    """Numbers a training step moves at the least: every weight and all of the optimizer's state, read and written.

    AdamW keeps two numbers a weight, SGD with momentum one.
    """
    state = {"adamw": 2, "sgd": 1}[optimizer]
    return 2 * (1 + state) * num_parameters


def read_dimension(
    spec: WorkloadSpec, shape: Mapping[str, int], key: str, at_least: int = 1, at_most: int | None = None
) -> int:
    """One entry of a resolved shape, a whole number within its limits.

    Raises:
        UsageError: the entry is missing, no whole number, or outside its limits.
    """
    if key not in shape:
        raise UsageError(f"{spec.name}: shape has no {key!r}; give a whole number of {at_least} or more")
    size = shape[key]
    if not isinstance(size, int) or size < at_least or (at_most is not None and size > at_most):
        limits = f"of {at_least} or more" if at_most is None else f"from {at_least} to {at_most}"
        raise UsageError(f"{spec.name}: shape: {key} is {size!r}; give a whole number {limits}")
    return size


def seeded_generator(spec: WorkloadSpec, purpose: str, seed: int) -> Generator:
    """A CPU generator of its own for ``purpose``; the global one is neither read nor moved.

    Weights and inputs of one seed must not come from one stream: they would start with the same
    numbers and so be correlated. Hence the seed is mixed with the workload's name and the purpose.
    """
    import torch

    digest = hashlib.sha256(f"{spec.name}/{purpose}/{seed}".encode()).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(digest[:8], "big") >> 1)
