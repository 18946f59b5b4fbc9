"""A run against the counts expected of it: what differs, with both values. Never speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from results.case_summary import RunSummary
from results.completeness import endings, planned_slots
from results.counts import CaseCounts, ExpectedCounts, by_case, num_parameters
from results.record import Record, Scalar
from results.records import GOOD_STATUSES, CaseSpec, Measurement, Work
from results.render import shape_text

if TYPE_CHECKING:
    from results.store import StoredRun

# A verdict that a case may have where none is expected of it, because it did not run there.
SOUND_NUMERICS = ("pass", "reference")
ARCHITECTURES = ("x86_64", "AMD64", "aarch64", "arm64", "ppc64le", "riscv64")


class CountDifference(Record, frozen=True, kw_only=True):
    """One thing of one case that is not as expected."""

    case: str  # the case's label and shape
    what: str  # case, status, numerics, work.flops, num_parameters, peak_memory_bytes, ...
    expected: Scalar
    found: Scalar
    reason: str = ""


class CountReport(Record, frozen=True, kw_only=True):
    """What ``chipmark run --check`` found. ``notes`` are what could not be compared, and why."""

    passed: bool
    source: str  # the file of expected counts
    num_cases_expected: int
    num_cases_found: int
    differences: tuple[CountDifference, ...]
    notes: tuple[str, ...]


class CheckedRun(RunSummary, frozen=True, kw_only=True):
    """What ``chipmark run --check --json`` prints: the run's summary and the check's outcome."""

    check: CountReport


Finding = CountDifference | str  # a difference, or a note


def check_counts(run: StoredRun, expected: ExpectedCounts, source: str) -> CountReport:
    """Compare every planned case of ``run`` with what is expected of it.

    Cases are the same if all but the device is, so that counts taken on one device can be held
    against another; peak memory is compared on the same device and of the same scope only.
    """
    wanted = {_key(counts.case): counts for counts in expected.cases}
    planned = {_key(p.case): p.case for p in run.info.plan}
    like = _architecture(run.info.environment.platform) == _architecture(expected.provenance.platform)
    findings: list[Finding] = []
    for key, counts in wanted.items():
        if key not in planned:
            findings.append(_difference(counts.case, "case", "planned", None, "it is not in the run's plan"))
    replicates, incomplete = by_case(run), _incomplete(run)
    for key, case in planned.items():
        if key not in wanted:
            findings.append(_difference(case, "case", None, "planned", "nothing is expected of it; is it new?"))
        elif case.id in incomplete:
            why = "a measurement is missing, or its record or samples are damaged"
            findings.append(_difference(case, "status", wanted[key].status, "missing", why))
        else:
            findings += _compare(case, replicates[case.id], _here(wanted[key], like), expected.memory_factor)
    differences = tuple(finding for finding in findings if isinstance(finding, CountDifference))
    return CountReport(
        passed=not differences,
        source=source,
        num_cases_expected=len(wanted),
        num_cases_found=len(planned),
        differences=differences,
        notes=tuple(finding for finding in findings if isinstance(finding, str)),
    )


def _architecture(platform: str) -> str:
    """The processor's instruction set in a platform's name; the whole name where none is known."""
    return next((name for name in ARCHITECTURES if name in platform), platform)


def _here(counts: CaseCounts, same_architecture: bool) -> CaseCounts:
    """What ran emulated must run wherever the same libraries do; on another instruction set they are others."""
    if same_architecture or counts.case.precision == "fp32":
        return counts
    return msgspec.structs.replace(counts, must_be_ok=False)


def _key(case: CaseSpec) -> str:
    return msgspec.structs.replace(case, device="").id


def _incomplete(run: StoredRun) -> set[str]:
    """Cases of which a planned measurement is not there, or not whole."""
    found = endings(run)
    return {case_id for case_id, replicate in planned_slots(run) if (case_id, replicate) not in found}


def _difference(case: CaseSpec, what: str, expected: Scalar, found: Scalar, reason: str = "") -> CountDifference:
    return CountDifference(case=_name(case), what=what, expected=expected, found=found, reason=reason)


def _name(case: CaseSpec) -> str:
    """The label, and the shape, which may be all that tells two cases apart."""
    return f"{case.label} {shape_text(case)}".rstrip()


def _compare(
    case: CaseSpec, replicates: Sequence[Measurement], counts: CaseCounts, memory_factor: float
) -> Iterator[Finding]:
    yield from _work(case, replicates, counts)
    bad = [m for m in replicates if m.status not in GOOD_STATUSES]
    for m in bad:
        yield _difference(case, "status", counts.status, m.status, m.reason)
    if bad:
        return
    unsupported = next((m for m in replicates if m.status == "unsupported"), None)
    if unsupported is not None:
        if counts.must_be_ok:
            yield _difference(case, "status", counts.status, "unsupported", unsupported.reason)
        elif counts.status == "ok":
            yield f"{_name(case)}: unsupported here: {unsupported.reason}; it ran where the counts were taken"
        return
    if counts.status == "unsupported":
        yield f"{_name(case)}: runs here, but not where the counts were taken: only work and numerics are checked"
    yield from _numerics(case, replicates, counts)
    yield from _parameters(case, replicates, counts)
    yield from _memory(case, replicates, counts, memory_factor)


def _work(case: CaseSpec, replicates: Sequence[Measurement], counts: CaseCounts) -> Iterator[Finding]:
    if counts.work is None:
        yield f"{_name(case)}: no work is stored to compare with"
        return
    for work in dict.fromkeys(m.work for m in replicates if m.work is not None):
        for name in Work.__struct_fields__:
            expected, found = getattr(counts.work, name), getattr(work, name)
            if expected != found:
                yield _difference(case, f"work.{name}", expected, found)


def _numerics(case: CaseSpec, replicates: Sequence[Measurement], counts: CaseCounts) -> Iterator[Finding]:
    sound = SOUND_NUMERICS if counts.numerics is None else (counts.numerics,)
    for m in replicates:
        verdict = m.numerics.verdict if m.numerics else None
        if verdict not in sound:
            yield _difference(case, "numerics", " or ".join(sound), verdict, m.numerics.reason if m.numerics else "")


def _parameters(case: CaseSpec, replicates: Sequence[Measurement], counts: CaseCounts) -> Iterator[Finding]:
    if counts.num_parameters is None:
        return
    for found in dict.fromkeys(num_parameters(m) for m in replicates):
        if found != counts.num_parameters:
            why = "" if found is not None else "the backend does not tell"
            yield _difference(case, "num_parameters", counts.num_parameters, found, why)


def _memory(case: CaseSpec, replicates: Sequence[Measurement], counts: CaseCounts, factor: float) -> Iterator[Finding]:
    if counts.peak_memory_bytes is None:
        return
    memories = [m.memory for m in replicates if m.memory is not None]
    peaks = [memory.peak_bytes for memory in memories if memory.peak_bytes is not None]
    scope = "; ".join(dict.fromkeys(memory.scope for memory in memories if memory.scope))
    if case.device != counts.case.device or not peaks or scope != counts.peak_memory_scope:
        here = f"{scope or 'nothing'} on {case.device}"
        there = f"{counts.peak_memory_scope} on {counts.case.device}"
        yield f"{_name(case)}: peak memory is not compared: here it is of {here}, expected of {there}"
    elif max(peaks) > factor * counts.peak_memory_bytes:
        limit = f"{max(peaks) / counts.peak_memory_bytes:.2f} times what is expected; the limit is {factor:g}"
        yield _difference(case, "peak_memory_bytes", counts.peak_memory_bytes, max(peaks), limit)
