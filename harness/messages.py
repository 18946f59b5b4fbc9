"""What a worker tells its parent while it measures, and how a Measurement grows from it.

The worker streams :class:`Event` objects (MessagePack) over its own pipe; stdout stays the
libraries'. The parent merges them into a :class:`Draft`. Whatever ends the worker, the draft
holds everything it had reported, so nothing measured is lost.
"""

from __future__ import annotations

from array import array

import msgspec

from harness.guards.before import Before
from results.energy_record import IdlePower
from results.records import (
    CaseSpec,
    EnergyReading,
    Guard,
    Measurement,
    MeasureSpec,
    Memory,
    Numerics,
    Scalar,
    Stage,
    Status,
    Support,
    Timing,
    Warmup,
    Window,
    Work,
)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked to do."""

    case: CaseSpec
    measure: MeasureSpec
    log_path: str
    before: Before | None = None  # the machine before the run, for guards
    idle: tuple[IdlePower, ...] | None = None  # of the device, as an earlier worker found it


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """News from a worker; only the fields that have news are set.

    ``*_ns`` byte strings are native int64 arrays and, like ``windows``, are appended.
    """

    stage: Stage | None = None
    status: Status | None = None
    reason: str | None = None
    detail: str | None = None
    support: Support | None = None
    facts: dict[str, object] | None = None
    work: Work | None = None
    numerics: Numerics | None = None
    energy: tuple[EnergyReading, ...] | None = None
    idle: tuple[IdlePower, ...] | None = None
    memory: Memory | None = None
    guards: tuple[Guard, ...] | None = None
    machine: dict[str, Scalar] | None = None
    clock: str | None = None
    device_clock: str | None = None
    device_clock_reason: str | None = None
    prepare_s: float | None = None
    export_s: float | None = None
    first_step_s: float | None = None
    warmup: Warmup | None = None
    stop_reason: str | None = None
    windows: tuple[Window, ...] = ()
    latency_ns: bytes = b""
    device_ns: bytes = b""
    warmup_ns: bytes = b""
    traces: dict[str, bytes] = {}  # further arrays for the side file, int64, whole
    payload: bytes = b""  # of tasks that are not measurements, such as discovery


SAMPLE_ARRAYS = ("latency_ns", "device_ns", "warmup_ns")
_APPENDED = ("windows", "payload", "traces", *SAMPLE_ARRAYS)


class Draft:
    """Everything a worker has reported so far."""

    def __init__(self) -> None:
        self.fields: dict[str, object] = {"stage": "open"}
        self.windows: list[Window] = []
        self.arrays: dict[str, array[int]] = {name: array("q") for name in SAMPLE_ARRAYS}
        self.payload = b""

    @property
    def stage(self) -> Stage:
        """The last stage the worker announced."""
        return self.fields["stage"]  # type: ignore[return-value]

    @property
    def status(self) -> Status | None:
        """The status the worker reported, if it came that far."""
        return self.fields.get("status")  # type: ignore[return-value]

    def merge(self, event: Event) -> None:
        """Take in what ``event`` brings."""
        for name in event.__struct_fields__:
            if name not in _APPENDED and (value := getattr(event, name)) is not None:
                self.fields[name] = value
        self.windows.extend(event.windows)
        self.payload += event.payload
        for name, samples in event.traces.items():
            self.arrays[name] = array("q", samples)
        for name in SAMPLE_ARRAYS:
            self.arrays[name].frombytes(getattr(event, name))

    def timing(self) -> Timing | None:
        """The timing record, or None if the worker ended before warm-up was complete."""
        if "warmup" not in self.fields:
            return None
        names = set(Timing.__struct_fields__) & set(self.fields)
        return msgspec.convert(
            {name: msgspec.to_builtins(self.fields[name]) for name in names}
            | {
                "windows": msgspec.to_builtins(self.windows),
                "num_latency_samples": len(self.arrays["latency_ns"]),
                "num_device_samples": len(self.arrays["device_ns"]),
            },
            Timing,
        )

    def measurement(
        self, case: CaseSpec, replicate: int, status: Status, reason: str, started_at: str, elapsed_s: float
    ) -> Measurement:
        """The draft as a finished record."""
        names = (set(Measurement.__struct_fields__) & set(self.fields)) - {"status", "reason"}
        fields: dict[str, object] = {name: self.fields[name] for name in names}
        return Measurement(
            case_id=case.id,
            case=case,
            replicate=replicate,
            status=status,
            reason=reason,
            started_at=started_at,
            elapsed_s=elapsed_s,
            timing=self.timing(),
            **fields,  # type: ignore[arg-type]
        )
