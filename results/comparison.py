"""The derived types of a comparison: what ``chipmark compare`` prints as JSON.

Ratios are of times, new over base: above 1 is slower. Those of the metric ``energy`` are of joules a
step: ``slower`` then means more energy, ``faster`` less. An interval is the 99 % interval of the
ratio. ``None`` means "not known"; ``reason`` says why.
"""

from __future__ import annotations

from typing import Literal

from results.record import Record, Scalar
from results.records import CaseSpec

# History of the format that ``chipmark compare --format json`` prints.
#   1  first version
#   2  the metric energy, with base_j and new_j where the others have base_s and new_s
COMPARISON_SCHEMA_VERSION = 2

Verdict = Literal["faster", "slower", "same", "inconclusive", "not-comparable"]
# Of a whole comparison; "failed": a case that ended well in the baseline did not end well now.
Outcome = Literal["faster", "slower", "same", "inconclusive", "not-comparable", "failed"]
# throughput: mean step time of the windows; latency_p50 and _p99: of single synced steps; energy: joules a step.
ComparedMetric = Literal["throughput", "latency_p50", "latency_p99", "energy"]
Adjustment = Literal["holm", "benjamini-hochberg"]

VERDICTS: tuple[Verdict, ...] = ("faster", "same", "slower", "inconclusive", "not-comparable")


class Judgement(Record, frozen=True, kw_only=True):
    """What the numbers of two sides say, and nothing else: no keys, guards or families of metrics."""

    verdict: Verdict
    reason: str
    ratio: float | None = None  # exp(log_difference); new time over base time
    ratio_low: float | None = None
    ratio_high: float | None = None
    log_difference: float | None = None
    half_width: float | None = None  # of the 99 % interval, in the log
    df: float | None = None  # Welch-Satterthwaite degrees of freedom
    p_value: float | None = None  # two-sided, of no difference at all
    tau: float | None = None  # sd of session means beyond their processes, in the log, prior included
    process_sd: float | None = None  # within sessions, in the log
    num_sessions_base: int = 0
    num_sessions_new: int = 0
    num_processes_base: int = 0
    num_processes_new: int = 0
    sessions_needed: int | None = None  # more sessions of sessions_needed_of that would settle it
    sessions_needed_of: Literal["new", "base", "both"] | None = None  # "both": so many on either side


class Difference(Record, frozen=True, kw_only=True):
    """A key or a circumstance that is not the same on both sides; None is "not known"."""

    key: str
    base: Scalar
    new: Scalar


class CaseComparison(Record, frozen=True, kw_only=True):
    """One metric of one case. ``verdict`` is the one that counts.

    ``judgement.verdict`` is what the numbers alone say; keys, guards and the adjustment for many
    metrics can take it back, and ``reason`` then says so.
    """

    case_id: str
    case: CaseSpec  # the candidate's; the baseline's where the candidate has none
    metric: ComparedMetric
    gating: bool  # counts for the exit code
    verdict: Verdict
    reason: str
    base_s: float | None = None  # of times; geometric mean over the sessions
    new_s: float | None = None
    base_j: float | None = None  # of the energy of a step, likewise
    new_j: float | None = None
    judgement: Judgement | None = None
    p_adjusted: float | None = None
    adjustment: Adjustment | None = None
    failed: bool = False  # ended well in the baseline and not now
    differences: tuple[Difference, ...] = ()  # of comparability keys: these refuse
    circumstances: tuple[Difference, ...] = ()  # of what is told and does not refuse (unless strict)
    warnings: tuple[str, ...] = ()  # processes left out and the like


class Side(Record, frozen=True, kw_only=True):
    """Where one side's numbers come from."""

    session_ids: tuple[str, ...]
    created_at: tuple[str, ...]  # ISO 8601, UTC; one a session
    host_ids: tuple[str, ...]  # distinct
    device_names: tuple[str, ...]  # distinct
    num_cases: int


class ComparisonReport(Record, frozen=True, kw_only=True):
    """What ``chipmark compare --format json`` prints. ``exit_code`` is what the command returns."""

    schema_version: int = COMPARISON_SCHEMA_VERSION
    outcome: Outcome
    exit_code: int
    reason: str  # one line for people
    candidate: Side
    base: Side
    rows: tuple[CaseComparison, ...]  # gating and informational, cases in the candidate's order
    counts: dict[str, int]  # verdict -> number of gating rows
    num_failed: int = 0
    only_in_candidate: tuple[str, ...] = ()  # labels of cases
    only_in_base: tuple[str, ...] = ()
    strict: bool = False
    allow_inconclusive: bool = False
    warnings: tuple[str, ...] = ()
