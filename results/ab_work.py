"""Does one side of an A/B comparison do other work than the other, under the same name and version?

Then a difference of time is no difference of speed. It is said before all else, and the verdict stands:
a change of the code that does more work without meaning to is one of the things to be found.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from results.notes import one_line
from results.records import Measurement
from results.store import open_run

# The counts are whole numbers of the same operations; they differ by nothing or by something.
TOLERANCE = 1e-6


def differing_work(a: Path, b: Path) -> list[str]:
    """One line for each case whose counts of work differ between two runs that can be read."""
    ours, theirs = _measured(a), _measured(b)
    found = []
    for case_id, before in ours.items():
        after = theirs.get(case_id)
        different = [*_counts(before, after), *_counted(before, after)] if after is not None else []
        if different:
            name = f"{before.case.label} v{before.case.workload_version}"
            found.append(
                one_line(
                    f"THE WORK DIFFERS under the same version: {name}: {'; '.join(different)}; where that is meant, "
                    "the workload's version must be raised"
                )
            )
    return found


def _measured(path: Path) -> dict[str, Measurement]:
    """By case id, which tells apart cases of one label that differ in shape or options; versions differ in it too."""
    return {m.case.id: m for m in open_run(path).measurements}


def _counts(a: Measurement, b: Measurement) -> list[str]:
    """Analytic counts that differ."""
    if a.work is None or b.work is None:
        return []
    before, after = msgspec.structs.asdict(a.work), msgspec.structs.asdict(b.work)
    return [f"{key}: {before[key]} in A, {after[key]} in B" for key in before if before[key] != after[key]]


def _counted(a: Measurement, b: Measurement) -> list[str]:
    """FLOPs that the backend counted in a step, over the analytic count."""
    before, after = _flops_ratio(a), _flops_ratio(b)
    if before is None or after is None or abs(after - before) <= TOLERANCE * abs(before):
        return []
    return [f"FLOPs counted over analytic: {before:.4f} in A, {after:.4f} in B"]


def _flops_ratio(measurement: Measurement) -> float | None:
    return next((guard.value for guard in measurement.guards if guard.name == "flops"), None)
