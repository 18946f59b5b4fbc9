"""Guards on energy readings: ``energy_*``, one verdict for all passes of a replicate.

The main reading of each pass is judged, and the worse pass tells. Only ``energy_window`` is of the
main pass alone: the others may be short, and their own ``u_window`` says how little they know then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from harness.guards.base import Unreadable, judge
from harness.guards.guard_set import attempt
from harness.guards.table import GUARD
from results.record import GuardVerdict
from results.records import EnergyReading, Guard

SEVERITY: dict[GuardVerdict, int] = {"PASS": 0, "UNKNOWN": 1, "WARN": 2, "FAIL": 3}
# No device draws less under load than when idle; a fifth less is left to the sensor and the time of idling.
LOW_OF_IDLE = 0.8
# Limits are held by control loops, and sensors are up to 11 % off (see harness.meters.channel.U_SENSOR).
HIGH_OF_LIMIT = 1.1
# A sensor that looks at part of each period is blind to the phase of loads whose period is so many
# times its own, or one so many-th of it; beyond, little of a step is missed.
MAX_MULTIPLE = 10
# The period of all sensors known to look at part of it (A100, H100: see docs/power.md).
PART_TIME_PERIOD_S = 0.1


class Judgement(NamedTuple):
    """One guard.

    Attributes:
        name: a key of the table.
        applies: whether there is anything to judge in a reading.
        verdict: of one reading with an energy; raises Unreadable.
        main_only: only the main pass counts.
        long_only: windows too short to average anything out cannot be judged.
    """

    name: str
    applies: Callable[[EnergyReading], bool]
    verdict: Callable[[EnergyReading], Guard]
    main_only: bool = False
    long_only: bool = False


def energy_guards(readings: Sequence[EnergyReading]) -> tuple[Guard, ...]:
    """What is wrong with the main reading of each pass; none where no meter reads the device.

    Args:
        readings: of all passes, in the order they ran; of each pass the main reading first.
    """
    passes = _main_readings(readings)
    found = []
    for judgement in JUDGEMENTS:
        of_passes = passes[:1] if judgement.main_only else passes
        # Where there is no energy the reason is said once, by one guard.
        of_passes = [r for r in of_passes if r.energy_j is not None or judgement.name == "energy_gap"]
        verdicts = [guard for reading in of_passes if (guard := _judged(judgement, reading, reading is passes[0]))]
        if verdicts:
            found.append(max(verdicts, key=lambda guard: SEVERITY[guard.verdict]))  # of equals the first
    return tuple(found)


def _main_readings(readings: Sequence[EnergyReading]) -> list[EnergyReading]:
    """The first reading of each pass, if a meter was there for it: what else was read does not take its place."""
    found: dict[str | None, EnergyReading] = {}
    for reading in readings:
        found.setdefault(reading.scenario, reading)
    return [reading for reading in found.values() if reading.meter is not None]


def _judged(judgement: Judgement, reading: EnergyReading, is_main: bool) -> Guard | None:
    """The verdict on one pass, or None if the guard has nothing to say of it."""
    if not judgement.applies(reading):
        return None
    is_known = reading.energy_j is not None
    if judgement.long_only and is_known and not is_main and _is_short(reading):
        return None
    found: list[Guard] = []
    failed = attempt(judgement.name, lambda: found.append(_verdict(judgement, reading)))
    guard = failed or found[0]
    # Where a limit is a multiple of what could not be read, there is none to store.
    threshold = None if failed and GUARD[guard.name].warn_of else guard.threshold
    reason = f"{reading.scenario}: {guard.reason}" if reading.scenario else guard.reason
    return msgspec.structs.replace(guard, threshold=threshold, reason=reason)


def _verdict(judgement: Judgement, reading: EnergyReading) -> Guard:
    if reading.energy_j is None:
        raise Unreadable(reading.reason or "there is no energy, and no reason was given")
    if judgement.long_only and _is_short(reading):
        raise Unreadable("the window is too short to tell")
    return judgement.verdict(reading)


def _is_short(reading: EnergyReading) -> bool:
    """Whether a tick more or less, at either end of the window, may outweigh what is judged."""
    if reading.duration_s is None:
        return True
    if reading.update_s is None:  # a counter that ticked less than three times, or a meter that does not tell
        return reading.method == "counter_naive"
    return reading.duration_s < (GUARD["energy_window"].fail or 0.0) * reading.update_s


def _window(reading: EnergyReading) -> Guard:
    seconds, spec = _known(reading.duration_s, "the length of the window"), GUARD["energy_window"]
    warn = spec.warn or 0.0
    if reading.update_s is None:
        reason = f"{seconds:.3g} s; the sensor's period is not known"
        if seconds >= warn:
            raise Unreadable(reason)
        return _limited("energy_window", seconds, warn, None, reason)
    fail = (spec.fail or 0.0) * _known(reading.update_s, "the sensor's period")
    needed = f", {fail:.3g} s are needed" if seconds < fail else ""
    reason = f"{seconds:.3g} s, the sensor's period is {reading.update_s:.3g} s{needed}"
    return _limited("energy_window", seconds, warn, fail, reason)


def _gap(reading: EnergyReading) -> Guard:
    spec = GUARD["energy_gap"]
    gap_s = _known(reading.max_gap_s, "the longest gap")
    poll_s = _known(reading.poll_s, "the poll interval")
    warn = (spec.warn or 0.0) * poll_s
    reason = f"{gap_s:.3g} s without a look, usually {poll_s:.3g} s"
    if reading.update_s is None:
        if gap_s > warn:
            raise Unreadable(f"{reason}; the sensor's period is not known")
        return _limited("energy_gap", gap_s, warn, None, reason)
    update_s = _known(reading.update_s, "the sensor's period")
    # Polls are more frequent than the sensor's updates, and on a busy host now and then one comes late
    # by more than itself: until an update can have been missed nothing is lost.
    warn = max(warn, update_s)
    fail = max((spec.fail or 0.0) * update_s, warn)
    # A counter counts on while nobody looks; what a gap at an end of the window costs is in u_window.
    can_fail = not (reading.method or "").startswith("counter")
    return _limited("energy_gap", gap_s, warn, fail if can_fail else None, reason)


def _crosscheck(reading: EnergyReading) -> Guard:
    if reading.crosscheck_ratio is None:
        raise Unreadable(f"{reading.crosscheck_source} gave no power")
    ratio = reading.crosscheck_ratio
    return judge("energy_crosscheck", abs(ratio - 1), f"{ratio:.3f} times that of {reading.crosscheck_source}")


def _range(reading: EnergyReading) -> Guard:
    power_w = _known(reading.average_power_w, "the average power")
    outside, texts = [0.0], [f"{power_w:.3g} W"]
    if reading.idle_power_w is not None:
        low_w = LOW_OF_IDLE * _known(reading.idle_power_w, "idle power")
        outside.append(1 - power_w / low_w if low_w > 0 else 0.0)
        texts.append(f"idle {reading.idle_power_w:.3g} W")
    if reading.power_limit_w is not None:
        limit_w = _known(reading.power_limit_w, "the power limit")
        if limit_w <= 0:
            raise Unreadable(f"the power limit reads {limit_w:g} W")
        outside.append(power_w / (HIGH_OF_LIMIT * limit_w) - 1)
        texts.append(f"limit {limit_w:.3g} W")
    return judge("energy_range", max(outside), ", ".join(texts))


def _resonance(reading: EnergyReading) -> Guard:
    # Steps of a cycle are nearly alike, so the load repeats with the step.
    if not reading.steps:
        raise Unreadable("the number of steps in the window is not known")
    step_s = _known(reading.duration_s, "the length of the window") / reading.steps
    period_s = PART_TIME_PERIOD_S if reading.update_s is None else _known(reading.update_s, "the sensor's period")
    if not (step_s > 0 and period_s > 0):
        raise Unreadable(f"a step of {step_s:g} s and a sensor period of {period_s:g} s have no ratio")
    factors = [factor for k in range(1, MAX_MULTIPLE + 1) for factor in (k, 1 / k)]
    nearest = min(factors, key=lambda factor: abs(step_s / period_s / factor - 1))
    times = f"{nearest:g} times" if nearest >= 1 else f"1/{round(1 / nearest)} of"
    reason = f"a step takes {step_s:.4g} s; next is {times} the sensor's {period_s:.4g} s"
    return judge("energy_resonance", abs(step_s / period_s / nearest - 1), reason)


def _known(value: float | None, what: str) -> float:
    """``value``, or Unreadable where it is missing or no number."""
    if value is None or not math.isfinite(value):
        raise Unreadable(f"{what} is not known" if value is None else f"{what} reads {value}")
    return value


def _limited(name: str, value: float, warn: float, fail: float | None, reason: str) -> Guard:
    """The verdict by limits worked out here; the threshold is the one crossed, else the first on the way."""
    is_below = GUARD[name].below

    def crossed(limit: float) -> bool:
        return value < limit if is_below else value > limit

    verdict: GuardVerdict = "WARN" if crossed(warn) else "PASS"
    threshold = warn
    if fail is not None and crossed(fail):
        verdict, threshold = "FAIL", fail
    elif verdict == "PASS" and fail is not None:
        threshold = max(warn, fail) if is_below else min(warn, fail)
    return Guard(name=name, value=value, threshold=threshold, verdict=verdict, reason=reason)


JUDGEMENTS = (
    Judgement("energy_window", lambda reading: True, _window, main_only=True),
    # A meter that takes a difference does not look in between, so there is no gap.
    Judgement("energy_gap", lambda r: r.energy_j is None or (r.poll_s, r.max_gap_s) != (None, None), _gap),
    Judgement("energy_crosscheck", lambda reading: reading.crosscheck_source is not None, _crosscheck, long_only=True),
    Judgement("energy_range", lambda r: (r.idle_power_w, r.power_limit_w) != (None, None), _range, long_only=True),
    Judgement("energy_resonance", lambda reading: reading.part_time, _resonance),
)
