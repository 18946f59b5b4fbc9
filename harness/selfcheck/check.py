"""Measure the harness on this machine: quickly, as every run does, or fully."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import msgspec

from harness.clock import Clock, HostClock
from harness.environment import host_id
from harness.selfcheck.loops import clock_figures, loop_figures
from results.errors import ChipmarkError
from results.records import Device
from results.selfcheck_record import SelfCheck

# A pair of a small case of the smoke suite takes about this long: two halves, each of which starts an
# interpreter and a framework, prepares, warms up and measures both passes.
PAIR_S = 8.0
MINUTES = (1.0, 3.0, 10.0)
DEFAULT_BUDGET_S = 30.0
NOT_FULL = (
    "isolation, jitter, the power sampler, the A/A comparison and what can be detected were not measured: "
    "run `chipmark selfcheck`"
)

Say = Callable[[str], None]


def loops_check(clock: Clock | None = None, note: str = NOT_FULL) -> SelfCheck:
    """Clock and loops only: below half a second, and without numpy."""
    clock = clock or HostClock()
    start = time.monotonic()
    read, loops = clock_figures(clock), loop_figures(clock)
    notes = (note,) if note else ()
    if read.resolution_s is None:
        notes = (f"the clock {clock.name} did not move between readings", *notes)
    return SelfCheck(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        host_id=host_id(),
        chipmark_version=version(),
        elapsed_s=time.monotonic() - start,
        clock=clock.name,
        clock_resolution_s=read.resolution_s,
        clock_cost_s=read.cost_s,
        step_overhead_s=loops.step_overhead_s,
        latency_overhead_s=loops.latency_overhead_s,
        notes=notes,
    )


def quick_check(say: Say) -> SelfCheck:
    """Without the A/A comparison: a few seconds."""
    check = loops_check(note="the A/A comparison and what can be detected were not measured (--quick)")
    return _with_processes(check, say, is_quick=True)


def full_check(budget_s: float, say: Say) -> SelfCheck:
    """Everything; the A/A comparison takes about ``budget_s`` seconds."""
    from harness.selfcheck.fixed_work import calibrated_repeats
    from harness.selfcheck.same_work import compare_same_work
    from results.detectable import detectable

    start = time.monotonic()
    check = _with_processes(loops_check(note=""), say, is_quick=False)
    try:
        found = compare_same_work(calibrated_repeats(), budget_s, say)
    except ChipmarkError as error:
        return _replaced(check, start, notes=(*check.notes, str(error)))
    return _replaced(
        check,
        start,
        process_sd=found.process_sd,
        num_pairs=found.num_pairs,
        pair_sd=found.pair_sd,
        aa_verdict=found.judgement.verdict,
        aa_ratio=found.judgement.ratio,
        aa_half_width=found.judgement.half_width,
        pair_s=PAIR_S,
        detectable=tuple(detectable(minutes, found.pair_sd, PAIR_S) for minutes in MINUTES),
    )


def _with_processes(check: SelfCheck, say: Say, *, is_quick: bool) -> SelfCheck:
    """``check`` with the isolation cost, jitter and the sampler's cost filled in, or a note why not."""
    from harness.selfcheck.fixed_work import calibrated_repeats, jitter_ratio
    from harness.selfcheck.isolation_cost import isolation_cost_s

    start = time.monotonic() - check.elapsed_s
    cost, notes = None, check.notes
    say("what a worker process costs")
    try:
        cost = isolation_cost_s()
    except (ChipmarkError, OSError) as error:
        notes = (*notes, f"the isolation cost could not be measured: {error}")
    say("how much a fixed piece of work varies")
    repeats = calibrated_repeats()
    jitter = jitter_ratio(repeats)
    say("what the power sampler costs")
    sampler = _sampler_fields(repeats, is_quick)
    notes = (*notes, *sampler.pop("notes", ()))
    return _replaced(check, start, isolation_cost_s=cost, jitter_p99_ratio=jitter, notes=notes, **sampler)


def _sampler_fields(repeats: int, is_quick: bool) -> dict[str, Any]:
    """Fields of what the power sampler costs, or notes why they are missing."""
    from harness.selfcheck.sampler_cost import FULL_PAIRS, QUICK_PAIRS, THIS_CPU, first_polling, sampler_cost

    # Looking for accelerators loads every framework, which is nothing for a quick check.
    devices = [THIS_CPU] if is_quick else [*_accelerators(), THIS_CPU]
    try:
        found = sampler_cost(repeats, first_polling(devices), QUICK_PAIRS if is_quick else FULL_PAIRS)
    except (ChipmarkError, OSError) as error:
        return {"notes": (f"what the power sampler costs could not be measured: {error}",)}
    return {
        "sampler_ratio": found.ratio,
        "sampler_half_width": found.half_width,
        "sampler_source": found.source,
    }


def _accelerators() -> list[Device]:
    """What all backends find beside the CPU."""
    from backends import REGISTRY as BACKENDS
    from harness.discovery import discover
    from harness.supervisor import Supervisor

    found = [device for report in discover(Supervisor(), BACKENDS.names()) for device in report.devices]
    return [device for device in found if device.kind != "cpu"]


def _replaced(check: SelfCheck, start: float, **changes: object) -> SelfCheck:
    """``check`` with these fields and the time since ``start``."""
    return msgspec.structs.replace(check, elapsed_s=time.monotonic() - start, **changes)


def version() -> str:
    """The installed version of chipmark."""
    try:
        return metadata.version("chipmark")
    except metadata.PackageNotFoundError:
        return "unknown"
