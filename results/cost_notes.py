"""What a buyer must read beside the dollars of one case, and how sure its measured rate is."""

from __future__ import annotations

import math

from results.case_summary import CaseSummary
from results.failed_guards import GUARDS_OF_TIMES, of_energy

ALONE = "of one process: how processes differ is not known, and not in it"


def failed_guards(case: CaseSummary) -> dict[str, str]:
    """Name and reason of each guard that FAILed and is about times; guards of energy bar no time."""
    found: dict[str, str] = {}
    for guard in case.guards:
        if guard.verdict == "FAIL" and not of_energy(guard.name):
            found.setdefault(guard.name, guard.reason or "no reason was given")
    return found


def disturbed(case: CaseSummary) -> str:
    """Which guards say that the machine was disturbed; "" if none does.

    Those that look at the spread of the very times are not among them: what they warn of is in the interval, and
    to leave results out by them would be to choose by outcome. So it is with verdicts (``results.failed_guards``).
    """
    found = {name: why for name, why in failed_guards(case).items() if name not in GUARDS_OF_TIMES}
    if not found:
        return ""
    first = next(iter(found))
    rest = f"; also {', '.join(list(found)[1:])}" if len(found) > 1 else ""
    return f"guard FAIL: {first}: {found[first]}{rest}"


def _guards(case: CaseSummary) -> list[str]:
    """One note for those that say that the machine was disturbed, one for the spread of times."""
    spread = {name: why for name, why in failed_guards(case).items() if name in GUARDS_OF_TIMES}
    notes = [disturbed(case)] if disturbed(case) else []
    if spread:
        notes.append(f"times scatter: guard FAIL: {', '.join(spread)}")
    return notes


def case_notes(case: CaseSummary) -> tuple[str, ...]:
    """Failed guards, rates that are not steady, emulated precision; empty for a case that is not ok."""
    if case.status != "ok":
        return ()
    notes = _guards(case)
    notes += [case.steady_notes] if case.steady_notes else []
    notes += [f"emulated precision: {case.support_reason}"] if case.support == "emulated" else []
    return tuple(notes)


def rate_half_width(case: CaseSummary) -> tuple[float | None, str]:
    """The 95 % half-width of the throughput, relative, or None with the reason.

    The larger of two: the widest t interval of the mean step time within a process, over its throughput
    windows (``step_half_width``), and the t interval over processes, ``t(n-1) * sd / sqrt(n)``, with ``sd`` of
    the logarithms of their mean step times (``step_process_sd``). A relative error of a step time is one of the
    rate and of the dollars. With one process there is only the first.
    """
    if case.throughput_per_s is None:
        return None, case.throughput_per_s_reason or "no throughput"
    spread = _over_processes(case)
    known = [width for width in (case.step_half_width, spread) if width is not None]
    if not known:
        return None, case.step_half_width_reason or "not known"
    return max(known), ""


def _over_processes(case: CaseSummary) -> float | None:
    if case.step_process_sd is None or case.num_processes < 2:
        return None
    from scipy.special import stdtrit

    return float(stdtrit(case.num_processes - 1, 0.975)) * case.step_process_sd / math.sqrt(case.num_processes)
