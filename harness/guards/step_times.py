"""Guards on the step times themselves: ``step_slope``, ``step_spread``, ``step_tail``.

All latency samples count, whatever is later cut off as not yet steady: warm-up is over, so they
should be flat. Steps within a cycle differ by design (decoding gets dearer per token), so each is
taken relative to the median of its position over all whole cycles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.guards.base import Unreadable, judge
from harness.guards.guard_set import attempt
from results.records import Guard

if TYPE_CHECKING:
    import numpy as np

MIN_SAMPLES = 8
# Fewer cycles say too little about the median of each position.
MIN_CYCLES = 8
# With fewer samples the 99th percentile is the maximum.
MIN_TAIL_SAMPLES = 101


def step_time_guards(samples_ns: np.ndarray, cycle: int) -> tuple[Guard, ...]:
    """The three guards over latency samples [N] in ns, in the order taken; ``cycle`` steps make a cycle."""
    found: list[Guard] = []
    for name, judgement in (("step_slope", _slope), ("step_spread", _spread), ("step_tail", _tail)):
        failed = attempt(name, lambda judgement=judgement: found.append(judgement(flat(samples_ns, cycle))))  # type: ignore[misc]
        if failed is not None:
            found.append(failed)
    return tuple(found)


def flat(samples_ns: np.ndarray, cycle: int) -> np.ndarray:
    """Step times relative to the usual time of a step at the same place of its cycle.

    Raises:
        Unreadable: too few samples, or times that are not positive.
    """
    import numpy as np

    if cycle > 1:
        num_cycles = len(samples_ns) // cycle
        if num_cycles < MIN_CYCLES:
            raise Unreadable(f"{num_cycles} whole cycles of {cycle} steps; {MIN_CYCLES} are needed")
        samples_ns = samples_ns[: num_cycles * cycle].reshape(num_cycles, cycle)
    if len(samples_ns) < MIN_SAMPLES:
        raise Unreadable(f"{len(samples_ns)} latency samples; {MIN_SAMPLES} are needed")
    if not (samples_ns > 0).all():
        raise Unreadable("there are step times of 0 or less: the clock is too coarse, or stepped")
    return np.ravel(samples_ns / np.median(samples_ns, axis=0))


def _slope(ratios: np.ndarray) -> Guard:
    import numpy as np

    quarter = len(ratios) // 4
    change = float(np.median(ratios[-quarter:]) / np.median(ratios[:quarter]) - 1)
    direction = "slower" if change > 0 else "faster"
    return judge("step_slope", abs(change), f"the last quarter is {abs(change):.1%} {direction} than the first")


def _spread(ratios: np.ndarray) -> Guard:
    share = float(ratios.std(ddof=1) / ratios.mean())
    return judge("step_spread", share, f"relative standard deviation {share:.1%} of {len(ratios)} steps")


def _tail(ratios: np.ndarray) -> Guard:
    import numpy as np

    if len(ratios) < MIN_TAIL_SAMPLES:
        raise Unreadable(f"{len(ratios)} latency samples; {MIN_TAIL_SAMPLES} are needed")
    ordered = np.sort(ratios)
    tail = float(ordered[int(len(ordered) * 0.99)] / ordered[int(len(ordered) * 0.5)])
    return judge("step_tail", tail, f"p99 is {tail:.3g} times the median of {len(ratios)} steps")
