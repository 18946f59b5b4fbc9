"""``chipmark compare --ab``: measure both sides in turns, store every run, judge the pairs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import plan
from harness.ab import frozen_suite
from harness.ab.folder import AbFolder
from harness.ab.measure import Plan, measure_pairs
from harness.ab.request import AbRequest, check_request
from harness.ab.sides import ready_sides
from harness.runner import Interrupted, interruptible
from harness.session import storable
from harness.suite import Suite, load_suite
from results.ab_record import AbRecord, write_ab
from results.errors import ExitCode
from results.records import CaseSpec

if TYPE_CHECKING:
    from results.compare import CompareOptions
    from results.comparison import ComparisonReport

# Of one half, beside the limits of its cases: starting Python, loading frameworks, finding devices.
START_LIMIT_S = 600.0
CASE_OVERHEAD_S = 30.0


class AbOutcome(NamedTuple):
    """The report over all complete pairs, and what the command returns.

    ``exit_code`` is that of the report, ``INTERRUPTED`` where it was; the report is there in any case, with
    ``inconclusive`` and the reason where there are too few pairs.
    """

    report: ComparisonReport
    exit_code: ExitCode
    folder: Path


def run_ab(request: AbRequest, options: CompareOptions, say: Callable[[str], None]) -> AbOutcome:
    """Measure and judge.

    Args:
        request: the sides and the suite.
        options: as for any comparison.
        say: prints one line for the user; ``lambda text: None`` for ``--quiet``.

    Raises:
        UsageError: anything wrong with the request; found before measuring where possible.
        KeyboardInterrupt: interrupted before the first half was measured.
    """
    import msgspec

    from results.ab_report import ab_report

    check_request(request)
    plan.check_filters(request.filters)
    suite = load_suite(request.suite)
    cases = plan.combine(suite, request.filters)
    with AbFolder(request.out) as folder:
        record = _measure(request, suite, cases, folder.path, say)
    say(f"stored in {folder.path}; again: chipmark compare {folder.path}")
    report = ab_report(folder.path, options)
    if record.interrupted_by:
        complete = sum(pair.a is not None and pair.b is not None for pair in record.pairs)
        say(f"interrupted by {record.interrupted_by} after {complete} of {record.pairs_wanted} pairs")
        # What is printed must not say another code than what is returned.
        report = msgspec.structs.replace(report, exit_code=int(ExitCode.INTERRUPTED))
        return AbOutcome(report, ExitCode.INTERRUPTED, folder.path)
    return AbOutcome(report, ExitCode(report.exit_code), folder.path)


def _measure(
    request: AbRequest, suite: Suite, cases: Sequence[CaseSpec], folder: Path, say: Callable[[str], None]
) -> AbRecord:
    """Make the sides ready and measure all pairs; the record is in ``folder`` in the end."""
    try:
        with interruptible(), ready_sides(request) as sides:
            frozen_suite.write_suite(folder / frozen_suite.FILE, suite, cases)
            now = datetime.now(UTC)
            record = AbRecord(
                created_at=now.isoformat(timespec="seconds"),
                command=storable(" ".join(sys.argv[1:])),
                suite=suite.suite.name,
                pairs_wanted=request.pairs,
                a=sides["a"].record,
                b=sides["b"].record,
                same_code=sides["a"].digest == sides["b"].digest
                and sides["a"].record.python == sides["b"].record.python,
            )
            say(f"A: {record.a.label}, B: {record.b.label}; {request.pairs} pairs of {len(cases)} cases, in turns")
            suite_path = str((folder / frozen_suite.FILE).resolve())
            arguments = [suite_path, "--device", request.filters.device, "--replicates", "1", "--quiet"]
            limit_s = START_LIMIT_S + len(cases) * (suite.measure.timeout_seconds + CASE_OVERHEAD_S)
            record = measure_pairs(record, sides, Plan(folder.resolve(), arguments, int(now.timestamp()), limit_s), say)
            if record.interrupted_by and not record.pairs:
                raise KeyboardInterrupt
            changed = [side for side in sides.values() if side.was_changed()]
            if changed:
                labels = " and ".join(dict.fromkeys(side.record.label for side in changed))
                record = with_warning(record, f"the sources of {labels} were changed while they were measured")
                write_ab(folder, record)
            return record
    except Interrupted:
        raise KeyboardInterrupt from None


def with_warning(record: AbRecord, text: str) -> AbRecord:
    """``record`` with one more warning."""
    import msgspec

    return msgspec.structs.replace(record, warnings=(*record.warnings, text))
