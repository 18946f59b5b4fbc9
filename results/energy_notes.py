"""What must be said beside energies: what they are of, how sure they are, and why some are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import units
from results.case_summary import CaseSummary
from results.energy_record import SCOPES
from results.metrics import METRIC

# Below this the ends of the window weigh too much to quote the energy.
SHORT_WINDOW_S = 10.0
# From here on the half-width hides differences that one would act on.
WIDE = 0.1
# More different texts than these are counted.
MAX_TEXTS = 3
SHORT = f"short window: metered over less than {SHORT_WINDOW_S:g} s, not to be quoted"


def failed_guards(case: CaseSummary) -> list[str]:
    """Names of the energy guards that say FAIL."""
    return list(dict.fromkeys(g.name for g in case.guards if g.name.startswith("energy_") and g.verdict == "FAIL"))


def is_short(case: CaseSummary) -> bool:
    """Whether some process was metered over too short a time."""
    return case.energy_window_s is not None and case.energy_window_s < SHORT_WINDOW_S


def mark(case: CaseSummary) -> str:
    """``!`` beside an energy that must not be compared."""
    return "!" if failed_guards(case) or case.numbers_from == "invalid" else ""


def energy_row_notes(case: CaseSummary) -> list[str]:
    """Of one row of the energy table."""
    notes = [f"* {SHORT}"] if is_short(case) else []
    failed = failed_guards(case)
    if failed:
        notes.append(f"! energy that a guard says FAIL of ({', '.join(failed)}): shown, but not to be compared")
    if case.numbers_from == "invalid":
        notes.append("! energy of an invalid result: measured, but not to be compared")
    if case.functional_only:
        notes.append(case.functional_only)
    if case.energy_per_item_j is None:
        notes.append(f"J per item n/a: {case.energy_per_item_j_reason}")
    if case.energy_uncertainty is None:
        notes.append(f"+- n/a: {case.energy_uncertainty_reason}")
    return notes


def energy_notes(cases: Sequence[CaseSummary]) -> list[str]:
    """Of all rows: what was metered, how sure it is, idle power, and reasons of what is missing."""
    measured = [case for case in cases if case.numbers_from]
    with_energy = [case for case in measured if case.energy_j is not None]
    missing = _missing(measured, with_energy)
    if not with_energy:
        return missing
    return [
        f"energy: {some(map(what, with_energy), '; or ')}; gross, idle power included",
        "J per item, items/s/W: of tokens where the workload has tokens; a second times a watt is a joule; "
        "tokens/s/MW is a million times tokens/s/W",
        *_beside(with_energy),
        *_half_widths(with_energy),
        *_idle(with_energy),
        *dict.fromkeys(f"energy: {case.energy_remark}" for case in with_energy if case.energy_remark),
        *missing,
    ]


def what(case: CaseSummary) -> str:
    """``gpu_board (one accelerator board) by NVML ... (counter_tick), in the throughput pass``."""
    scopes = [f"{scope} ({SCOPES[scope]})" if scope in SCOPES else scope for scope in case.energy_scope.split("; ")]
    source = f" by {case.energy_source}" if case.energy_source else ""
    method = f" ({case.energy_method})" if case.energy_method else ""
    passes = f"the {case.energy_scenario} pass" if case.energy_scenario else "both passes"
    return f"{', '.join(scopes) or 'unknown scope'}{source}{method}, in {passes}"


def _beside(cases: Sequence[CaseSummary]) -> list[str]:
    found = list(dict.fromkeys(part for case in cases for part in case.energy_beside.split("; ") if part))
    return [f"metered beside it, and never added: {', '.join(found)}; see --explain CASE"] if found else []


def _half_widths(cases: Sequence[CaseSummary]) -> list[str]:
    known = [case for case in cases if case.energy_uncertainty is not None]
    if not known:
        return []
    precisions = [case.energy_precision for case in known if case.energy_precision is not None]
    widest = units.half_width(max(precisions))
    at_most = " at most" if len(set(precisions)) > 1 else ""
    wide = max(precisions) > WIDE
    alone = sum(case.num_processes == 1 for case in known)
    one = f"; {alone} of {len(known)} rows are of one process: how processes differ is not known, and not in it"
    narrow = "; longer windows (--energy 30) and more processes (--replicates) narrow it"
    return [
        "+-: 95 % half-width of the gross energies of a row: sensor, window and spread of processes; without the "
        f"sensor, which errs alike in all runs on one device, +-{widest}{at_most}"
        + (one if alone else "")
        + (narrow if wide else "")
    ]


def _idle(cases: Sequence[CaseSummary]) -> list[str]:
    known = [case.idle_power_w for case in cases if case.idle_power_w is not None]
    if not known:
        return []
    low, high = units.watts(min(known)), units.watts(max(known))
    watts = low if low == high else f"{low} to {high}"
    return [f"idle power {watts}: energy net of it is in the JSON, with its own half-width"]


def _missing(measured: Sequence[CaseSummary], with_energy: Sequence[CaseSummary]) -> list[str]:
    reasons = [case.energy_j_reason for case in measured if case.energy_j is None]
    if not reasons:
        return []
    share = f" in {len(reasons)} of {len(measured)} cases" if with_energy else ""
    return [f"{METRIC['energy_j'].label} n/a{share}: {some(reasons, '; ')}"]


def some(texts: Iterable[str], separator: str) -> str:
    """The different texts, the first of them in full, the rest counted."""
    distinct = list(dict.fromkeys(texts))
    rest = len(distinct) - MAX_TEXTS
    return separator.join(distinct[:MAX_TEXTS]) + (f"{separator}{rest} more" if rest > 0 else "")
