"""A narrow view of stored measurements: what a comparison reads of a line, and nothing else.

A line can be many kilobytes, a run many lines. Decoding only these fields (and each case once)
is what lets tens of thousands of processes be compared in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from results.comparability import FACTS, MACHINE
from results.process_stats import ProcessStats
from results.record import GuardVerdict, Scalar
from results.records import (
    SCHEMA_VERSION,
    CaseSpec,
    EnergyReading,
    Measurement,
    SamplesRef,
    Stage,
    Status,
    Support,
    Window,
    Work,
)
from results.store import from_json


class StoredGuard(msgspec.Struct):
    """Of a guard."""

    name: str
    verdict: GuardVerdict
    reason: str = ""


class StoredWarmup(msgspec.Struct):
    """Of the warm-up."""

    elapsed_s: float = 0.0


class StoredTiming(msgspec.Struct):
    """Of the timing; the spans are read to see whether the clock ran."""

    prepare_s: float = 0.0
    export_s: float | None = None
    first_step_s: float = 0.0
    warmup: StoredWarmup = msgspec.field(default_factory=StoredWarmup)
    windows: tuple[Window, ...] = ()
    num_latency_samples: int = 0
    num_device_samples: int = 0


class StoredProcess(NamedTuple):
    """The same fields as of :class:`results.records.Measurement`, as far as they are read here."""

    case_id: str
    case: CaseSpec
    replicate: int
    status: Status
    stage: Stage
    reason: str
    support: Support | None
    facts: Mapping[str, Any]
    work: Work | None
    timing: StoredTiming | None
    samples: SamplesRef | None
    energy: tuple[EnergyReading, ...]  # whole: what `show` refuses is to be refused here too
    stats: ProcessStats | None
    machine: Mapping[str, Scalar]
    guards: tuple[StoredGuard, ...]  # empty where none FAILed


if TYPE_CHECKING:

    class _Facts(msgspec.Struct): ...

    class _Machine(msgspec.Struct): ...

else:
    _Facts = msgspec.defstruct("_Facts", [(name, object, None) for name in FACTS])
    _Machine = msgspec.defstruct("_Machine", [(name, Scalar, None) for name in MACHINE])


class _Line(msgspec.Struct, kw_only=True):
    """As it is decoded. The case stays bytes, because thousands of lines share one."""

    schema_version: int
    case_id: str
    case: msgspec.Raw
    replicate: int
    status: Status
    stage: Stage
    reason: str = ""
    support: Support | None = None
    facts: _Facts | None = None
    work: Work | None = None
    timing: StoredTiming | None = None
    samples: SamplesRef | None = None
    energy: tuple[EnergyReading, ...] = ()
    stats: ProcessStats | None = None
    machine: _Machine | None = None
    guards: msgspec.Raw = msgspec.Raw(b"[]")  # many, and hardly ever one that says anything here


class LineReader:
    """Decodes lines of one run."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Line)
        self._guard_decoder = msgspec.json.Decoder(tuple[StoredGuard, ...])
        self._case_decoder = msgspec.json.Decoder(CaseSpec)
        self._cases: dict[bytes, CaseSpec] = {}

    def read(self, content: bytes) -> Measurement:
        """One line, of any version this chipmark knows; of a measurement, only what is read here.

        Raises:
            ValueError: it is damaged, no measurement, or of a newer version (or RecursionError).
        """
        try:
            line = self._decoder.decode(content)
        except msgspec.ValidationError:  # an older version may differ in any field
            return from_json(msgspec.json.decode(content), Measurement)
        if line.schema_version != SCHEMA_VERSION:
            return from_json(msgspec.json.decode(content), Measurement)
        narrow = StoredProcess(
            case_id=line.case_id,
            case=self._case(bytes(line.case)),
            replicate=line.replicate,
            status=line.status,
            stage=line.stage,
            reason=line.reason,
            support=line.support,
            facts=_known(line.facts),
            work=line.work,
            timing=line.timing,
            samples=line.samples,
            energy=line.energy,
            stats=line.stats,
            machine=_known(line.machine),
            guards=self._guards(line.guards),
        )
        return cast(Measurement, narrow)

    def _guards(self, raw: msgspec.Raw) -> tuple[StoredGuard, ...]:
        """All of them, or none where none FAILed: the others are not looked at."""
        return self._guard_decoder.decode(raw) if b"FAIL" in bytes(raw) else ()

    def _case(self, raw: bytes) -> CaseSpec:
        case = self._cases.get(raw)
        if case is None:
            case = self._cases[raw] = self._case_decoder.decode(raw)
        return case


def _known(struct: msgspec.Struct | None) -> dict[str, Any]:
    if struct is None:
        return {}
    return {name: value for name in struct.__struct_fields__ if (value := getattr(struct, name)) is not None}
