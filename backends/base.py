"""The contract of a backend: where and how a workload runs.

Backends are used inside worker processes only; importing a backend module must be cheap, and
constructing the backend object must not open a device. Third parties register a backend
under the entry-point group ``chipmark.backends``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np

from results.records import CaseSpec, Device, Support
from workloads.base import Workload

# How many different input batches a step rotates through.
NUM_ROTATING_BATCHES = 4
# How many steps the numerics gate compares at most: every rotating batch once (training: twice, so that
# learning, or none, shows in the last loss), or the first tokens of a cycle of decoding.
GATE_STEPS = {"train": 2 * NUM_ROTATING_BATCHES, "infer": NUM_ROTATING_BATCHES, "prefill": NUM_ROTATING_BATCHES,
              "decode": 8}  # fmt: skip
# Outputs that hold so many positions are enough: more of them would only cost memory.
GATE_POSITIONS = 50


def gate_is_enough(outputs: Sequence[Mapping[str, np.ndarray]]) -> bool:
    """Whether the outputs of the steps so far hold enough positions (rows of ``logits``) to judge."""
    logits = outputs[-1].get("logits") if outputs else None
    return logits is not None and len(outputs) * logits[..., 0].size >= GATE_POSITIONS


@runtime_checkable
class DeviceTimer(Protocol):
    """Device-side timestamps, for devices that have events."""

    name: str

    def mark(self) -> None:
        """Enqueue a timestamp; does not wait."""

    def elapsed_ns(self) -> list[int]:
        """Nanoseconds between consecutive marks since the last call; waits for the device."""


@runtime_checkable
class Step(Protocol):
    """A prepared case. ``run`` is what is timed: it must do one step and nothing else."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What really runs: dtypes of the matrix products, kernels, compiled or not, threads.
        JSON-able; read once after preparing and once after measuring. Reserved keys, moved to their
        own records: ``export_s`` (seconds spent exporting), ``peak_memory_bytes`` with
        ``peak_memory_scope`` (else the harness reports the process's peak).
        """

    def run(self, i: int) -> None:
        """Do step ``i`` with input batch ``i % NUM_ROTATING_BATCHES``.

        May return before the device is done. Steps are called with i = 0, 1, 2, ... without
        gaps; a cycle starts wherever ``i % work.steps == 0``.
        """

    def sync(self) -> None:
        """Block until the device has finished every step started so far."""

    def outputs(self) -> Mapping[str, np.ndarray]:
        """Float64 or float32 results of the last run: ``logits``, or ``loss`` (shape []).

        Only called outside timed regions, after :meth:`sync`.
        """

    def timer(self) -> DeviceTimer | None:
        """A fresh device timer, or None where the device has no events (CPU)."""


class FlopCount(NamedTuple):
    """FLOPs (2 per multiply-add of matrix products and convolutions), or None with the reason."""

    flops: int | None
    reason: str = ""


@runtime_checkable
class CountsFlops(Protocol):
    """What a :class:`Step` may offer beside its members: an independent count of its FLOPs."""

    def count_flops(self, first: int, steps: int) -> FlopCount:
        """Run steps ``first`` to ``first + steps - 1``, as :meth:`Step.run` does, and count their FLOPs.

        Only called outside of timed regions, after everything was measured; may be slow.
        """


@runtime_checkable
class Backend(Protocol):
    """Five members."""

    name: str

    def devices(self) -> list[Device]:
        """What is here, best first.

        Raises:
            BackendUnavailable: the backend cannot work here, with the reason and a hint.
        """

    def supports(self, workload: Workload, case: CaseSpec, device: Device) -> Support:
        """Native, emulated or unsupported, by probing the device. Never guesses native."""

    def prepare(self, workload: Workload, case: CaseSpec, device: Device) -> Step:
        """Build, cast, quantize, export, compile: everything that must not be timed."""

    def reference(
        self, workload: Workload, case: CaseSpec, device: Device
    ) -> tuple[str, Mapping[str, np.ndarray]] | None:
        """FP32 outputs of the first steps on the same inputs, stacked on axis 0 (``loss`` [K],
        ``logits`` [K, ...]), and what they were computed with. K is ``GATE_STEPS``; fewer where
        :func:`gate_is_enough` says so or where more would take long.

        None: this backend has no reference; the case is then marked ``not_checked``.
        """


class MissingDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that a backend knows but cannot use here.

    Attributes:
        device: its id, or the part of it before the colon.
        title: for people.
        hardware: what it would run on.
        reason: why it cannot be used, in one line.
        hint: what to install or set, or ``""``.
        installed: the software for it is here, so that its absence may surprise.
    """

    device: str
    title: str
    hardware: str
    reason: str
    hint: str = ""
    installed: bool = False


@runtime_checkable
class TellsMissing(Protocol):
    """What a :class:`Backend` may offer beside its members: the devices that it cannot use here."""

    def missing(self) -> list[MissingDevice]:
        """Every device it knows and that is not among its ``devices()``."""
