"""How precisely a series of times gives its centre: t intervals over batches.

Single steps are correlated, so an interval from single steps is far too narrow. Medians (or
means) of a few long batches are nearly independent: with 10 batches the 95 % interval covers
95 % at a lag-1 correlation of .5 and 94 % at .9, where the order-statistic interval of 600 single
steps covers 82 % and 42 % (simulated). Batches hold whole cycles, because steps within
a cycle differ.

These half-widths tell the quality of one process. They never enter a verdict: processes differ by
more than their own intervals say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Batches of an interval; 10 is the number the coverage above was simulated with.
NUM_BATCHES = 10
# Below this many windows a t interval is too wide to tell anything (2.8 standard errors and more).
MIN_WINDOWS = 5
# Student's t, 97.5 %, for 1 to 30 degrees of freedom (e.g. NIST Engineering Statistics Handbook, 1.3.6.7.2).
_T_975 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


def relative_half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % t interval of the mean of ``values``, relative to that mean.

    Args:
        values: positive, at most 31 of them, independent enough for a t interval.

    Returns:
        None where there are fewer than 2 values or their mean is not above 0.
    """
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    if mean <= 0:
        return None
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return _T_975[count - 2] * math.sqrt(variance / count) / mean


def batch_edges(num_samples: int, num_batches: int, cycle: int) -> list[int]:
    """Edges of ``num_batches`` nearly equal batches of whole cycles; a partial last cycle is left out."""
    cycles = num_samples // cycle
    return [k * cycles // num_batches * cycle for k in range(num_batches + 1)]


def batch_medians(samples: np.ndarray, num_batches: int, cycle: int) -> np.ndarray:
    """Medians of consecutive batches.

    Args:
        samples: times in the order taken, shape [n].
        num_batches: at least 1 and at most ``n // cycle``.
        cycle: steps of a cycle; batches hold whole cycles.

    Returns:
        Float medians, shape [num_batches].
    """
    import numpy as np

    edges = batch_edges(len(samples), num_batches, cycle)
    return np.array([np.median(samples[a:b]) for a, b in itertools.pairwise(edges)])


def median_half_width(samples: np.ndarray, cycle: int = 1) -> float | None:
    """Relative 95 % half-width of the median, from 10 batch medians (t, 9 degrees of freedom).

    Returns:
        None where there are fewer than 10 whole cycles.
    """
    if len(samples) // cycle < NUM_BATCHES:
        return None
    return relative_half_width(batch_medians(samples, NUM_BATCHES, cycle).tolist())


def window_half_width(windows: Sequence[tuple[int, int]]) -> float | None:
    """Relative 95 % half-width of the mean step time, from throughput windows.

    Many windows are joined into 10 groups of consecutive ones: neighbours are correlated.

    Args:
        windows: (steps, elapsed nanoseconds) in the order taken, of about equal length.

    Returns:
        None where there are fewer than 5 windows.
    """
    if len(windows) < MIN_WINDOWS:
        return None
    edges = batch_edges(len(windows), min(NUM_BATCHES, len(windows)), 1)
    groups = [windows[a:b] for a, b in itertools.pairwise(edges)]
    means = [sum(ns for _, ns in group) / sum(steps for steps, _ in group) for group in groups]
    return relative_half_width(means)
