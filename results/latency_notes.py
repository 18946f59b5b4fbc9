"""What must be said about latency numbers: percentiles that the samples cannot support, unsteadiness."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary
from results.stats import PERCENTS, min_samples

# With more rows than this that lack a percentile, a note for each would bury all others.
MAX_ROW_NOTES = 8


def latency_notes(case: CaseSummary, brief: bool = False) -> list[str]:
    """Of one row: percentiles that are missing, with what the samples do show, and steadiness.

    ``brief`` leaves the percentiles to :func:`missing_percentile_notes`.
    """
    notes = [case.steady_notes] if case.steady_notes else []
    missing = [f"p{percent} n/a ({reason})" for percent, reason in _missing(case)]
    if missing and not brief:
        notes.append("; ".join([*missing, *_instead(case)]))
    return notes


def many_lack_percentiles(cases: Sequence[CaseSummary]) -> bool:
    """Whether so many rows lack a percentile that it is said once for all of them."""
    return sum(bool(_missing(case)) for case in cases) > MAX_ROW_NOTES


def missing_percentile_notes(measured: Sequence[CaseSummary]) -> list[str]:
    """Where many rows lack percentiles: how many, and what it takes."""
    if not many_lack_percentiles(measured):
        return []
    parts = []
    for percent in PERCENTS:
        lacking = sum(percent in dict(_missing(case)) for case in measured)
        if lacking:
            parts.append(f"p{percent} n/a in {lacking} of {len(measured)} cases (needs n_eff={min_samples(percent)})")
    return ["; ".join(parts) + "; `chipmark show RUN --explain CASE` tells what n_eff a case has, and its maximum"]


def _missing(case: CaseSummary) -> list[tuple[int, str]]:
    """Percent and reason of each percentile that a measured case lacks."""
    if not case.num_latency_samples:
        return []
    reasons = [(percent, getattr(case, f"latency_p{percent}_s_reason")) for percent in PERCENTS]
    return [(percent, reason) for percent, reason in reasons if reason]


def precision_notes(measured: Sequence[CaseSummary], wanted: float) -> list[str]:
    """Of the whole run: intervals wider than wanted, and cases whose steadiness nobody can tell.

    Args:
        measured: cases that have numbers.
        wanted: the relative half-width that measuring went on for (``MeasureSpec.half_width``).
    """
    notes = []
    wide = [case for case in measured if max(case.latency_half_width or 0, case.step_half_width or 0) > wanted]
    if wide:
        worst = max(max(case.latency_half_width or 0, case.step_half_width or 0) for case in wide)
        notes.append(
            f"95 % interval wider than +-{units.percent(wanted)} in {len(wide)} of {len(measured)} cases "
            f"(up to +-{units.percent(worst)})"
        )
    unknown = sum(case.latency_steady is None for case in measured if case.num_latency_samples)
    if unknown:
        notes.append(f"too few samples to tell whether times were steady in {unknown} of {len(measured)} cases")
    return notes


def _instead(case: CaseSummary) -> list[str]:
    """The highest percentile that is supported, and the maximum."""
    found = []
    if case.latency_tail_percent is not None and case.latency_tail_s is not None:
        found.append(f"highest supported p{case.latency_tail_percent} {units.seconds(case.latency_tail_s)}")
    if case.latency_max_s is not None:
        found.append(f"max {units.seconds(case.latency_max_s)}")
    return found
