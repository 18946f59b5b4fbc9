"""Dollars for the metered energy at a tariff: energy only, neither hardware nor rent.

usd_per_x = joules per x * number of x * PUE * tariff / 3.6e6, with the tariff per kWh (3.6e6 J) and the
PUE (power usage effectiveness) as power into the building over power into the machines. The relative
half-width of the energy is that of the dollars: tariff and PUE are taken as given.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from results.case_summary import CaseSummary, Electricity, ElectricityCost, RunSummary
from results.energy_notes import failed_guards, is_short
from results.errors import UsageError
from results.records import Scalar

JOULES_PER_KWH = 3.6e6
MAX_TARIFF_USD_PER_KWH = 10.0
MAX_PUE = 3.0
DEFAULT_PUE = 1.0
# These cover all that a machine takes from the mains.
WHOLE_MACHINE = ("wall", "node")
# Options of the command line that give the two numbers.
OPTIONS = ("--tariff", "--pue")
# Columns beside those of a case in CSV.
CSV_COLUMNS = (
    "tariff_usd_per_kwh", "pue", "electricity_usd_per_1m_items", "electricity_usd_per_1m_tokens",
    "electricity_usd_per_1k_steps", "electricity_half_width", "electricity_reason",
)  # fmt: skip


class Tariff(NamedTuple):
    """Dollars per kWh, and power usage effectiveness."""

    usd_per_kwh: float
    pue: float = DEFAULT_PUE


def checked_tariff(usd_per_kwh: float | None, pue: float | None, names: tuple[str, str] = OPTIONS) -> Tariff | None:
    """The tariff, or None if none is given.

    Args:
        usd_per_kwh: US dollars per kWh.
        pue: power usage effectiveness; None: :data:`DEFAULT_PUE`.
        names: what they are called where they were given, for the messages.

    Raises:
        UsageError: one of them cannot be.
    """
    if usd_per_kwh is None:
        if pue is not None:
            raise UsageError(f"{names[1]} needs {names[0]}: it multiplies the dollars of a tariff")
        return None
    if not 0 < usd_per_kwh < MAX_TARIFF_USD_PER_KWH:
        raise UsageError(
            f"{names[0]} {usd_per_kwh:g}: give US dollars per kWh, above 0 and below {MAX_TARIFF_USD_PER_KWH:g}, "
            "for example 0.12"
        )
    pue = DEFAULT_PUE if pue is None else pue
    if not 1 <= pue <= MAX_PUE:
        raise UsageError(
            f"{names[1]} {pue:g}: power usage effectiveness lies between 1 and {MAX_PUE:g}, for example 1.2"
        )
    return Tariff(usd_per_kwh, pue)


def with_electricity(summary: RunSummary, tariff: Tariff) -> RunSummary:
    """``summary`` with what its energy costs."""
    cases = tuple(cost_of(case, tariff) for case in summary.cases)
    found = Electricity(
        tariff_usd_per_kwh=tariff.usd_per_kwh, pue=tariff.pue, cases=cases, warnings=_warnings(summary, tariff)
    )
    return msgspec.structs.replace(summary, electricity=found)


def csv_fields(tariff: Tariff, cost: ElectricityCost) -> dict[str, Scalar]:
    """The cells of :data:`CSV_COLUMNS`."""
    values = (
        tariff.usd_per_kwh, tariff.pue, cost.usd_per_1m_items, cost.usd_per_1m_tokens,
        cost.usd_per_1k_steps, cost.half_width, cost.reason,
    )  # fmt: skip
    return dict(zip(CSV_COLUMNS, values, strict=True))


def cost_of(case: CaseSummary, tariff: Tariff) -> ElectricityCost:
    """What the energy of one case costs; only one that ended ok has a cost, as in ``chipmark cost``."""
    reason = ""
    if case.status != "ok":
        reason = f"{case.status}: {case.reason or 'no reason was given'}"
    elif case.functional_only:
        reason = case.functional_only
    elif case.energy_per_step_j is None:
        reason = case.energy_per_step_j_reason
    if reason:
        return ElectricityCost(
            case_id=case.case_id, reason=reason, energy_scope=case.energy_scope, half_width_reason=reason
        )

    def usd(joules: float | None, number: float) -> float | None:
        return None if joules is None else joules * number * tariff.pue * tariff.usd_per_kwh / JOULES_PER_KWH

    return ElectricityCost(
        case_id=case.case_id,
        energy_scope=case.energy_scope,
        usd_per_1m_items=usd(case.energy_per_item_j, 1e6),
        usd_per_1m_tokens=usd(case.energy_per_token_j, 1e6),
        usd_per_1k_steps=usd(case.energy_per_step_j, 1e3),
        half_width=case.energy_uncertainty,
        half_width_reason=case.energy_uncertainty_reason,
    )


def _warnings(summary: RunSummary, tariff: Tariff) -> tuple[str, ...]:
    cases = [case for case in summary.cases if case.energy_j is not None]
    scopes = dict.fromkeys(s for case in cases for s in case.energy_scope.split("; ") if s and s not in WHOLE_MACHINE)
    warnings = ["dollars for energy only: neither hardware nor rent, and tariff and PUE are taken as given"]
    if scopes:
        warnings.append(f"the energy is that of {', '.join(scopes)}, not of the whole machine, which takes more")
    if tariff.pue == 1:
        warnings.append("PUE 1: cooling and losses of the building are left out")
    doubtful = sum(bool(failed_guards(case)) or is_short(case) for case in cases)
    if doubtful:
        warnings.append(f"in {doubtful} of {len(cases)} cases a guard fails or the window is short: not to be quoted")
    return tuple(warnings)
