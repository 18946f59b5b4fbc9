"""Ticks of energy counters: when they move, how fast, and power from one tick to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from results.energy_trace import Trace

Spans = Sequence[tuple[int, int]]

# Ticks inside a span from which it is measured tick by tick.
MIN_TICKS = 2
# A counter that once does not move for so many times its period, and its next longest rest, has stopped. Under a load
# that comes and goes it rests often.
MAX_STILL_PERIODS = 5.0
# Without a cap from the card, power may be this much above the highest that was seen between ticks.
HEADROOM = 1.25


class Part(NamedTuple):
    """One span: its power, the time it was measured over, and the bound of its relative error."""

    power_w: float
    seconds: float
    peak_w: float
    bound: float


def period_s_of(change_times_ns: np.ndarray) -> float | None:
    """The sensor's period from the times of changes; None if it changed less than three times.

    Looks are too rare to see a fast sensor: then it is their interval.
    """
    if len(change_times_ns) < MIN_TICKS + 1:
        return None
    gaps = np.diff(change_times_ns) / 1e9
    middle = float(np.median(gaps))
    usual = gaps[(gaps > 0.5 * middle) & (gaps < 1.5 * middle)]
    return float(usual.mean()) if len(usual) else middle


def span_by_ticks(
    trace: Trace, energies: np.ndarray, changes: np.ndarray, ticks: np.ndarray, span: tuple[int, int], step_s: float
) -> Part | None:
    """Power from tick to tick inside ``span``, or None if too few ticks lie in it, or too little between them."""
    inside = np.flatnonzero((ticks >= span[0]) & (ticks <= span[1]))
    if len(inside) < MIN_TICKS:
        return None
    first, last = inside[0], inside[-1]
    seconds = float(ticks[last] - ticks[first]) / 1e9
    if seconds < 0.5 * (span[1] - span[0]) / 1e9:
        return None
    power_w = float(energies[changes[last]] - energies[changes[first]]) / 1e6 / seconds
    slopes = np.diff(energies[changes[inside]]) / 1e6 / (np.diff(ticks[inside]) / 1e9)
    # Between two ticks a poll more or less counts as power: the median of a few is steadier than the largest.
    peak_w = max(float(np.quantile(slopes, 0.9)), power_w)
    at_first = trace.times_ns[changes[first]] - trace.times_ns[changes[first] - 1]
    at_last = trace.times_ns[changes[last]] - trace.times_ns[changes[last] - 1]
    polls_s = float(at_first + at_last) / 2e9
    # Of what lies outside the ticks nothing is known but that the load ran; up to a period at each end is usual.
    period_s = seconds / (len(inside) - 1)
    unseen_s = max(0.0, (span[1] - span[0]) / 1e9 - seconds - 2 * period_s)
    bound = math.hypot(polls_s / seconds * HEADROOM * peak_w / power_w, step_s / seconds) + unseen_s / seconds
    return Part(power_w, seconds, peak_w, bound)


def stood_still_s(times_ns: np.ndarray, ticks: np.ndarray, spans: Spans) -> tuple[float, float]:
    """The longest and second longest time within a span in which the counter was looked at and did not move.

    Time in which nobody looked does not count: that is the sampler's fault, and in the bounds.
    """
    longest_ns = [0.0, 0.0]
    for start, end in spans:
        inside = ticks[(ticks > start) & (ticks < end)]
        edges = np.concatenate(([start], inside, [end]))
        first = np.searchsorted(times_ns, edges[:-1], "left")  # looks between two ticks: times_ns[first : last + 1]
        last = np.searchsorted(times_ns, edges[1:], "right") - 1
        seen = last > first
        longest_ns = sorted([*longest_ns, *(times_ns[last[seen]] - times_ns[first[seen]]).tolist()])[-2:]
    return longest_ns[1] / 1e9, longest_ns[0] / 1e9
