"""Frames of stored runs (``results.frame.load``) merged with prices: many measurements at once.

The arithmetic is that of :mod:`results.cost_arithmetic`, as in ``chipmark cost``. What needs more than one case, and
all warnings, are in ``chipmark cost`` alone.

pandas takes most of a second to import: import this module late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from results.cost_arithmetic import add_costs, price_fields, refusals
from results.cost_fit import price_fit
from results.cost_record import Basis, CostTerms
from results.cost_terms import ACCELERATORS_PER_CASE, COST_COLUMNS, NO_TERMS, checked_terms
from results.errors import PriceError
from results.frame import INSTANCE_COLUMNS
from results.instance_record import Instance
from results.price_match import PriceMatch
from results.price_row import PriceRow
from results.price_table import PriceTable
from results.records import Device
from results.run_prices import instance_price

NO_INSTANCE = "the run names no instance type"
# Columns that with_prices adds, beside price_<name> for each name of results.price_row.PriceRow.
PRICE_COLUMNS = ("price_layer", "price_table_sha256", "price_match_rule", "price_note")
_NUMBERS = ("accelerator_count", "accelerator_memory_gib", "vcpus", "memory_gib", "price_usd_per_hour")
DOLLAR_COLUMNS = (
    "usd_per_hour_billed",
    "usd_per_hour_attributed",
    *(f"{name}_{kind}" for name in COST_COLUMNS for kind in ("billed", "attributed", "low", "high")),
    "run_time_s",
    "usd_per_run_billed",
    "usd_per_run_attributed",
)
TEXT_COLUMNS = ("cost_reason", "headline", "attribution", "attribution_reason", "run_reason")


class _Chosen(NamedTuple):
    """Prices, and for each row of the result which of the measurements and of the prices it is of."""

    prices: list[PriceMatch | str]  # or why there is none
    rows: np.ndarray  # int [result rows]
    price_rows: np.ndarray  # int [result rows], into prices


def with_prices(
    frame: pd.DataFrame,
    prices: PriceTable | Sequence[PriceMatch],
    terms: CostTerms = NO_TERMS,
    basis: Basis = "given",
) -> pd.DataFrame:
    """The measurements with what they cost.

    Args:
        frame: as ``results.frame.load`` gives it, with any columns more.
        prices: a table: each measurement is priced by the instance that its run names, on demand where the run
            names no kind of pricing, and stays one row. Or prices that were chosen: each measurement at each of
            them, in that order.
        terms: as for ``chipmark cost``.
        basis: of chosen prices. Another accelerator than the measured one gets no dollars; with ``what_if`` it
            must be known to be the same.

    Returns:
        The frame, indexed from 0, with ``price_<name>`` for each field of a price row, :data:`PRICE_COLUMNS`,
        :data:`DOLLAR_COLUMNS` (NaN where there is none) and :data:`TEXT_COLUMNS`; ``cost_reason`` says why a
        row has no cost.

    Raises:
        UsageError: a term cannot be.
    """
    checked_terms(terms)
    chosen = _of_runs(frame, prices) if isinstance(prices, PriceTable) else _each(frame, prices)
    merged = frame.take(chosen.rows).reset_index(drop=True)
    work = _working_frame(merged, chosen, terms, basis)
    costs = add_costs(work, terms)
    accelerators = work["price_accelerators"].to_numpy()
    has_cost = (work["no_cost"] == "").to_numpy()
    has_share = has_cost & work["accelerated"].to_numpy() & (accelerators > 0)
    headline = np.where(has_share, "attributed", "billed").astype(object)
    headline[~has_cost] = None
    new: dict[str, Any] = {
        **_provenance(chosen),
        **{name: costs[name].to_numpy() for name in DOLLAR_COLUMNS},
        "cost_reason": work["no_cost"].to_numpy(),
        "headline": headline,
        "attribution": _attributions(accelerators, has_share),
        "attribution_reason": costs["attribution_reason"].to_numpy(),
        "run_reason": costs["run_reason"].to_numpy(),
    }
    return pd.concat([merged, pd.DataFrame(new, index=merged.index)], axis=1)


def _of_runs(frame: pd.DataFrame, table: PriceTable) -> _Chosen:
    """One price for each instance that occurs; runs that name the same one share it."""
    memory_bytes = _accelerator_memory(frame)
    named = frame[list(INSTANCE_COLUMNS)].assign(memory_bytes=memory_bytes)
    distinct, numbers = _distinct(named)
    prices = [_price(table, values) for values in distinct.itertuples(index=False, name=None)]
    return _Chosen(prices, np.arange(len(frame)), numbers)


def _accelerator_memory(frame: pd.DataFrame) -> pd.Series[float]:
    """Bytes of the accelerators of each row's run, NaN unless they are all of one known size.

    All rows of a run have the same, that of the CPU too: as in ``chipmark cost``, a run has one price.
    """
    used = frame[_accelerated(frame) & frame["device_name"].notna()]
    sizes = used.groupby("run_id")["device_memory_bytes"].agg(["nunique", "size", "count", "first"])
    known = sizes["first"].where((sizes["nunique"] == 1) & (sizes["size"] == sizes["count"]))
    return frame["run_id"].map(known).astype(float)


def _distinct(frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The different rows, missing values being equal, and for each row of ``frame`` which of them it is."""
    groups = frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    return frame.iloc[first], numbers


def _price(table: PriceTable, named: tuple[Any, ...]) -> PriceMatch | str:
    """The price of what is in :data:`results.frame.INSTANCE_COLUMNS`, with the accelerator's memory in bytes behind."""
    provider, instance_type, region, pricing = map(_text, named[:-1])
    memory_gib = None if pd.isna(named[-1]) else named[-1] / 2**30
    if provider is None or instance_type is None:
        return NO_INSTANCE
    instance = Instance(
        provider=provider, instance_type=instance_type, region=region, pricing=pricing, evidence="given"
    )
    try:
        return instance_price(table, instance, accelerator_memory_gib=memory_gib)
    except PriceError as error:
        return str(error)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _each(frame: pd.DataFrame, prices: Sequence[PriceMatch]) -> _Chosen:
    rows = np.repeat(np.arange(len(frame)), len(prices))
    return _Chosen(list(prices), rows, np.tile(np.arange(len(prices)), len(frame)))


def _working_frame(merged: pd.DataFrame, chosen: _Chosen, terms: CostTerms, basis: Basis) -> pd.DataFrame:
    """What :func:`results.cost_arithmetic.add_costs` and :func:`results.cost_arithmetic.refusals` need."""
    fields = [_no_price() if isinstance(price, str) else price_fields(price, terms) for price in chosen.prices]
    per_price = pd.DataFrame(fields or [_no_price()])
    columns = {str(name): per_price[name].to_numpy()[chosen.price_rows] for name in per_price.columns}
    names = ("status", "reason", "item_unit", "device", "phase", "throughput_per_s_reason", "throughput_per_s")
    work = pd.DataFrame(
        {
            **{name: merged[name] for name in names},
            "tokens_per_s": merged["tokens_per_s"],
            "training_steps_per_s": merged["steps_per_s"].where(merged["phase"] == "train"),
            "accelerated": _accelerated(merged),
            "functional_only": merged["functional_only"].fillna(""),
            "mismatch": _mismatches(merged, chosen, basis),
            **columns,
        }
    )
    reasons = refusals(work)
    lacking = np.array([price if isinstance(price, str) else "" for price in chosen.prices] or [""], dtype=object)
    no_price = lacking[chosen.price_rows]
    # A case that did not end ok has its own reason, which comes before that of the price.
    ended_ok = (merged["status"] == "ok").to_numpy()
    work["no_cost"] = np.where(ended_ok & (no_price != ""), no_price, reasons)
    return work


def _accelerated(frame: pd.DataFrame) -> pd.Series[bool]:
    """Whether a case ran on something other than the CPU."""
    named = frame["device"].str.split(":", n=1).str[0]
    return frame["device_kind"].where(frame["device_kind"].notna(), named) != "cpu"


def _no_price() -> dict[str, Any]:
    nan = float("nan")
    unknown = {"price": nan, "price_low": nan, "price_high": nan, "price_kept": 1.0}
    return {**unknown, "price_sold_whole": True, "price_accelerators": 0, "price_type": ""}


def _mismatches(merged: pd.DataFrame, chosen: _Chosen, basis: Basis) -> np.ndarray:
    """Why the price of a row is of another device; asked once for each device and price that meet."""
    columns = ["device_name", "device_kind", "device_memory_bytes"]
    pairs = merged[columns].assign(accelerated=_accelerated(merged), price=chosen.price_rows)
    distinct, numbers = _distinct(pairs)
    reasons = []
    for name, kind, memory_bytes, accelerated, index in distinct.itertuples(index=False, name=None):
        price = chosen.prices[index]
        known = isinstance(name, str) and isinstance(kind, str)
        memory = None if pd.isna(memory_bytes) else int(memory_bytes)
        device = Device(id="", backend="", kind=kind, name=name, memory_bytes=memory) if known else None
        fits = not isinstance(price, str) and price_fit(device, price.row, basis, accelerated)
        reasons.append(fits.refusal if fits else "")
    found: np.ndarray = np.array(reasons or [""], dtype=object)
    return found.take(numbers)


def _provenance(chosen: _Chosen) -> dict[str, Any]:
    """The whole price row, its layer, the hash of its file and how it was chosen."""
    found = [None if isinstance(price, str) else price for price in chosen.prices] or [None]
    columns: dict[str, list[Any]] = {
        f"price_{name}": [price and getattr(price.row, name) for price in found] for name in PriceRow.__struct_fields__
    }
    for column in PRICE_COLUMNS:
        columns[column] = [price and getattr(price, column.removeprefix("price_")) for price in found]
    return {
        name: np.array(values, dtype=np.float64 if name.removeprefix("price_") in _NUMBERS else object)[
            chosen.price_rows
        ]
        for name, values in columns.items()
    }


def _attributions(accelerators: np.ndarray, has_share: np.ndarray) -> np.ndarray:
    texts = np.full(len(accelerators), None, dtype=object)
    for count in np.unique(accelerators[has_share]):
        texts[has_share & (accelerators == count)] = f"{ACCELERATORS_PER_CASE}/{count}"
    return texts
