"""Where the steady part of a series of step times begins, and whether it drifts.

The beginning is cut by MSER (White, An effective truncation heuristic for bias reduction in
simulation output, Simulation 69(6), 1997): the cut that makes the standard error of the mean of
what is left smallest. It looks at medians of about 60 batches, not at single steps, so that
scheduler spikes do not draw the cut to themselves. Batches hold whole cycles, because steps
within a cycle differ by design.

A series whose steady part would be less than half of it is unsteady: nothing is cut, and it is
marked. No cutter finds a slow drift, so there is a warning besides: the medians of the two halves
differ by more than 2 % (and by more than three standard errors), or there is a trend (Mann-Kendall,
p < .01) of more than 2 % over the series (Theil-Sen). It warns and discards nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from results.precision import batch_edges, batch_medians

if TYPE_CHECKING:
    import numpy as np

MAX_BATCHES = 60
MIN_BATCHES = 20
# A median of 5 shrugs off two disturbed steps.
MIN_BATCH_SAMPLES = 5
MAX_CUT_SHARE = 0.5
# A cut so close to the end that few batches are left wins by chance.
MIN_TAIL_BATCHES = 5
DRIFT_LIMIT = 0.02
TREND_P = 0.01
# Of a normal distribution: median absolute deviation times this is the standard deviation.
MAD_TO_SD = 1.4826
SD_LIMIT = 2.0
SE_LIMIT = 3.0


class Steadiness(NamedTuple):
    """Samples from ``cut_index`` on are the steady part.

    ``steady`` is None where there are too few samples to tell, and then nothing is cut.
    """

    cut_index: int
    steady: bool | None
    reason: str


class Drift(NamedTuple):
    """How the second half compares with the first, and whether that is worth a warning."""

    ratio: float | None  # median of the second half over that of the first, minus 1
    drifting: bool | None
    reason: str


def find_steady(samples: np.ndarray, cycle: int = 1) -> Steadiness:
    """Where the steady part of ``samples`` begins.

    Args:
        samples: positive times in the order taken, shape [n].
        cycle: steps of a cycle.
    """
    number = _num_batches(len(samples), cycle)
    if number < MIN_BATCHES:
        return Steadiness(0, None, f"too few samples to tell: {number} batches of whole cycles, needs {MIN_BATCHES}")
    medians = batch_medians(_levelled(samples, cycle), number, cycle)
    latest = int(MAX_CUT_SHARE * number)
    first = mser_cut(medians, number - MIN_TAIL_BATCHES)
    if first > latest and _differs(medians, first):
        return Steadiness(0, False, _unsteady_reason(medians, first))
    first = min(first, mser_cut(medians, latest))
    return Steadiness(batch_edges(len(samples), number, cycle)[first], True, "")


def mser_cut(values: np.ndarray, latest: int) -> int:
    """MSER: the d that makes ``sum((x_i - mean)^2) / m^2`` over the last m = n - d values smallest.

    Args:
        values: positive, shape [n].
        latest: the largest d to consider, below n.

    Returns:
        Between 0 and ``latest``; the first of equals.
    """
    import numpy as np

    scaled = values / np.median(values) - 1  # near 0: squares do not cancel
    left = np.arange(len(values), 0, -1)
    sums = np.cumsum(scaled[::-1])[::-1]
    squares = np.cumsum(np.square(scaled)[::-1])[::-1]
    errors = (squares - sums**2 / left) / left**2.0
    candidates = errors[: latest + 1]
    # What rounding leaves of a constant series must not decide.
    return int(np.argmax(candidates <= candidates.min() + 1e-18))


def find_drift(samples: np.ndarray, cycle: int = 1) -> Drift:
    """Whether ``samples`` (the steady part) drift by more than ``DRIFT_LIMIT``."""
    import numpy as np

    number = _num_batches(len(samples), cycle)
    if number < MIN_BATCHES:
        return Drift(None, None, f"too few samples to tell: {number} batches of whole cycles, needs {MIN_BATCHES}")
    levelled = _levelled(samples, cycle)
    middle = batch_edges(len(levelled), 2, cycle)[1]
    ratio = float(np.median(levelled[middle:]) / np.median(levelled[:middle])) - 1
    medians = batch_medians(levelled, number, cycle)
    if abs(ratio) > max(DRIFT_LIMIT, SE_LIMIT * _half_difference_error(medians)):
        return Drift(ratio, True, f"the second half is {_share(ratio)} than the first (limit {DRIFT_LIMIT:.0%})")
    trend = theil_sen_slope(medians) * (number - 1) / float(np.median(medians))
    p_value = mann_kendall_p(medians)
    if p_value < TREND_P and abs(trend) > DRIFT_LIMIT:
        return Drift(ratio, True, f"a trend to {_share(trend)} steps (p {p_value:.1g}, limit {DRIFT_LIMIT:.0%})")
    return Drift(ratio, False, "")


def mann_kendall_p(values: np.ndarray) -> float:
    """Two-sided p of no monotonic trend: normal approximation with ties and continuity (n >= 10).

    Kendall's S against time; Kendall, Rank Correlation Methods, 4th ed. 1975, ch. 4.
    """
    import numpy as np

    count = len(values)
    signs = np.sign(values[None, :] - values[:, None])
    score = abs(float(np.triu(signs, 1).sum()))
    _, ties = np.unique(values, return_counts=True)
    variance = (_ways(count) - float(sum(_ways(int(t)) for t in ties))) / 18
    if variance <= 0 or score == 0:
        return 1.0
    return math.erfc((score - 1) / math.sqrt(2 * variance))


def theil_sen_slope(values: np.ndarray) -> float:
    """Median slope over all pairs of ``values``, per place in the series (Sen 1968)."""
    import numpy as np

    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (second - first)))


def _levelled(samples: np.ndarray, cycle: int) -> np.ndarray:
    """Whole cycles of ``samples`` over the median of each place in the cycle.

    Where steps grow dearer within a cycle, few of them lie near the median of all: it would jump from
    one place to the next.
    """
    import numpy as np

    if cycle == 1:
        return samples
    grid = samples[: len(samples) // cycle * cycle].reshape(-1, cycle)
    levelled: np.ndarray = grid / np.median(grid, axis=0)
    return levelled.ravel()


def _num_batches(num_samples: int, cycle: int) -> int:
    """At most 60 batches of whole cycles with at least ``MIN_BATCH_SAMPLES`` steps each."""
    cycles_each = -(-MIN_BATCH_SAMPLES // cycle)
    return min(MAX_BATCHES, num_samples // cycle // cycles_each)


def _differs(medians: np.ndarray, first: int) -> bool:
    """Whether the batches from ``first`` on lie elsewhere than those before, and not by chance.

    Of 60 batches of pure noise the last few sometimes lie so close together that MSER prefers them:
    2 % of flat series, 15 % of short ones. Their level is then that of the rest, give or take the
    spread of a single batch.
    """
    import numpy as np

    before, after = medians[:first], medians[first:]
    level = float(np.median(before))
    change = abs(float(np.median(after)) - level)
    return change > DRIFT_LIMIT * level and change > SD_LIMIT * _spread(before)


def _half_difference_error(medians: np.ndarray) -> float:
    """Standard error of the difference of the halves' means of ``medians``, relative to their level."""
    import numpy as np

    half = len(medians) // 2
    spread = max(_spread(medians[:half]), _spread(medians[half:]))
    return spread * 2 / math.sqrt(len(medians)) / float(np.median(medians))


def _spread(values: np.ndarray) -> float:
    """Standard deviation by the median absolute deviation: a few outliers do not matter."""
    import numpy as np

    return float(np.median(np.abs(values - np.median(values)))) * MAD_TO_SD


def _unsteady_reason(medians: np.ndarray, first: int) -> str:
    import numpy as np

    change = float(np.median(medians[first:]) / np.median(medians[:first])) - 1
    return (
        f"steps settle only in the last {1 - first / len(medians):.0%} of the samples, "
        f"{_share(change)} than before (at most {MAX_CUT_SHARE:.0%} may be cut)"
    )


def _share(change: float) -> str:
    return f"{abs(change):.1%} {'slower' if change > 0 else 'faster'}"


def _ways(count: int) -> int:
    return count * (count - 1) * (2 * count + 5)
