"""What a cost is of, and its terms (:class:`results.cost_record.CostTerms`) held against what they may be."""

from __future__ import annotations

from results.cost_record import CostTerms
from results.electricity import Tariff, checked_tariff
from results.errors import UsageError

ACCELERATORS_PER_CASE = 1
# Column of a cost -> (the measured rate it divides by, how many of it are priced).
COST_COLUMNS = {
    "usd_per_1m_items": ("throughput_per_s", 1e6),
    "usd_per_1m_tokens": ("tokens_per_s", 1e6),
    "usd_per_1k_steps": ("training_steps_per_s", 1e3),
}

# Items of the workloads that measure ceilings of a device: nobody buys them.
CEILING_UNITS = ("matmul", "byte")
NO_CEILING = "a ceiling of the device, not a workload: it has no price"
NO_TERMS = CostTerms()
# Beyond these nobody asks, and dollars would be infinite or 0.
MIN_SHARE = 1e-6
MAX_SECONDS = 1e10
MAX_TOKENS = 1e24


def checked_terms(terms: CostTerms) -> Tariff | None:
    """The tariff of the terms, or None if they have none.

    Raises:
        UsageError: a term cannot be; names it.
    """
    _fraction("utilisation", terms.utilisation)
    _fraction("goodput", terms.goodput)
    if not 0 <= terms.lost_fraction <= 1 - MIN_SHARE:
        raise UsageError(f"lost_fraction {terms.lost_fraction:g}: give a share of time from 0 to below 1")
    for name in ("startup_s", "checkpoint_s"):
        seconds = getattr(terms, name)
        if not 0 <= seconds <= MAX_SECONDS:
            raise UsageError(f"{name} {seconds:g}: give seconds, 0 or more, and less than {MAX_SECONDS:g}")
    if terms.run_steps is not None and terms.run_tokens is not None:
        raise UsageError("run_steps and run_tokens: the length of a training run is one of them, not both")
    if terms.run_steps is not None and terms.run_steps < 1:
        raise UsageError(f"run_steps {terms.run_steps}: give 1 or more")
    if terms.run_tokens is not None and not 1 <= terms.run_tokens <= MAX_TOKENS:
        raise UsageError(f"run_tokens {terms.run_tokens:g}: give a number from 1 to {MAX_TOKENS:g}")
    return checked_tariff(
        terms.tariff_usd_per_kwh, None if terms.pue == 1 else terms.pue, ("tariff_usd_per_kwh", "pue")
    )


def kept_fraction(pricing: str, terms: CostTerms) -> float:
    """Share of the rented time that is not lost: below 1 for spot alone."""
    return 1 - terms.lost_fraction if pricing == "spot" else 1.0


def _fraction(name: str, value: float) -> None:
    if not MIN_SHARE <= value <= 1:
        raise UsageError(f"{name} {value:g}: give a share above 0 and at most 1")
