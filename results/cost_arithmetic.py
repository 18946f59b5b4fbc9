"""Dollars of many cases at many prices: all arithmetic that turns a price and a rate into a cost.

With P the price per hour of the billed unit, N the accelerators in it, k the number a case uses, u the
utilisation and l the fraction of spot time that is lost (0 for all other kinds of pricing):

* billed = P for an instance: all of it is rented. P * k where single accelerators or chips are sold.
* attributed = P * k / N for a case on an accelerator: true only if the other N - k are kept equally busy.
  A case on the CPU has no share of the accelerators and is billed only.
* usd_per_1m_x = rate / (3600 * x_per_s * u * (1 - l)) * 1e6, and usd_per_1k_steps likewise with 1e3.
* usd_per_run = rate * run_time_s / 3600 / (1 - l), with
  run_time_s = (steps / steps_per_s + startup_s + checkpoint_s) / goodput: the time that the machine is held. A
  training run holds it from start to end, so the utilisation is not in it; what goodput leaves out must not be
  in l as well.

Measured rates are never scaled to N accelerators: contention between them was not measured.

pandas takes most of a second to import: import this module late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from results.cost_record import CostTerms
from results.cost_terms import ACCELERATORS_PER_CASE, CEILING_UNITS, COST_COLUMNS, NO_CEILING, kept_fraction
from results.price_match import PriceMatch

CPU_HAS_NO_SHARE = "a case on the CPU has no share of the accelerators"


def price_fields(match: PriceMatch, terms: CostTerms) -> dict[str, Any]:
    """What :func:`add_costs` must know of one price.

    ``price_low`` and ``price_high`` are dollars per useful hour over the kinds of pricing of the same provider,
    type and region; NaN where only one kind is known.
    """
    row = match.row
    kinds = {kind: usd for kind, usd in match.prices_by_pricing.items() if usd is not None}
    kinds[row.pricing] = row.price_usd_per_hour
    useful = [usd / (terms.utilisation * kept_fraction(kind, terms)) for kind, usd in kinds.items()]
    several = len(useful) > 1
    return {
        "price": row.price_usd_per_hour,
        "price_low": min(useful) if several else np.nan,
        "price_high": max(useful) if several else np.nan,
        "price_kept": kept_fraction(row.pricing, terms),
        "price_sold_whole": row.unit == "instance",
        "price_accelerators": row.accelerator_count,
        "price_type": row.instance_type,
    }


def add_costs(frame: pd.DataFrame, terms: CostTerms) -> pd.DataFrame:
    """The frame with its dollars: the one place of the formulae in the module's docstring.

    Args:
        frame: one row for each case and price. Columns ``throughput_per_s``, ``tokens_per_s``,
            ``training_steps_per_s`` (NaN where there is none), ``accelerated`` (bool), ``no_cost`` (why there is
            no cost, else empty), ``phase``, and those of :func:`price_fields`.
        terms: checked.

    Returns:
        A new frame with ``attribution_reason``, ``run_reason``, ``run_time_s``, ``usd_per_hour_*``, ``usd_per_run_*``
        (``billed``, ``attributed``) and, for each of :data:`COST_COLUMNS`, these and ``low`` and ``high``; NaN
        where there is none.
    """
    accelerators = frame["price_accelerators"].to_numpy(dtype=np.float64)
    accelerated = frame["accelerated"].to_numpy(dtype=bool)
    price = frame["price"].where(frame["no_cost"] == "").to_numpy(dtype=np.float64)
    whole = frame["price_sold_whole"].to_numpy(dtype=bool)
    kept = frame["price_kept"].to_numpy(dtype=np.float64)
    has_share = accelerated & (accelerators > 0)
    share = np.where(has_share, ACCELERATORS_PER_CASE / np.where(has_share, accelerators, 1), np.nan)
    # What is paid of P: all of an instance, or so many of what is sold singly.
    hours = {"billed": price * np.where(whole, 1, ACCELERATORS_PER_CASE), "attributed": price * share}
    paid_share = np.where(has_share, share, 1.0)
    new: dict[str, Any] = {f"usd_per_hour_{kind}": hour for kind, hour in hours.items()}
    for name, (rate_name, number) in COST_COLUMNS.items():
        per_hour = 3600 * frame[rate_name].to_numpy(dtype=np.float64)
        per_hour[per_hour <= 0] = np.nan
        useful = per_hour * terms.utilisation * kept
        for kind, hour in hours.items():
            new[f"{name}_{kind}"] = hour / useful * number
        chosen = np.where(has_share, new[f"{name}_attributed"], new[f"{name}_billed"])
        for end, narrow in (("low", np.minimum), ("high", np.maximum)):
            of_kinds = frame[f"price_{end}"].to_numpy(dtype=np.float64) * paid_share / per_hour * number
            # The chosen price is one of the kinds; rounding must not put it outside of them.
            new[f"{name}_{end}"] = narrow(of_kinds, chosen)
    new["attribution_reason"] = _attribution_reasons(accelerated, accelerators)
    new |= _training_runs(frame, terms, hours, kept)
    return frame.assign(**new)


def _attribution_reasons(accelerated: np.ndarray, accelerators: np.ndarray) -> np.ndarray:
    reasons = np.full(len(accelerated), "", dtype=object)
    reasons[~accelerated & (accelerators > 0)] = CPU_HAS_NO_SHARE
    reasons[accelerated & (accelerators == 0)] = "the instance holds no accelerator"
    return reasons


def _training_runs(
    frame: pd.DataFrame, terms: CostTerms, hours: dict[str, np.ndarray], kept: np.ndarray
) -> dict[str, Any]:
    """Time and dollars of one training run, with the reason where one was asked for and there is none."""
    none = np.full(len(frame), np.nan)
    if terms.run_steps is None and terms.run_tokens is None:
        return {"run_time_s": none, "usd_per_run_billed": none, "usd_per_run_attributed": none, "run_reason": ""}
    # Tokens over tokens a second is steps over steps a second: a step has a fixed number of tokens.
    rate_name = "training_steps_per_s" if terms.run_tokens is None else "tokens_per_s"
    length = terms.run_steps if terms.run_tokens is None else terms.run_tokens
    training = frame["phase"].to_numpy() == "train"
    priced = frame["no_cost"].to_numpy() == ""
    rate = np.where(training & priced, frame[rate_name].to_numpy(dtype=np.float64), np.nan)
    rate[rate <= 0] = np.nan
    time_s = (length / rate + terms.startup_s + terms.checkpoint_s) / terms.goodput
    reasons = np.full(len(frame), "", dtype=object)
    reasons[np.isnan(rate)] = (
        "no rate of steps" if terms.run_tokens is None else "the workload has no tokens: give steps"
    )
    reasons[~training] = "not a training case"
    reasons[training & ~priced] = frame["no_cost"].to_numpy()[training & ~priced]
    paid_hours = time_s / 3600 / kept
    return {
        "run_time_s": time_s,
        **{f"usd_per_run_{kind}": hour * paid_hours for kind, hour in hours.items()},
        "run_reason": reasons,
    }


def refusals(frame: pd.DataFrame) -> np.ndarray:
    """Why a row has no cost; empty where it has one.

    Args:
        frame: columns ``status``, ``reason``, ``functional_only`` (why the times are not those of a chip),
            ``item_unit``, ``device``, ``accelerated``, ``throughput_per_s``, ``throughput_per_s_reason``,
            ``price_accelerators``, ``price_type``, ``mismatch`` (why the price is of another accelerator, where
            that forbids a cost).

    Returns:
        Texts, shape [rows].
    """
    found = np.full(len(frame), "", dtype=object)
    rules: Sequence[tuple[Any, Callable[[pd.DataFrame], Any]]] = (
        (frame["status"] == "missing", lambda rows: rows["reason"]),
        (frame["status"] != "ok", _status_text),
        (frame["item_unit"].isin(CEILING_UNITS), lambda rows: NO_CEILING),
        (frame["functional_only"] != "", lambda rows: rows["functional_only"]),
        (frame["accelerated"].astype(bool) & (frame["price_accelerators"] == 0), _no_accelerator_text),
        (frame["mismatch"] != "", lambda rows: rows["mismatch"]),
        (frame["throughput_per_s"].isna(), _no_rate_text),
        (frame["throughput_per_s"] <= 0, lambda rows: "no item was finished: a rate of 0 has no cost"),
    )
    for holds, text in rules:
        rows = holds.to_numpy(dtype=bool) & (found == "")
        if rows.any():
            found[rows] = text(frame.loc[rows])
    return found


def _status_text(rows: pd.DataFrame) -> Any:
    return rows["status"] + ": " + rows["reason"].where(rows["reason"] != "", "no reason was given")


def _no_rate_text(rows: pd.DataFrame) -> Any:
    return rows["throughput_per_s_reason"].where(rows["throughput_per_s_reason"] != "", "no throughput")


def _no_accelerator_text(rows: pd.DataFrame) -> Any:
    return "measured on " + rows["device"] + ", but " + rows["price_type"] + " holds no accelerator"
