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


# A wrap that needs this many times the usual power is none: the counter was reset, or read wrongly.
MAX_WRAP_POWER = 5.0


def unwrap(values: np.ndarray, wrap_uj: int | None, times_ns: np.ndarray | None = None) -> np.ndarray:
    """A counter that goes on where it starts again from 0, exact in integers.

    Args:
        values: [N] int64, microjoules.
        wrap_uj: what it starts again after; None: it never does.
        times_ns: [N] when they were read; with them, a wrap must be one that the power explains.

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
    if times_ns is not None:
        _check_wraps(steps, np.diff(times_ns), wrap_uj)
    return values + np.concatenate(([0], np.cumsum(np.where(steps < 0, wrap_uj, 0))))


def _check_wraps(steps: np.ndarray, gaps_ns: np.ndarray, wrap_uj: int) -> None:
    """Each step back, taken as a wrap, must hold about the energy that the counter shows else in that time."""
    forth, back = steps > 0, steps < 0
    usual_w = steps[forth].sum() / gaps_ns[steps >= 0].sum() * 1000 if forth.any() else 0.0
    # A slow counter shows the energy of a whole period of its own at once.
    period_ns = gaps_ns.sum() / (forth.sum() + back.sum())
    expected_uj = usual_w / 1000 * (gaps_ns[back] + period_ns)
    # One that jumps by a thousandth of the range was near its end before, as it is at a wrap and hardly ever else.
    if (steps[back] + wrap_uj > np.maximum(MAX_WRAP_POWER * expected_uj, wrap_uj / 1000)).any():
        most_j = (steps[back] + wrap_uj).max() / 1e6
        raise ValueError(
            f"the energy counter went back, and a wrap would mean {most_j:.3g} J at once where {usual_w:.3g} W "
            "are usual: it was reset, or is broken"
        )
