"""From a stored run to what comparisons see: one :class:`SessionCase` for each planned case.

A process is evidence only if it ended ``ok``, its record does not contradict itself, its raw samples
are there and match their checksum, and its times are finite and above 0. What is left out is said,
process by process, and never replaced by anything.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from results.baseline_records import run_identity
from results.comparability import comparability
from results.energy_evidence import step_energy
from results.errors import RunFolderError
from results.failed_guards import GUARDS_OF_TIMES, of_energy
from results.functional_only import functional_only
from results.process_stats import ProcessStats
from results.records import Measurement, PlannedCase, RunInfo, Status
from results.render import find_device
from results.replicates import check
from results.session_case import Process, SessionCase
from results.stats import order_statistic_index
from results.store import StoredRun, read_info, read_lines
from results.stored_process import LineReader

# Of larger runs the raw samples are only held against their checksum: unpacking takes most of a minute.
MAX_UNPACKED = 5_000
# A step below a picosecond or above thirty years is a damaged number, not a time.
SHORTEST_S, LONGEST_S = 1e-12, 1e9

Ending = Status | Literal["missing"]

if TYPE_CHECKING:
    import numpy as np

# From best to worst: a case is as good as its worst process.
SEVERITY: tuple[Ending, ...] = (
    "ok",
    "unsupported",
    "invalid",
    "timeout",
    "out_of_memory",
    "killed",
    "failed",
    "missing",
)


class Session(NamedTuple):
    """One session: its cases, and warnings about the files they came from."""

    cases: list[SessionCase]
    warnings: list[str]


class _Seen(NamedTuple):
    """A process that was looked at: what it says, or why nothing."""

    stored: Measurement
    process: Process | None
    why_not: str


def session_cases(run: StoredRun) -> list[SessionCase]:
    """The cases of a run that is read already (or of a stored session of a baseline).

    What is wrong with its files is added to its warnings.
    """
    return _cases(run, run.measurements)


def read_session(path: Path) -> Session:
    """The cases of a run folder, read line by line: faster than a whole run, and small in memory.

    Raises:
        RunFolderError: it is missing, is not a run, or is of a newer format.
    """
    with _no_collection():
        run = StoredRun(path, read_info(path), [], [])
        return Session(_cases(run, _stored_lines(run)), run.warnings)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No automatic garbage collection inside: it would walk, again and again, records that stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _stored_lines(run: StoredRun) -> Iterable[Measurement]:
    reader = LineReader()
    for line in read_lines(run.path):
        try:
            yield reader.read(line.content)
        except (ValueError, RecursionError) as error:
            run.warn(line.skipped_because(error))


def _cases(run: StoredRun, records: Iterable[Measurement]) -> list[SessionCase]:
    """One for each planned case; of a replicate that is stored twice, the later record counts."""
    planned = {each.case.id: each for each in run.info.plan}
    unpack = _few(run.info)
    seen: dict[str, dict[int, _Seen]] = {case_id: {} for case_id in planned}
    for stored in records:
        if stored.case_id not in planned:
            run.warn(f"{stored.case.label}: was measured but not planned; left out")
            continue
        seen[stored.case_id][stored.replicate] = _look(run, stored, unpack)
    identity = f"{run.info.run_id}#{run_identity(run.info)[:6]}"
    return [_session_case(run.info, identity, planned[name], found) for name, found in seen.items()]


def _session_case(info: RunInfo, identity: str, planned: PlannedCase, seen: dict[int, _Seen]) -> SessionCase:
    replicates = sorted(range(planned.replicates) | seen.keys()) if seen else []
    left_out = tuple(
        f"replicate {i}: {seen[i].why_not if i in seen else 'was never measured'}"
        for i in replicates
        if i not in seen or seen[i].process is None
    )
    used = [one for _, one in sorted(seen.items()) if one.process is not None]
    statuses: list[Ending] = [seen[i].stored.status if i in seen else "missing" for i in replicates] or ["missing"]
    observed: Sequence[Measurement] = [one.stored for one in used or seen.values()]
    keys, context = comparability(info, observed, planned.case)
    device_kind = keys["device_kind"]
    problem = ""
    if not used:
        problem = "; ".join(dict.fromkeys(one.why_not for one in seen.values())) or "was never measured"
    return SessionCase(
        case=planned.case,
        session_id=identity,
        created_at=info.created_at,
        host_id=info.environment.host_id,
        device_kind=str(device_kind) if device_kind is not None else "unknown",
        keys=keys,
        context=context,
        processes=tuple(one.process for one in used if one.process is not None),
        problem=problem,
        status=max(statuses, key=SEVERITY.index),
        ended_well="ok" in statuses,
        left_out=left_out,
        functional_only=functional_only(find_device(info.devices, planned.case)),
        selfcheck=info.selfcheck,
    )


def _look(run: StoredRun, stored: Measurement, unpack: bool) -> _Seen:
    if stored.status != "ok":
        return _Seen(stored, None, f"{stored.status} at {stored.stage}: {stored.reason or 'no reason was stored'}")
    try:
        check(run.path, stored)
        stats = _stats(run, stored, unpack)
    except RunFolderError as error:
        return _Seen(stored, None, str(error))
    why_not = stats.problem or _contradiction(stats, stored)
    if why_not:
        return _Seen(stored, None, why_not)
    step_j, energy = step_energy(stored, stats.mean_step_s)
    process = Process(
        replicate=stored.replicate,
        mean_step_s=stats.mean_step_s,
        median_s=stats.median_s,
        p99_s=stats.p99.value_s if stats.p99 else None,
        step_j=step_j,
        energy=energy,
        failed_guards=tuple(
            f"{g.name}: {g.reason}"
            for g in stored.guards
            if g.verdict == "FAIL" and g.name not in GUARDS_OF_TIMES and not of_energy(g.name)
        ),
    )
    why_not = _unusable(process)
    return _Seen(stored, None if why_not else process, why_not)


def _stats(run: StoredRun, stored: Measurement, unpack: bool) -> ProcessStats:
    """The stored statistics; those of older formats are computed from the raw samples.

    Raises:
        RunFolderError: the raw samples are missing, changed, or not what the record says.
    """
    if stored.samples is not None and stored.stats is not None and not unpack:
        run.verified(stored.samples)
        check(run.path, stored, {name: range(n) for name, n in stored.samples.arrays.items()})
        return stored.stats
    arrays = run.samples(stored)
    check(run.path, stored, arrays)
    if stored.stats is not None:
        problem = not_of_samples(stored.stats, arrays)
        if problem:
            raise RunFolderError(f"{run.path}: {stored.case.label}, replicate {stored.replicate}: {problem}")
        return stored.stats
    if stored.timing is None or stored.work is None:
        return ProcessStats()
    from results.process_summary import summarize_process

    return summarize_process(stored.timing, arrays, stored.work.steps)


def _few(info: RunInfo) -> bool:
    return sum(planned.replicates for planned in info.plan) <= MAX_UNPACKED


def not_of_samples(stats: ProcessStats, arrays: Mapping[str, np.ndarray]) -> str:
    """Why stored statistics cannot be those of raw samples that match their checksum, or ""."""
    import numpy as np

    samples_ns = arrays.get("latency_ns")
    if samples_ns is None or not len(samples_ns) or stats.median_s is None:
        return "" if stats.median_s is None else f"a median of {stats.median_s:g} s, but no samples"
    kept_ns = samples_ns[stats.cut_index :]
    if stats.num_kept != len(kept_ns) or not len(kept_ns):
        return f"statistics of {stats.num_kept} kept samples, but there are {len(kept_ns)}"
    middle = order_statistic_index(len(kept_ns), 50)
    if round(stats.median_s * 1e9) != np.partition(kept_ns, middle)[middle]:
        return f"a median of {stats.median_s:g} s, which is not that of its samples"
    p99_s = stats.p99.value_s if stats.p99 else None
    rank = order_statistic_index(len(kept_ns), 99)
    if p99_s is not None and round(p99_s * 1e9) != np.partition(kept_ns, rank)[rank]:
        return f"a p99 of {p99_s:g} s, which is not that of its samples"
    return ""


def _contradiction(stats: ProcessStats, stored: Measurement) -> str:
    """Why statistics cannot be of this record, or ""."""
    timing = stored.timing
    if timing is None:
        return ""
    if stats.num_samples != timing.num_latency_samples:
        return f"statistics of {stats.num_samples} samples, but {timing.num_latency_samples} were taken"
    if stats.mean_step_s is None:
        return f"no mean step of its {len(timing.windows)} windows" if timing.windows else ""
    steps, elapsed_ns = sum(w.iterations for w in timing.windows), sum(w.elapsed_ns for w in timing.windows)
    if steps == 0 or not math.isclose(stats.mean_step_s, elapsed_ns / steps / 1e9, rel_tol=1e-9):
        return f"a mean step of {stats.mean_step_s:g} s is not that of its {len(timing.windows)} windows"
    return ""


def _unusable(process: Process) -> str:
    """Why a process has no number to compare, or ""."""
    values = {name: getattr(process, name) for name in ("mean_step_s", "median_s", "p99_s")}
    for name, value in values.items():
        if value is not None and not SHORTEST_S <= value <= LONGEST_S:
            return f"{name} is {value}, which is no duration"
    return "" if any(v is not None for v in values.values()) else "nothing was timed"
