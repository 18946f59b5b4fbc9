"""The contract of a power meter. Third parties: entry-point group ``chipmark.meters``.

A meter reads one or more scopes of one device. It is probed once in a worker, then started and
stopped around each pass: ``start`` comes while the load already runs or is about to, ``stop`` when
it still runs or has just ended, and the window says which part of the time between counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from results.record import Record
from results.records import Device, EnergyReading


class Capability(Record, frozen=True, kw_only=True):
    """What a meter can read of a device here, or why not.

    ``reason`` is empty if it can be read. Periods are seconds, as documented for the sensor; None is
    "not known" (it is inferred while measuring).

    Attributes:
        reason: why it cannot be read; starts with ``shared_device`` where the power is of more than
            the device (MIG, vGPU).
        remedy: the one command or step that would grant it, if there is one.
        applies: False if the meter is for another kind of device altogether.
        source: API and field.
        scope: a key of ``results.energy_record.SCOPES``.
        device_id: UUID, bus id or path of what is read.
        resolution_j: least step of an energy counter.
        resolution_w: least step of a power value.
        update_s: the sensor's period.
        averaging_s: the time each power value is an average of.
        part_time: the sensor looks at part of each period only.
        covers_device: the main scope holds the device. False for the host's CPU beside an accelerator:
            that is told beside, and never in place of the accelerator's energy.
        beside: other scopes that are read as well, each a record of its own.
        notes: what to know about the numbers.
    """

    reason: str = ""
    remedy: str = ""
    applies: bool = True
    source: str = ""
    scope: str = ""
    device_id: str = ""
    resolution_j: float | None = None
    resolution_w: float | None = None
    update_s: float | None = None
    averaging_s: float | None = None
    part_time: bool = False
    covers_device: bool = True
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def not_for(what: str) -> Capability:
    """The capability of a meter that is for other devices: ``not_for("NVIDIA GPUs")``."""
    return Capability(reason=f"reads {what} only", applies=False)


class EnergyWindow(NamedTuple):
    """The part of the time between ``start`` and ``stop`` that counts.

    Attributes:
        spans: (start, end) in nanoseconds of ``time.perf_counter_ns``; each begins and ends on a
            whole step, and each has another phase to the sensor's period.
        step_s: time after which the load repeats: a step, or a cycle of decoding; 0 when nothing runs.
        loaded_before_s: how long the same load ran right before each span.
        gap_share: share of the spans' time in which the device had nothing to do (between chunks).
    """

    spans: tuple[tuple[int, int], ...]
    step_s: float = 0.0
    loaded_before_s: float = 0.0
    gap_share: float = 0.0

    @property
    def duration_s(self) -> float:
        """Sum of the spans."""
        return sum(end - start for start, end in self.spans) / 1e9


@runtime_checkable
class Meter(Protocol):
    """Three members. A meter never runs code in the timed thread between ``start`` and ``stop``."""

    def probe(self, device: Device) -> Capability:
        """What can be read of ``device`` here, or why not. May open the sensor; must not raise for what is usual."""

    def start(self, device: Device) -> None:
        """Begin to read."""

    def stop(self, window: EnergyWindow) -> Sequence[EnergyReading]:
        """End reading: one reading for each scope, the same each time, the main one first.

        A missing reading is ``energy_j=None`` with a reason, never 0. A meter that can only take the
        difference from ``start`` to ``stop`` gives that with its own ``duration_s``.
        """
