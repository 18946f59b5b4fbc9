"""The types that chipmark stores: frozen, keyword-only, versioned.

Units are SI and in the name (``_s``, ``_ns``, ``_bytes``, ``_j``, ``_w``); scaling happens
when rendering. ``None`` means "not measurable here", with a reason in the field beside it.
Aggregates are derived from these records (``results.summary``) and never stored alone.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from results.energy_record import EnergyReading as EnergyReading
from results.energy_record import Scenario as Scenario
from results.environment_record import Environment as Environment
from results.instance_record import Instance
from results.process_stats import ProcessStats
from results.record import GuardVerdict as GuardVerdict
from results.record import Record as Record
from results.record import Scalar as Scalar
from results.selfcheck_record import SelfCheck

# History of the stored format; loaders migrate older versions (``results.migrations``).
#   1  first version
#   2  statistics of each process and the state of the machine in measurements, the self-check in
#      run.json, a precision goal in the measuring limits
#   3  energy is a list of readings, of each pass, meter and scope; limits of its windows
#   4  the rented instance a run was made on
SCHEMA_VERSION = 4

Phase = Literal["train", "infer", "prefill", "decode"]
Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
Status = Literal["ok", "unsupported", "failed", "timeout", "killed", "out_of_memory", "invalid"]
Stage = Literal[
    "schedule", "open", "support", "prepare", "reference", "numerics", "idle", "warmup", "measure", "finish"
]
SupportLevel = Literal["native", "emulated", "unsupported"]

PHASES: tuple[Phase, ...] = ("train", "infer", "prefill", "decode")
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "fp8", "int8")
SCENARIOS: tuple[Scenario, ...] = ("throughput", "latency")
# A case that ended in one of these is not a fault of the run.
GOOD_STATUSES: frozenset[Status] = frozenset(("ok", "unsupported"))


class CaseSpec(Record, frozen=True, kw_only=True):
    """One thing to measure; its ``id`` names it in every file and table.

    ``shape`` is fully resolved (for example ``{"sequence_length": 64}``) and ``options`` are
    the backend's (for example ``{"compile": true}``), so that the case explains itself.
    """

    workload: str
    workload_version: int
    phase: Phase
    preset: str
    precision: Precision
    batch_size: int
    shape: dict[str, int]
    backend: str
    device: str
    options: dict[str, Scalar] = {}
    scenarios: tuple[Scenario, ...] = SCENARIOS
    seed: int = 0

    @property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the case as canonical JSON."""
        canonical = msgspec.json.encode(self, order="sorted")
        return hashlib.sha256(canonical).hexdigest()[:12]

    @property
    def label(self) -> str:
        """A name for people: ``llm-decoder/tiny train fp32 b2 torch@cpu``."""
        option_text = "".join(
            f" {key}" if value is True else f" {key}={value}" for key, value in sorted(self.options.items())
        )
        return (
            f"{self.workload}/{self.preset} {self.phase} {self.precision} b{self.batch_size} "
            f"{self.backend}@{self.device}{option_text}"
        )


class MeasureSpec(Record, frozen=True, kw_only=True):
    """How long to measure; part of the run, not of a case's identity.

    Throughput windows and latency steps each go on until both minima are reached and the
    95 % interval is within ``half_width`` of the value (relative), and stop early at a cap.
    ``warmup_tolerance`` is the largest relative spread of the last batch medians that counts
    as steady.

    ``energy`` asks the power meters. Where one reads the device, the main pass (throughput if it is
    measured) lasts ``energy_min_seconds`` at least, and idle power is taken once a device over
    ``energy_idle_seconds`` (0: not at all). Where none does, these change nothing.
    """

    min_seconds: float = 0.5
    min_iterations: int = 30
    max_seconds: float = 10.0
    max_iterations: int = 1_000_000
    half_width: float = 0.01
    warmup_max_seconds: float = 3.0
    warmup_tolerance: float = 0.10
    replicates: int = 1
    timeout_seconds: float = 120.0
    progress_timeout_seconds: float = 60.0
    energy: bool = True
    energy_min_seconds: float = 10.0
    energy_idle_seconds: float = 10.0


class Device(Record, frozen=True, kw_only=True):
    """A place where a backend can run. ``id`` is what ``--device`` takes (``cuda:0``)."""

    id: str
    backend: str
    kind: str  # cpu, cuda, rocm, xpu, mps, npu, ...
    name: str
    vendor: str | None = None
    memory_bytes: int | None = None
    details: dict[str, Scalar] = {}


class Support(Record, frozen=True, kw_only=True):
    """Can this case run on this device, and in which sense.

    ``native``: the device multiplies in this type. ``emulated``: the values have this type,
    but products are computed by widening to another, by the chip or by a library that widens the
    whole graph. ``unsupported``: it is not measured.
    """

    level: SupportLevel
    reason: str = ""
    evidence: dict[str, Scalar] = {}


class Work(Record, frozen=True, kw_only=True):
    """What one cycle of ``steps`` consecutive steps does (analytic, exact integers).

    Most phases have cycles of one step. ``decode`` has ``new_tokens`` steps of growing cost.
    ``flops`` counts 2 per multiply-add of matrix products and convolutions, with full (not
    halved) causal attention; elementwise work is not counted. ``tokens`` is None without any.
    ``bytes`` are read and written by the workload's definition, where it has one. ``min_values``
    counts the numbers that must move at the least: weights once a step, inputs, outputs, caches
    (docs/ceilings.md); times the size of a number it is a lower bound of the bytes.
    """

    steps: int = 1
    items: int
    item_unit: str  # token, sequence, image, sample
    tokens: int | None = None
    flops: int
    bytes: int | None = None
    min_values: int | None = None


class Window(Record, frozen=True, kw_only=True):
    """One throughput window: a sync, ``iterations`` steps, a sync."""

    iterations: int
    elapsed_ns: int


class Warmup(Record, frozen=True, kw_only=True):
    """How warm-up went and why it stopped."""

    iterations: int
    elapsed_s: float
    steady: bool
    stop_reason: str


class Timing(Record, frozen=True, kw_only=True):
    """Times of one replicate. Latency and warm-up samples lie in the side file."""

    clock: str  # the host clock's name
    device_clock: str | None = None  # name of the device's event clock, where it has one
    device_clock_reason: str = ""
    prepare_s: float  # build, cast, quantize, export or compile set-up
    export_s: float | None = None  # part of prepare_s spent exporting; None = none needed
    first_step_s: float  # first call, compilation included
    warmup: Warmup
    windows: tuple[Window, ...] = ()
    num_latency_samples: int = 0
    num_device_samples: int = 0
    stop_reason: str = ""


class SamplesRef(Record, frozen=True, kw_only=True):
    """Where the raw samples of a replicate lie, relative to the run folder."""

    file: str
    sha256: str
    arrays: dict[str, int]  # array name -> number of samples; int64, the unit in the name


class Check(Record, frozen=True, kw_only=True):
    """One number of the numerics gate against its threshold."""

    name: str
    value: float | None
    threshold: float
    better: Literal["lower", "higher"]
    passed: bool


class Numerics(Record, frozen=True, kw_only=True):
    """The outcome of the numerics gate of one replicate."""

    reference: str
    verdict: Literal["pass", "fail", "reference", "not_checked"]
    checks: tuple[Check, ...] = ()
    reason: str = ""


class Guard(Record, frozen=True, kw_only=True):
    """A fact about the machine, against a threshold; unreadable is UNKNOWN, never PASS."""

    name: str
    value: float | None
    threshold: float | None
    verdict: GuardVerdict
    reason: str = ""


class Memory(Record, frozen=True, kw_only=True):
    """Peak memory of the replicate and what the number covers."""

    peak_bytes: int | None = None
    scope: str = ""
    reason: str = ""


class Measurement(Record, frozen=True, kw_only=True):
    """One finished replicate of one case: exactly one status, at exactly one stage."""

    schema_version: int = SCHEMA_VERSION
    case_id: str
    case: CaseSpec
    replicate: int
    status: Status
    stage: Stage
    reason: str = ""
    detail: str = ""  # a traceback or the like, for debugging
    started_at: str  # ISO 8601, UTC
    elapsed_s: float  # wall time of the replicate, isolation included
    support: Support | None = None
    facts: dict[str, object] = {}
    work: Work | None = None
    timing: Timing | None = None
    samples: SamplesRef | None = None
    numerics: Numerics | None = None
    energy: tuple[EnergyReading, ...] = ()  # of the first pass the main scope first
    memory: Memory | None = None
    stats: ProcessStats | None = None  # None before version 2, and where nothing was timed
    machine: dict[str, Scalar] = {}  # state of host and device around the timed part
    guards: tuple[Guard, ...] = ()


class PlannedCase(Record, frozen=True, kw_only=True):
    """A case, how often it is to be measured, its own ``energy_min_seconds`` if any."""

    case: CaseSpec
    replicates: int
    energy_seconds: float | None = None


class RunInfo(Record, frozen=True, kw_only=True):
    """``run.json``: what was asked for, where, and with what. Written before measuring."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    suite: str
    command: str
    created_at: str  # ISO 8601, UTC
    order_seed: int
    measure: MeasureSpec
    environment: Environment
    devices: tuple[Device, ...]
    plan: tuple[PlannedCase, ...]
    selfcheck: SelfCheck | None = None
    selfcheck_reason: str = ""
    instance: Instance | None = None
    instance_reason: str = ""  # why none is named
    notes: tuple[str, ...] = ()
