"""Hardware that is bought: what a busy hour of it costs, and from which use on owning beats renting.

    calendar hour = (price - residual) / (life * 8760) + hosting
    busy hour = calendar hour / busy fraction + kW * PUE * tariff
    break-even busy fraction = calendar hour / (rent of a used hour - kW * PUE * tariff)

A used hour is rented for the price per hour over the utilisation, and on spot over the share that is not lost.

Share against share: an owned machine with M accelerators gives 1/M of itself to a case, as a rented one with N gives
1/N. Hosting is paid whether the machine works or not, so it stands with the capital and not with the energy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from results.cost_record import Cost, CostTerms, OwnedCost, OwnedTerms
from results.cost_terms import kept_fraction
from results.errors import PriceError, did_you_mean
from results.price_age import parse_date

HOURS_PER_YEAR = 8760  # 4 years are 35,040 hours
MAX_BYTES = 1 << 16
# Key -> least and most that can be meant; a least of 0 is included only where _MAY_BE_ZERO says so.
_RANGES: dict[str, tuple[float, float]] = {
    "price_usd": (0.01, 1e9),
    "residual_usd": (0, 1e9),
    "life_years": (0.1, 50),
    "accelerators": (0, 100_000),
    "power_w": (0.001, 1e8),
    "pue": (1, 3),
    "tariff_usd_per_kwh": (0, 10),
    "hosting_usd_per_hour": (0, 1e5),
    "busy_fraction": (0.0001, 1),
}
_MAY_BE_ZERO = ("residual_usd", "accelerators", "hosting_usd_per_hour")


def load_owned(path: Path) -> OwnedTerms:
    """Read and check the file that describes hardware that is bought.

    Args:
        path: a TOML file with the fields of :class:`results.cost_record.OwnedTerms` as keys.

    Raises:
        PriceError: it cannot be read or a key is wrong; the message names the key.
    """
    found = _toml(path)
    fields = OwnedTerms.__struct_fields__
    for name in found:
        if name not in fields:
            raise PriceError(f"{path}: unknown key {name!r}{did_you_mean(name, fields)}")
    required = [f.name for f in msgspec.structs.fields(OwnedTerms) if f.required]
    missing = [name for name in required if name not in found]
    if missing:
        raise PriceError(f"{path}: missing key {', '.join(missing)}")
    try:
        terms = msgspec.convert(found, OwnedTerms)
    except msgspec.ValidationError as error:
        raise PriceError(f"{path}: {error}") from error
    _check(path, terms)
    return terms


def _toml(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise PriceError(f"{path}: is no plain file; give a TOML file")
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PriceError(f"{path}: is larger than {MAX_BYTES // 1024} KiB: not a description of one machine")
        return {
            # Of TOML's dates and times the date is what counts.
            name: str(value)[:10] if name == "as_of" and isinstance(value, date) else value
            for name, value in tomllib.loads(content.decode()).items()
        }
    except (OSError, ValueError, RecursionError) as error:  # of TOML and UTF-8 too
        raise PriceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _check(path: Path, terms: OwnedTerms) -> None:
    for name, (least, most) in _RANGES.items():
        value = getattr(terms, name)
        low = value >= least if name in _MAY_BE_ZERO or least > 0 else value > least
        if not (low and value <= most):  # neither nan nor infinity fits
            shown = f"{value:g}" if isinstance(value, float) else str(value)[:12]  # an int may be past any float
            above = "from" if name in _MAY_BE_ZERO or least > 0 else "above"
            raise PriceError(f"{path}: {name}: {shown} cannot be: give a number {above} {least:g} to {most:g}")
    if terms.residual_usd > terms.price_usd:
        raise PriceError(f"{path}: residual_usd: {terms.residual_usd:g} is more than price_usd")
    for name in ("name", "source"):
        if not getattr(terms, name).strip() or not getattr(terms, name).isprintable():
            raise PriceError(f"{path}: {name}: must be a line of text")
    try:
        if parse_date(terms.as_of) > date.today() + timedelta(days=1):
            raise ValueError(f"{terms.as_of} is yet to come")
    except ValueError as error:
        raise PriceError(f"{path}: as_of: {error}") from error


def calendar_usd_per_hour(terms: OwnedTerms) -> float:
    """What an hour costs whether the machine works or not."""
    return (terms.price_usd - terms.residual_usd) / (terms.life_years * HOURS_PER_YEAR) + terms.hosting_usd_per_hour


def energy_usd_per_hour(terms: OwnedTerms) -> float:
    """The electricity of a busy hour."""
    return terms.power_w / 1000 * terms.pue * terms.tariff_usd_per_kwh


def owned_costs(costs: Sequence[Cost], terms: OwnedTerms, question: CostTerms) -> Iterator[OwnedCost]:
    """One for each cost that has dollars; that the owned machine is as fast is assumed.

    ``usd_per_1m_x = busy hour / (3600 * x_per_s) * 1e6``: a busy hour is one at the measured rate, so the
    utilisation of rented time is not in it.

    Args:
        costs: of all cases.
        terms: of the owned machine; a case on an accelerator has a cost only where it holds some, a case on the CPU
            only where it holds none.
        question: utilisation and lost fraction of what is rented, for the break-even.
    """
    for cost in costs:
        if cost.headline is not None and fits(cost, terms):
            yield _owned(cost, terms, question)


def fits(cost: Cost, terms: OwnedTerms) -> bool:
    """Whether a case ran on the kind of thing that the owned machine is bought for."""
    return (cost.attribution is not None) == (terms.accelerators > 0)


def _owned(cost: Cost, terms: OwnedTerms, question: CostTerms) -> OwnedCost:
    accelerated = cost.attribution is not None
    share = 1 / terms.accelerators if accelerated else 1.0
    calendar = calendar_usd_per_hour(terms) * share
    energy = energy_usd_per_hour(terms) * share
    busy_hour = calendar / terms.busy_fraction + energy

    def usd(rate: float | None, number: float) -> float | None:
        return busy_hour / (3600 * rate) * number if rate else None

    rent = cost.usd_per_hour_attributed if accelerated else cost.usd_per_hour_billed
    break_even, reason = _break_even(calendar, energy, rent or 0.0, cost, question)
    return OwnedCost(
        run_id=cost.run_id,
        case_id=cost.case_id,
        price=cost.price,
        attribution=f"1/{terms.accelerators}" if accelerated else None,
        rent_usd_per_hour=rent,
        usd_per_busy_hour=busy_hour,
        usd_per_1m_items=usd(cost.throughput_per_s, 1e6),
        usd_per_1m_tokens=usd(cost.tokens_per_s, 1e6),
        usd_per_1k_steps=usd(cost.training_steps_per_s, 1e3),
        break_even_busy_fraction=break_even,
        break_even_reason=reason,
    )


def _break_even(
    calendar: float, energy: float, rent: float, cost: Cost, question: CostTerms
) -> tuple[float | None, str]:
    """Rented hours are stopped when idle; what they are used for is question.utilisation of them."""
    rent_of_use = rent / (question.utilisation * kept_fraction(cost.price.row.pricing, question))
    if rent_of_use <= energy:
        return None, f"the rent of a used hour, ${rent_of_use:.4g}, is not above the electricity of one, ${energy:.4g}"
    break_even = calendar / (rent_of_use - energy)
    return break_even, "above 1: at this rent owning never pays" if break_even > 1 else ""
