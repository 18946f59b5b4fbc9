"""The self-check as text for people."""

from __future__ import annotations

import math

from results.selfcheck_record import Detectable, SelfCheck
from results.units import NOT_AVAILABLE, seconds

LABEL_WIDTH = 32
# What the sampler may add to the time of a step and still not matter; as large as the precision wanted of windows.
SAMPLER_TOLERANCE = 0.01


def selfcheck_text(check: SelfCheck) -> str:
    """One line a figure, then what can be detected, then the notes."""
    rows = [
        ("clock", f"{check.clock}: resolution at most {seconds(check.clock_resolution_s)}, a reading costs "
                  f"{seconds(check.clock_cost_s)}"),
        ("throughput loop adds to a step", seconds(check.step_overhead_s)),
        ("latency loop reads for nothing", seconds(check.latency_overhead_s)),
        ("worker process costs", seconds(check.isolation_cost_s)),
        ("jitter: p99 over median", _times(check.jitter_p99_ratio)),
        ("power sampler adds", _sampler(check)),
        ("processes scatter by (sd)", _percent(check.process_sd)),
        ("same work on both sides", _same_work(check)),
        *((f"smallest change in {one.minutes:g} min", _detectable(one)) for one in check.detectable),
    ]  # fmt: skip
    lines = [
        f"self-check of chipmark {check.chipmark_version} on host {check.host_id}, "
        f"{check.measured_at.replace('T', ' ').replace('+00:00', ' UTC')}, took {seconds(check.elapsed_s)}",
        *(f"  {label:<{LABEL_WIDTH}}{text}" for label, text in rows),
        *(f"note: {note}" for note in check.notes),
    ]
    return "\n".join(lines) + "\n"


def _same_work(check: SelfCheck) -> str:
    if check.aa_ratio is None or check.aa_half_width is None:
        return NOT_AVAILABLE
    low, high = (math.expm1(math.log(check.aa_ratio) + sign * check.aa_half_width) for sign in (-1, 1))
    return (
        f"{check.aa_verdict}: {100 * (check.aa_ratio - 1):+.2f} %, 99 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f} %, over {check.num_pairs} pairs with an sd of {_percent(check.pair_sd)}"
    )


def _sampler(check: SelfCheck) -> str:
    """Whether polling leaves times as they are, or that this cannot be told."""
    if check.sampler_ratio is None or check.sampler_half_width is None:
        return NOT_AVAILABLE
    adds, half = check.sampler_ratio - 1, check.sampler_half_width
    if abs(adds) + half <= SAMPLER_TOLERANCE:
        verdict = "within 1 %"
    elif abs(adds) - half > SAMPLER_TOLERANCE:
        verdict = "NOT within 1 %: times of metered runs are not those of others"
    else:
        verdict = "too noisy here to say whether it is within 1 %"
    return f"{100 * adds:+.2f} % +- {100 * half:.2f} %: {verdict}; polled {check.sampler_source}"


def _detectable(one: Detectable) -> str:
    if one.ratio is None:
        return f"{NOT_AVAILABLE} ({one.reason})"
    return f"{100 * one.ratio:.1f} % ({one.reason})"


def _percent(log_sd: float | None) -> str:
    return NOT_AVAILABLE if log_sd is None else f"{100 * log_sd:.2f} %"


def _times(ratio: float | None) -> str:
    return NOT_AVAILABLE if ratio is None else f"{ratio:.2f} x"
