"""Energy of a window from the samples of a sensor: the one place where this arithmetic is done.

Notation: a window of spans W (seconds, under load), samples at times t of a counter E (J) or a power P
(W). What is estimated is the average power within the spans; energy is that times their duration.

* ``counter_tick``: power from the first to the last tick (change of the counter) inside a span. A tick
  lies between two looks, so each end is known to half a poll.
* ``counter_naive``: where a span holds fewer than two ticks: counter at its end less at its start.
* ``integral``: mean of the power samples over time; samples whose average reaches back before the load
  are dropped.

Uncertainties are relative half-widths of 95 % intervals or wider: sums of bounds, as derived in
docs/power.md. Sensors that look at part of each period get an interval from the spread between
spans of different phase: a load that resonates with the sensor shows nowhere else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from results.energy_ticks import HEADROOM, MAX_STILL_PERIODS, Part, Spans, period_s_of, span_by_ticks, stood_still_s
from results.energy_trace import Trace, unwrap
from results.precision import NUM_BATCHES, relative_half_width

# After a change of load an average over A seconds is right A seconds later, and shown at the next update.
SETTLE_S = 0.1
# A power sample says what is; with fewer in a span there is no mean to speak of.
MIN_POWER_SAMPLES = 3
# A power told in this many steps or more does not stay the same to the last digit over so many periods.
WATT_UW = 1_000_000
FINE_STEPS, STUCK_PERIODS, STUCK_PERIOD_S = 1000, 30, 0.1
# Between two looks so far apart nothing is taken for granted, however slowly the sensor changes.
MAX_POLL_S = 0.1


class Estimate(NamedTuple):
    """Average power within a window, or None with the reason. Watts, seconds, relative half-widths."""

    power_w: float | None = None
    method: str | None = None
    num_samples: int = 0
    poll_s: float | None = None
    max_gap_s: float | None = None
    update_s: float | None = None
    peak_w: float | None = None
    u_window: float | None = None
    reason: str = ""


def counter_energy(
    trace: Trace,
    spans: Spans,
    step_s: float,
    gap_share: float = 0.0,
    wrap_uj: int | None = None,
    part_time: bool = False,
) -> Estimate:
    """Average power by an energy counter.

    Args:
        trace: of the counter, in microjoules.
        spans: (start, end) in ns, under load.
        step_s: time after which the load repeats: a step, or a cycle of them.
        gap_share: share of the spans in which the device had nothing to do.
        wrap_uj: see :func:`unwrap`.
        part_time: what it counts may be seen during part of each period only.
    """
    looks = _looks(trace, spans)
    if looks.reason:
        return looks
    try:
        energies = unwrap(trace.values, wrap_uj, trace.times_ns)
    except ValueError as error:
        return looks._replace(reason=str(error))
    changes = np.flatnonzero(np.diff(energies) > 0) + 1  # the first look at each new value
    update_s = period_s_of(trace.times_ns[changes])
    looks = looks._replace(update_s=update_s)
    if not len(changes):
        return looks._replace(reason="the energy counter did not move: the card does not count, or the window is short")
    if step_s == 0:
        return _unloaded(trace, energies, spans, looks)
    ticks = (trace.times_ns[changes] + trace.times_ns[changes - 1]) / 2
    still_s, next_s = stood_still_s(trace.times_ns, ticks, spans)
    if update_s is not None and still_s > MAX_STILL_PERIODS * max(update_s, next_s):
        why = f"the energy counter stood still for {still_s:.3g} s under load, where it moves every {update_s:.3g} s"
        return looks._replace(reason=why)
    parts = [span_by_ticks(trace, energies, changes, ticks, span, step_s) for span in spans]
    if any(part is None for part in parts):
        found = _naive(trace, energies, spans, looks, gap_share)
        return found._replace(u_window=None) if part_time else found
    measured = [part for part in parts if part]
    found = _joined(measured, spans, looks, "counter_tick", gap_share)
    return _phased(found, measured) if part_time else found


def power_energy(
    trace: Trace,
    spans: Spans,
    step_s: float,
    gap_share: float = 0.0,
    loaded_before_s: float = 0.0,
    averaging_s: float | None = None,
    part_time: bool = False,
    update_s: float | None = None,
    least_uw: int | None = None,
) -> Estimate:
    """Average power by power samples.

    Args:
        trace: of the power, in microwatts.
        spans: (start, end) in ns, under load.
        step_s: time after which the load repeats: a step, or a cycle of them.
        gap_share: share of the spans in which the device had nothing to do.
        loaded_before_s: the same load ran for so long before each span.
        averaging_s: each sample is an average over so long.
        part_time: the sensor looks at part of its period only.
        update_s: the sensor's documented period, used where none can be seen.
        least_uw: the least step of its value.
    """
    looks = _looks(trace, spans)
    if looks.reason:
        return looks
    if least_uw and _is_stuck(trace, update_s, least_uw):
        same = f"the power value stayed the same to the last digit for {STUCK_PERIODS} periods"
        why = f"{same}: it is stuck, or the load has the sensor's period"
        return looks._replace(reason=why)
    seen = period_s_of(trace.times_ns[np.flatnonzero(np.diff(trace.values) != 0) + 1])
    if update_s and looks.poll_s and looks.poll_s > 0.5 * update_s:
        seen = None  # each look is a value of its own: that some are alike says nothing of the period
    update_s = seen or update_s or looks.poll_s or 0.0
    looks = looks._replace(update_s=update_s)
    drop_ns = round(1e9 * max(0.0, (averaging_s or 0.0) + SETTLE_S - loaded_before_s)) if averaging_s else 0
    step_w = (least_uw or 0) / WATT_UW
    parts = []
    for start, end in spans:
        part = _span_by_power(trace, (start + drop_ns, end), update_s, step_s)
        if part is None:
            why = f"fewer than {MIN_POWER_SAMPLES} power samples in a window of {(end - start) / 1e9:.3g} s"
            return looks._replace(reason=why)
        # A value that is cut off, not rounded, is a whole step too low at worst.
        parts.append(part._replace(bound=part.bound + step_w / part.power_w) if part.power_w > 0 else part)
    found = _joined(parts, spans, looks, "integral", gap_share)
    return _phased(found, parts) if part_time else found


def add_up(parts: Sequence[Estimate]) -> Estimate:
    """Estimates of disjoint parts of one scope as one: two sockets. One without a number spoils all."""
    missing = next((part for part in parts if part.power_w is None), None)
    if missing is not None or len(parts) == 1:
        return missing or parts[0]
    powers = [part.power_w or 0.0 for part in parts]
    total = sum(powers)
    known = all(part.u_window is not None for part in parts)
    windows = [(part.u_window or 0.0) * power for part, power in zip(parts, powers, strict=True)]
    return parts[0]._replace(
        power_w=total,
        method=parts[0].method if len({part.method for part in parts}) == 1 else "counter_naive",
        num_samples=min(part.num_samples for part in parts),
        max_gap_s=max(part.max_gap_s or 0.0 for part in parts),
        update_s=max((part.update_s for part in parts if part.update_s), default=None),
        peak_w=sum(part.peak_w or 0.0 for part in parts),
        u_window=sum(windows) / total if total > 0 and known else None,
    )


def relative_total(u_window: float | None, u_sensor: float | None) -> float | None:
    """Root of the sum of squares; None if one is not known."""
    return None if u_window is None or u_sensor is None else math.hypot(u_window, u_sensor)


def _looks(trace: Trace, spans: Spans) -> Estimate:
    """What the looks say whatever the values are; with a reason if they do not cover the spans."""
    times = trace.times_ns
    if len(times) < 2:
        return Estimate(num_samples=len(times), reason=f"the sensor was read {len(times)} times")
    inside = np.zeros(len(times), bool)
    max_gap_ns = 0
    for start, end in spans:
        inside |= (times >= start) & (times <= end)
        # Also the gaps across the ends: a sensor that fell silent shows there.
        around = np.concatenate(([start], times[(times > start) & (times < end)], [end]))
        max_gap_ns = max(max_gap_ns, int(np.diff(around).max()))
    poll_s = float(np.median(np.diff(times))) / 1e9
    looks = Estimate(num_samples=int(inside.sum()), poll_s=poll_s, max_gap_s=max_gap_ns / 1e9)
    shortest_ns = min(end - start for start, end in spans)
    if shortest_ns <= 0:
        return looks._replace(reason="the window is empty")
    if times[0] > spans[0][1] or times[-1] < spans[-1][0]:
        return looks._replace(reason="the sensor was not read within the window")
    return looks


def _naive(trace: Trace, energies: np.ndarray, spans: Spans, looks: Estimate, gap_share: float) -> Estimate:
    """Counter at the end of each span less at its start, by the last looks before them."""
    parts = []
    for start, end in spans:
        low, high = (max(0, int(np.searchsorted(trace.times_ns, t, "right")) - 1) for t in (start, end))
        seconds = (end - start) / 1e9
        power_w = float(energies[high] - energies[low]) / 1e6 / seconds
        period_s = looks.update_s or looks.poll_s
        if power_w <= 0 or period_s is None or looks.update_s is None:
            why = f"the energy counter did not move often enough in a window of {seconds:.3g} s"
            return looks._replace(reason=why)
        parts.append(Part(power_w, seconds, power_w, period_s / seconds * HEADROOM))
    return _joined(parts, spans, looks, "counter_naive", gap_share)


def _is_stuck(trace: Trace, update_s: float | None, least_uw: int) -> bool:
    """Whether a fine-grained value did not change over so many of its periods."""
    changes = np.flatnonzero(np.diff(trace.values) != 0) + 1
    first = np.concatenate(([0], changes))  # of each run of equal values
    last = np.concatenate((changes - 1, [len(trace.values) - 1]))
    seconds = (trace.times_ns[last] - trace.times_ns[first]) / 1e9
    values = trace.values[first]
    is_fine = (values >= FINE_STEPS * least_uw) & (values % WATT_UW != 0)  # whole watts may be all that it tells
    return bool((is_fine & (seconds >= STUCK_PERIODS * (update_s or STUCK_PERIOD_S))).any())


def _unloaded(trace: Trace, energies: np.ndarray, spans: Spans, looks: Estimate) -> Estimate:
    """Without a load a counter may move in rare steps: its difference, right to one of its steps at either end."""
    start, end = spans[0][0], spans[-1][1]
    low, high = (max(0, int(np.searchsorted(trace.times_ns, t, "right")) - 1) for t in (start, end))
    energy_j, seconds = float(energies[high] - energies[low]) / 1e6, (end - start) / 1e9
    if energy_j <= 0:
        return looks._replace(reason=f"the energy counter did not move in {seconds:.3g} s without a load")
    largest_j = float(np.diff(energies[low : high + 1]).max()) / 1e6
    power_w = energy_j / seconds
    return looks._replace(
        power_w=power_w, method="counter_naive", peak_w=power_w, u_window=largest_j / energy_j,
    )  # fmt: skip


def _span_by_power(trace: Trace, span: tuple[int, int], update_s: float, step_s: float) -> Part | None:
    """Mean power over ``span``; each sample holds until the next."""
    times, (start, end) = trace.times_ns, span
    inside = np.flatnonzero((times >= start) & (times <= end))
    if len(inside) < MIN_POWER_SAMPLES:
        return None
    values_w = trace.values[inside] / 1e6
    lengths_s = np.diff(np.concatenate((times[inside], [end])).astype(float)) / 1e9
    seconds = float(lengths_s.sum())
    if seconds <= 0:
        return None
    power_w = float((values_w * lengths_s).sum() / seconds)
    peak_w = float(values_w.max())
    if power_w <= 0:
        return Part(power_w, seconds, peak_w, math.inf)
    # While nobody looked the sensor may have said anything up to its peak.
    edges = np.concatenate(([start], times[inside], [end]))
    blind_s = float(np.maximum(np.diff(edges) / 1e9 - max(update_s, MAX_POLL_S), 0).sum())
    bound = math.hypot((update_s + blind_s) / seconds * max(peak_w / power_w, 1.0), step_s / seconds)
    return Part(power_w, seconds, peak_w, math.hypot(bound, _sampling(values_w * lengths_s, lengths_s)))


def _sampling(energies_j: np.ndarray, lengths_s: np.ndarray) -> float:
    """Relative half-width (95 %) of the mean of samples that may each be of one moment only: over batches of them."""
    edges = np.linspace(0, len(energies_j), NUM_BATCHES + 1).astype(int)
    if (np.diff(edges) == 0).any():
        return 1.0  # too few to tell
    batches = np.add.reduceat(energies_j, edges[:-1]) / np.add.reduceat(lengths_s, edges[:-1])
    return relative_half_width([float(power) for power in batches]) or 0.0


def _joined(parts: Sequence[Part], spans: Spans, looks: Estimate, method: str, gap_share: float) -> Estimate:
    """Spans together: power weighted with their durations, bounds added up as if they all erred alike."""
    durations = [(end - start) / 1e9 for start, end in spans]
    total_s = sum(durations)
    energy_j = sum(part.power_w * seconds for part, seconds in zip(parts, durations, strict=True))
    power_w = energy_j / total_s
    if not math.isfinite(power_w) or power_w <= 0:
        return looks._replace(reason=f"the sensor says {power_w:g} W under load, which cannot be")
    errors = sum(part.bound * part.power_w * seconds for part, seconds in zip(parts, durations, strict=True))
    return looks._replace(
        power_w=power_w,
        method=method,
        peak_w=max(part.peak_w for part in parts),
        u_window=errors / energy_j + _of_gaps(gap_share),
    )


def _of_gaps(gap_share: float) -> float:
    """Bound of the relative error by time without load: all its energy may be missing from what the load took."""
    return gap_share / (1 - gap_share) if gap_share < 1 else math.inf


def _phased(found: Estimate, parts: Sequence[Part]) -> Estimate:
    """``found`` with the spread between spans of different phase in its interval; none if there is one span only."""
    if found.power_w is None:
        return found
    number = min(len(parts), NUM_BATCHES)
    edges = [k * len(parts) // number for k in range(number + 1)]
    powers = [sum(p.power_w for p in parts[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    spread = relative_half_width(powers) if number > 1 else None
    return found._replace(u_window=None if spread is None else math.hypot(found.u_window or 0.0, spread))
