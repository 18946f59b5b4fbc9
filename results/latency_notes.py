"""What must be said about latency numbers: percentiles that the samples cannot support, unsteadiness."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary
from results.stats import PERCENTS


def latency_notes(case: CaseSummary) -> list[str]:
    """Of one row: percentiles that are missing, with what the samples do show, and steadiness."""
    notes = [case.steady_notes] if case.steady_notes else []
    missing = [
        f"p{percent} n/a ({reason})"
        for percent in PERCENTS
        if case.num_latency_samples and (reason := getattr(case, f"latency_p{percent}_s_reason"))
    ]
    if missing:
        notes.append("; ".join([*missing, *_instead(case)]))
    return notes


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
