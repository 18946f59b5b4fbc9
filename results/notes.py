"""Numbered notes below a table: every reason once, in full."""

from __future__ import annotations

import math
from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.energy_notes import energy_notes
from results.guard_notes import guard_case_notes, guard_notes
from results.latency_notes import (
    latency_notes,
    many_lack_percentiles,
    missing_percentile_notes,
    precision_notes,
)
from results.placement_summary import PLAIN_PROVIDER


def one_line(text: str) -> str:
    """Text from elsewhere on one line, without control characters (a terminal would obey them)."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


class Notes:
    """Collects notes; the same text keeps its first number.

    Args:
        cases: the rows of the table, which decide what is said of each and what of all.
    """

    def __init__(self, cases: Sequence[CaseSummary] = ()) -> None:
        self._numbers: dict[str, int] = {}
        self._brief = many_lack_percentiles(cases)

    def of_case(self, case: CaseSummary) -> str:
        """The numbers of the notes that a case's row needs."""
        return self.refer(case_notes(case, self._brief))

    def refer(self, texts: list[str]) -> str:
        """The numbers of ``texts``, for the row that needs them: ``1 3``."""
        clean = [one_line(text) for text in texts]
        numbers = [self._numbers.setdefault(text, len(self._numbers) + 1) for text in clean]
        return " ".join(str(number) for number in numbers)

    def lines(self) -> list[tuple[int, str]]:
        """Number and text of every note."""
        return [(number, text) for text, number in self._numbers.items()]


def case_notes(case: CaseSummary, brief: bool) -> list[str]:
    """What must be said about one row: why it is not ok, what its numbers rest on."""
    if case.status == "missing":
        return [case.reason]
    return [*_status_notes(case), *_placement_notes(case), *_quality_notes(case, brief)]


def _status_notes(case: CaseSummary) -> list[str]:
    notes = []
    if case.status != "ok":
        stage = f" at {case.stage}" if case.stage and case.status != "unsupported" else ""
        notes.append(f"{case.status}{stage}: {case.reason or 'no reason was given'}")
        if case.num_ok:
            notes.append("numbers are over the replicates that ended ok")
    if case.numbers_from == "invalid":
        notes.append("! marks numbers of an invalid result: measured, but not to be compared")
    if case.num_measured < case.num_replicates:
        notes.append(f"{case.num_replicates - case.num_measured} of {case.num_replicates} replicates missing")
    return notes


def _placement_notes(case: CaseSummary) -> list[str]:
    """Where the numbers are from, where that is not plainly the device: simulators, providers beside the CPU's."""
    notes = [case.functional_only] if case.functional_only and case.numbers_from else []
    whole = case.provider_time_share == case.provider_node_share == 1
    if case.execution_provider and not (whole and case.execution_provider == PLAIN_PROVIDER):
        shares = [
            f"{_floored(share)} of the {what}" if share is not None else f"{what} n/a: {reason}"
            for what, share, reason in (
                ("time", case.provider_time_share, case.provider_time_share_reason),
                ("nodes", case.provider_node_share, case.provider_node_share_reason),
            )
        ]
        left = f"; left on the CPU: {case.left_on_cpu}" if case.left_on_cpu else ""
        notes.append(f"on {case.execution_provider}: {', '.join(shares)}{left}")
    return notes


def _floored(share: float) -> str:
    """Rounded down, so that what is left over never reads as nothing."""
    return units.percent(math.floor(1000 * share + 1e-9) / 1000)


def _quality_notes(case: CaseSummary, brief: bool) -> list[str]:
    notes = []
    if case.support == "emulated":
        notes.append(f"{case.case.precision} is emulated: {case.support_reason or 'no reason was given'}")
    if case.numerics_verdict == "not_checked":
        notes.append(f"error not checked: {case.numerics_error_reason}")
    if case.warmup_steady is False:
        notes.append("not steady: warm-up ended at its time cap (the record tells the spread); times may still drift")
    return [*notes, *latency_notes(case, brief), *guard_case_notes(case)]


def general_notes(summary: RunSummary) -> list[str]:
    """What is true of many rows, said once."""
    notes = []
    measured = [case for case in summary.cases if case.numbers_from]
    kinds = {case.case.phase: case.latency_kind for case in measured if case.num_latency_samples}
    if kinds:
        notes.append("p50, p90, p99: " + ", ".join(f"{kind} in {phase}" for phase, kind in kinds.items()))
    errors = list(dict.fromkeys(c.numerics_error_name for c in measured if c.numerics_error_name))
    if errors:
        notes.append(f"error: {' or '.join(errors)} against FP32 on the same inputs")
    notes += missing_percentile_notes(measured)
    notes += precision_notes(measured, summary.run.measure.half_width)
    notes += energy_notes(measured)
    notes += guard_notes(measured)
    return [one_line(text) for text in (*notes, *summary.warnings, *summary.run.notes)]
