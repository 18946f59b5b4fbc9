"""Guard ``flops``: does a step do the work that is claimed for it?

Counted by the backend in steps of their own after everything was measured. A ratio that is off
warns: rates use the analytic count, and either may be wrong.
"""

from __future__ import annotations

from backends.base import CountsFlops, FlopCount, Step
from harness.guards.base import Unreadable, judge
from harness.guards.table import GUARD
from harness.timed_loop import Position
from results.records import Guard, Work

# Counting costs some 50 to 100 ms a step, so of longer cycles only both ends are counted.
MAX_COUNTED_STEPS = 32


def flops_guard(step: Step, work: Work, position: Position) -> Guard:
    """Counted over analytic FLOPs of one cycle.

    Raises:
        Unreadable: nothing counts them, or there are none to count.
    """
    if not isinstance(step, CountsFlops):
        raise Unreadable("the backend does not count FLOPs")
    if work.flops <= 0:
        raise Unreadable("the workload claims no FLOPs")
    counted, how = _count_cycle(step, work, position)
    ratio = counted / work.flops
    reason = f"{counted:.6g} FLOPs counted in {how}, {work.flops:.6g} analytic: ratio {ratio:.4f}"
    guard = judge("flops", abs(ratio - 1), reason)
    allowed = GUARD["flops"].warn or 0.0
    return Guard(
        name="flops",
        value=ratio,
        threshold=1 + allowed if ratio >= 1 else 1 - allowed,
        verdict=guard.verdict,
        reason=reason,
    )


def _count_cycle(step: Step, work: Work, position: Position) -> tuple[int, str]:
    """FLOPs of a whole cycle, and what was counted."""
    for i in range(skipped := position.to_cycle_end):
        step.run(position.take(1))
        if i == skipped - 1:
            step.sync()
    first = position.take(work.steps)
    if work.steps <= MAX_COUNTED_STEPS:
        return _known(step, first, work.steps), "a step" if work.steps == 1 else f"a cycle of {work.steps} steps"
    # The cost of a step grows evenly along a cycle (one more position attended to), so the mean of
    # both ends is the mean of all.
    counts = [_known(step, first, 1)]
    for i in range(first + 1, first + work.steps - 1):
        step.run(i)
    counts.append(_known(step, first + work.steps - 1, 1))
    return sum(counts) * work.steps // 2, f"the first and last of {work.steps} steps, growing evenly"


def _known(step: Step, first: int, steps: int) -> int:
    assert isinstance(step, CountsFlops)
    found: FlopCount = step.count_flops(first, steps)
    if found.flops is None:
        raise Unreadable(found.reason)
    return found.flops
