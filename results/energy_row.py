"""When the energies of two sides may be held against each other, and when they tell anything.

Both sides must have measured the same thing in the same way (pass, scope, source, method): else
the row is not comparable, whatever the times are. And the meters must be precise enough: the error
of a window does not shrink as processes agree, so it must be well below the change that matters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from results.comparison import Difference
from results.failed_guards import by_guard
from results.records import Measurement
from results.session_case import Process, SessionCase, StepEnergy
from results.verdict import Rule

# The uncertainty of both sides together may be this share of the smallest change that matters.
MAX_SHARE = 1 / 3
MAX_GUARDS = 3  # said in full
# Of one card in the world: the names that NVML gives. Bus ids, hwmon folders, RAPL zones and the names of files
# are the same on many machines.
UUID = re.compile(r"(?:MIG-GPU|MIG|GPU)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/\d+/\d+)?")
# What must be the same: name of the difference -> field of the evidence.
SAME = {"energy_pass": "scenario", "energy_scope": "scope", "energy_source": "source", "energy_method": "method"}

Sessions = Sequence[SessionCase]


def energy_differences(base: Sessions, new: Sessions) -> list[Difference]:
    """What was not measured in the same way by all processes of both sides; empty if all was."""
    if len({(e.scenario, e.scope, e.source, e.method) for e in (*_evidence(base), *_evidence(new))}) == 1:
        return []  # so it nearly always is
    found = []
    for key, field in SAME.items():
        sides = [sorted({str(getattr(e, field)) for e in _evidence(side)}) for side in (base, new)]
        if len({*sides[0], *sides[1]}) > 1:
            found.append(Difference(key=key, base=" | ".join(sides[0]), new=" | ".join(sides[1])))
    return found


def too_uncertain(base: Sessions, new: Sessions, rule: Rule) -> str:
    """Why the meters are not precise enough for a verdict, with the number; "" if they are.

    A sensor's own error is mostly a gain of the card: it cancels in the ratio of two energies on one
    card, and nowhere else.
    """
    limit = MAX_SHARE * math.expm1(rule.min_change)
    u_window = of_windows(base, new)
    if u_window is None or u_window > limit:
        return f"u_window is {_percent(u_window)} for both sides together, {_above(limit)}"
    if _one_card(base, new):
        return ""
    u_sensor = _both(base, new, lambda e: e.u_sensor)
    if u_sensor is None or u_sensor > limit:
        number = f"u_sensor is {_percent(u_sensor)} for both sides together"
        return f"{_cards(base, new)}, and {number}, {_above(limit)}"
    return ""


def of_windows(base: Sessions, new: Sessions) -> float | None:
    """``u_window`` of both sides together, relative; None if it is not known."""
    return _both(base, new, lambda e: e.u_window)


def incomplete(new: Sessions) -> str:
    """Why energy may not decide: processes of the candidate that have a time and no energy; "" if all have both.

    What was lost may have been lost because of the change: half a candidate is not let through.
    """
    processes = [p for session in new for p in session.processes]
    lacking = sum(p.step_j is None for p in processes)
    if not lacking:
        return ""
    why = left_out(new) or "no meter was asked"
    return f"{lacking} of {len(processes)} processes of the candidate have no energy ({why}), and energy decides here"


def left_out(sessions: Sessions) -> str:
    """Which processes of a side have no energy, and why, each reason once; "" if all have, or nobody asked."""
    processes = [p for session in sessions for p in session.processes]
    told = [p.energy.why_not if p.energy is not None else () for p in processes]
    return "; ".join(by_guard(told, MAX_GUARDS))


def absence(processes: Sequence[Process], measurements: Sequence[Measurement]) -> str:
    """Which processes of a session have no energy though a meter read their device; "" if there are none."""
    if not any(reading.meter for m in measurements for reading in m.energy):
        return ""
    return "; ".join(by_guard([p.energy.why_not if p.energy is not None else () for p in processes], MAX_GUARDS))


def has_energy(sessions: Sessions) -> bool:
    """Whether any process has an energy that is evidence."""
    return bool(_measured(sessions))


def _measured(sessions: Sessions) -> list[Process]:
    return [p for session in sessions for p in session.processes if p.step_j is not None]


def _evidence(sessions: Sessions) -> list[StepEnergy]:
    return [p.energy or StepEnergy() for p in _measured(sessions)]


def _both(base: Sessions, new: Sessions, read: Callable[[StepEnergy], float | None]) -> float | None:
    """Root of the sum of squares of both sides' uncertainties; None if one of a process is not known.

    Within a side they may all err alike, so that of the side is the mean and not less: sessions count
    alike, as in the ratio itself.
    """
    total = 0.0
    for side in (base, new):
        means = []
        for session in side:
            values = [read(evidence) for evidence in _evidence([session])]
            known = [value for value in values if value is not None]
            if len(known) < len(values):
                return None
            means += [math.fsum(known) / len(known)] if known else []
        total = math.hypot(total, math.fsum(means) / len(means))
    return total


def _ids(side: Sessions) -> set[tuple[str, str]]:
    """(host, device) of each process with energy; the host is empty where the device's id is unique without it."""
    found = set()
    for session in side:
        for evidence in _evidence([session]):
            device = evidence.device_id or ""
            found.add(("" if UUID.fullmatch(device) else session.host_id, device))
    return found


def _one_card(base: Sessions, new: Sessions) -> bool:
    cards = _ids(base) | _ids(new)
    return len(cards) == 1 and all(map(_is_known, cards))


def _is_known(card: tuple[str, str]) -> bool:
    host, device = card
    return bool(device and (host or UUID.fullmatch(device)))


def _cards(base: Sessions, new: Sessions) -> str:
    """``the cards are not the same (GPU-1 in the baseline, GPU-2 here)``, or that nobody knows."""
    ids = [_ids(side) for side in (base, new)]
    if not all(map(_is_known, ids[0] | ids[1])):
        return "it is not known whether the cards are the same"
    hosts = len({host for host, _ in ids[0] | ids[1] if host}) > 1
    names = [sorted(f"{device} of host {host}" if hosts and host else device for host, device in side) for side in ids]
    return f"the cards are not the same ({', '.join(names[0])} in the baseline, {', '.join(names[1])} here)"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{100 * value:.3g} %"


def _above(limit: float) -> str:
    share = f"{100 * limit:.3g} % (a third of the change that matters)"
    return f"and at most {share} is precise enough; longer windows narrow it (run --energy)"
