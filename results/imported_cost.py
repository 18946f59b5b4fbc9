"""Dollars of results that were measured elsewhere: derived here, labelled so, and only where the chip is certain.

With u the utilisation and l the share of spot time that is lost,
``usd_per_1m = 1e6 * usd_per_accelerator_hour / 3600 / value_per_accelerator / u / (1 - l)``; a training run holds its
machines from start to end, so that u is not in it: with the same price over ``1 - l``,
``usd_per_run = usd_per_accelerator_hour * num_accelerators * value / 3600``, ``value`` in seconds.
"""

from __future__ import annotations

import functools

from results.cost_record import CostTerms
from results.cost_terms import kept_fraction
from results.device_names import sold_part
from results.imported_record import ImportedCost, ImportedFile, ImportedResult
from results.price_market import market
from results.price_match import MarketRange, PriceMatch
from results.price_table import PriceTable

S_PER_HOUR = 3600.0
_Range = tuple[float, float, float]


def imported_costs(
    imported: ImportedFile, table: PriceTable, pricing: str = "on_demand", price: PriceMatch | None = None,
    terms: CostTerms | None = None,
) -> list[ImportedCost]:  # fmt: skip
    """What each throughput and time to train costs; other quantities have the reason why they have no dollars.

    Args:
        imported: the results.
        table: prices.
        pricing: kind of price on the market.
        price: of one instance, which then alone is used; None: the range of the market.
        terms: utilisation and lost share of spot time; None: all of the time is used.
    """
    terms = terms or CostTerms()
    kept = kept_fraction(price.row.pricing if price is not None else pricing, terms)
    asked = functools.cache(lambda device: market(table, device, pricing))
    return [
        _cost(
            result,
            price,
            None if price is not None or _unpriced(result) else asked(result.device),
            pricing,
            (terms.utilisation * kept, kept),
        )
        for result in imported.results
    ]


def _unpriced(result: ImportedResult) -> str:
    """Why no price can be applied; "" if one can."""
    if result.quantity not in ("throughput", "time_to_train"):
        return f"{result.quantity.replace('_', ' ')}: dollars are of throughput and of time to train alone"
    if result.device is None:
        return f"its chip is not known for certain: {result.device_reason}" if result.device_reason else "no chip named"
    if result.num_accelerators is None or result.num_accelerators_reason:
        return result.num_accelerators_reason or "the number of its accelerators is not known"
    if result.quantity == "throughput" and result.value_per_accelerator is None:
        return result.value_per_accelerator_reason or "there is no value for each accelerator"
    return ""


def _cost(
    result: ImportedResult, price: PriceMatch | None, asked: MarketRange | None, pricing: str,
    used: tuple[float, float],
) -> ImportedCost:  # fmt: skip
    """``used``: the shares of the paid time that do work, of inference and of a training run."""
    reason = _unpriced(result)
    if not reason and price is not None:
        reason = _other_chip(result, price)
    elif not reason and asked is None:
        reason = f"nobody in the price table offers {result.device} ({pricing})"
    if reason:
        return ImportedCost(result=result, price=price, reason=reason)
    hours = _usd_per_hour(price, asked)
    return ImportedCost(
        result=result,
        accelerators=result.num_accelerators,
        price=price,
        market=asked,
        usd_per_1m=_per_1m(result, _over(hours, used[0])),
        usd_per_run=_per_run(result, _over(hours, used[1])),
    )


def _other_chip(result: ImportedResult, price: PriceMatch) -> str:
    row = price.row
    name = f"{row.provider} {row.instance_type}"
    if row.accelerator is None:
        return f"{name} has no accelerator; this was measured on {result.device}"
    sold = sold_part(row)
    if sold == result.device:
        return ""
    return f"{name} has {row.accelerator}, another chip; this was measured on {result.device}"


def _usd_per_hour(price: PriceMatch | None, asked: MarketRange | None) -> _Range:
    """US dollars an hour of one accelerator: least, median, most; three times the same at one instance."""
    if price is not None:
        usd = price.row.price_usd_per_hour / price.row.accelerator_count
        return usd, usd, usd
    assert asked is not None  # else there was a reason
    return asked.usd_per_hour_min, asked.usd_per_hour_median, asked.usd_per_hour_max


def _over(usd_per_hour: _Range, share: float) -> _Range:
    low, median, high = (usd / share for usd in usd_per_hour)
    return low, median, high


def _per_1m(result: ImportedResult, usd_per_hour: _Range) -> _Range | None:
    rate = result.value_per_accelerator
    if result.quantity != "throughput" or rate is None:
        return None
    low, median, high = (1e6 * usd / S_PER_HOUR / rate for usd in usd_per_hour)
    return low, median, high


def _per_run(result: ImportedResult, usd_per_hour: _Range) -> _Range | None:
    chips = result.num_accelerators
    if result.quantity != "time_to_train" or chips is None:
        return None
    low, median, high = (usd * chips * result.value / S_PER_HOUR for usd in usd_per_hour)
    return low, median, high
