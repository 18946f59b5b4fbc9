"""What a run must count up to wherever it is made: cases, work, parameters, peak memory, numerics.

Speeds depend on the machine and its load; these do not (peak memory: nearly not). So they are what
continuous integration on a shared runner can hold on to. Expected counts are taken from a run that
ended well (``chipmark show RUN --format counts``) and kept as JSON under ``configs/checks``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from results.completeness import endings, planned_slots
from results.errors import RunFolderError, UsageError
from results.record import Record
from results.records import GOOD_STATUSES, CaseSpec, Measurement, Work

if TYPE_CHECKING:
    from results.store import StoredRun

# History of the format of expected counts.
#   1  first version
COUNTS_SCHEMA_VERSION = 1
# Resident memory of a worker is mostly the frameworks it has loaded, which differ from one build
# to the next by tens of percent; GPU allocators round in ways of their own.
MEMORY_FACTOR = 1.5
MEMORY_FACTOR_REASON = "resident memory is mostly the loaded frameworks, whose size depends on version and build"

NumericsVerdict = Literal["pass", "fail", "reference", "not_checked"]


class CaseCounts(Record, frozen=True, kw_only=True):
    """What one case must come to. None is not known, with the reason, and not compared.

    ``must_be_ok``: ``unsupported`` is no answer elsewhere either. It is set for FP32, which every
    device has, and for what ran without a unit for its type (emulated): that needs no special chip.
    """

    case: CaseSpec
    status: Literal["ok", "unsupported"]
    must_be_ok: bool
    numerics: NumericsVerdict | None = None
    work: Work | None = None
    num_parameters: int | None = None
    num_parameters_reason: str = ""
    peak_memory_bytes: int | None = None
    peak_memory_scope: str = ""
    peak_memory_reason: str = ""


class Provenance(Record, frozen=True, kw_only=True):
    """The run that expected counts were taken from."""

    run_id: str
    created_at: str  # ISO 8601, UTC
    chipmark_version: str
    git_commit: str | None
    python_version: str
    platform: str
    cpu_name: str | None
    packages: dict[str, str]


class ExpectedCounts(Record, frozen=True, kw_only=True):
    """What ``chipmark show --format counts`` prints and ``chipmark run --check`` reads.

    Peak memory may be ``memory_factor`` times what is stored, for ``memory_factor_reason``.
    """

    schema_version: int = COUNTS_SCHEMA_VERSION
    suite: str
    provenance: Provenance
    memory_factor: float = MEMORY_FACTOR
    memory_factor_reason: str = MEMORY_FACTOR_REASON
    cases: tuple[CaseCounts, ...]


def counts_of(run: StoredRun) -> ExpectedCounts:
    """The counts of a run in which every planned measurement ended well.

    Raises:
        RunFolderError: some measurement is missing or did not end well, or replicates disagree.
    """
    found = endings(run)
    bad = [slot for slot in planned_slots(run) if found.get(slot) not in GOOD_STATUSES]
    if bad:
        raise RunFolderError(
            f"{run.path}: {len(bad)} of {len(planned_slots(run))} measurements are missing or did not end well, "
            f"so their counts are no expectation; go on with: chipmark run --resume {run.path}"
        )
    environment = run.info.environment
    replicates = by_case(run)
    return ExpectedCounts(
        suite=run.info.suite,
        provenance=Provenance(
            run_id=run.info.run_id,
            created_at=run.info.created_at,
            chipmark_version=environment.chipmark_version,
            git_commit=environment.git_commit,
            python_version=environment.python_version,
            platform=environment.platform,
            cpu_name=environment.cpu_name,
            packages=environment.packages,
        ),
        cases=tuple(_case_counts(run, replicates[planned.case.id]) for planned in run.info.plan),
    )


def by_case(run: StoredRun) -> dict[str, list[Measurement]]:
    """Case id -> its newest replicates."""
    found: dict[str, list[Measurement]] = {}
    for measurement in run.measurements:
        found.setdefault(measurement.case_id, []).append(measurement)
    return found


def num_parameters(measurement: Measurement) -> int | None:
    """The trained numbers of the model, as the backend tells them; None if it does not."""
    value = measurement.facts.get("num_parameters")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _case_counts(run: StoredRun, replicates: list[Measurement]) -> CaseCounts:
    first = replicates[0]
    kinds = {(m.status, m.work, num_parameters(m), m.numerics.verdict if m.numerics else None) for m in replicates}
    if len(kinds) > 1:
        raise RunFolderError(f"{run.path}: {first.case.label}: replicates disagree about what they count")
    ok = first.status == "ok"
    parameters = num_parameters(first)
    memories = [m.memory for m in replicates if m.memory is not None]
    peaks = [memory.peak_bytes for memory in memories if memory.peak_bytes is not None]
    why = "" if ok else f"{first.status}: {first.reason}"
    return CaseCounts(
        case=first.case,
        status="ok" if ok else "unsupported",
        must_be_ok=ok and (first.case.precision == "fp32" or (first.support and first.support.level) == "emulated"),
        numerics=first.numerics.verdict if first.numerics else None,
        work=first.work,
        num_parameters=parameters,
        num_parameters_reason="" if parameters is not None else why or "the backend does not tell",
        peak_memory_bytes=max(peaks, default=None),
        peak_memory_scope="; ".join(dict.fromkeys(memory.scope for memory in memories if memory.scope)),
        peak_memory_reason="" if peaks else why or next((m.reason for m in memories if m.reason), "not measured"),
    )


def read_counts(path: Path) -> ExpectedCounts:
    """Expected counts from a file.

    Raises:
        UsageError: the file is missing, is none, or is of a newer format.
    """
    anew = f"take them anew from a run that ended well: chipmark show RUN --format counts > {path}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: expected counts cannot be read: {error.strerror}; {anew}") from error
    try:
        raw = msgspec.json.decode(content)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != COUNTS_SCHEMA_VERSION:
            raise ValueError(f"schema_version is {version!r}, this chipmark reads {COUNTS_SCHEMA_VERSION}")
        counts = msgspec.convert(raw, ExpectedCounts)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: are no expected counts: {error}; {anew}") from error
    if not counts.memory_factor >= 1.0:
        raise UsageError(f"{path}: memory_factor is {counts.memory_factor}; give 1.0 or more")
    return counts
