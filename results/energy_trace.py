"""What a sensor said over time, and counters that start again from 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Trace(NamedTuple):
    """Samples of one channel: times [N] in ns, strictly increasing, and values [N] in uJ or uW, int64."""

    times_ns: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, times_ns: Sequence[int], values: Sequence[int]) -> Trace:
        """From any sequences; of samples at the same time the first counts."""
        times, kept = np.asarray(times_ns, np.int64), np.asarray(values, np.int64)
        if len(times) > 1:
            fresh = np.concatenate(([True], np.diff(times) > 0))
            times, kept = times[fresh], kept[fresh]
        return cls(times, kept)


def unwrap(values: np.ndarray, wrap_uj: int | None) -> np.ndarray:
    """A counter that goes on where it starts again from 0, exact in integers.

    Args:
        values: [N] int64, microjoules.
        wrap_uj: what it starts again after; None: it never does.

    Raises:
        ValueError: it went back and does not wrap, or by what no wrap explains.
    """
    steps = np.diff(values)
    if (steps >= 0).all():
        return values
    if not wrap_uj:
        raise ValueError("the energy counter went back: it was reset, or is broken")
    if values.max() > wrap_uj or values.min() < 0:
        raise ValueError(f"the energy counter reads {values.max()} uJ, more than its range of {wrap_uj} uJ")
    return values + np.concatenate(([0], np.cumsum(np.where(steps < 0, wrap_uj, 0))))
