"""What ``chipmark cost`` derives from stored runs and prices. Never stored alone.

``None`` is "not known" or "not asked for"; where it is not known, a reason stands beside it.
"""

from __future__ import annotations

from typing import Literal

from results.case_summary import RunHeader, SummaryStatus, TokenKind
from results.imported_record import ImportedCost
from results.instance_record import Instance
from results.price_match import MarketRange, PriceMatch
from results.record import Record
from results.records import CaseSpec, SupportLevel

# History of the derived format of ``chipmark cost --format json``; up to 3 it was that of the summary.
#   4  several runs and prices, each cost with its own price; ranges over kinds of pricing, uncertainty,
#      electricity, requests, training runs, owned hardware, plans, ranking, imported results
COST_SCHEMA_VERSION = 4

# rented_here: the instance that the run says it was made on. given: named by the user for this run.
# what_if: the same accelerator elsewhere, measured on another machine.
Basis = Literal["rented_here", "given", "what_if"]


class CostTerms(Record, frozen=True, kw_only=True):
    """What the user gave; every default changes nothing."""

    utilisation: float = 1.0  # share of the rented time in which the measured rate is kept up
    lost_fraction: float = 0.0  # of spot time, to interruptions and repeated work
    tariff_usd_per_kwh: float | None = None
    pue: float = 1.0
    run_steps: int | None = None  # of one training run
    run_tokens: float | None = None  # or its tokens
    startup_s: float = 0.0  # of one training run, not spent on steps
    checkpoint_s: float = 0.0  # likewise, all of them
    goodput: float = 1.0  # share of the time of a training run that is not lost


class Cost(Record, frozen=True, kw_only=True):
    """What one case costs at one price; only an ``ok`` case has a cost, all others a reason.

    ``*_billed``: the whole rented unit. ``*_attributed``: the case's share ``attribution`` of its
    accelerators. ``headline`` names the one to quote. ``*_low`` and ``*_high``: of the headline, over the kinds
    of pricing that the table has for the same provider, type and region.
    """

    run_id: str
    case_id: str
    case: CaseSpec
    status: SummaryStatus
    support: SupportLevel | None
    basis: Basis
    reason: str = ""  # why there is no cost
    notes: tuple[str, ...] = ()  # guards that fail, a rate that is not steady, ...
    warnings: tuple[str, ...] = ()  # of its price and of its run
    item_unit: str | None
    token_kind: TokenKind | None
    throughput_per_s: float | None
    tokens_per_s: float | None
    training_steps_per_s: float | None
    latency_p50_s: float | None
    latency_p99_s: float | None
    latency_p99_s_reason: str = ""
    rate_half_width: float | None = None  # 95 %, relative: that of every dollar here; prices are taken as given
    rate_half_width_reason: str = ""
    price: PriceMatch
    headline: Literal["attributed", "billed"] | None = None
    attribution: str | None = None  # k/N
    attribution_reason: str = ""
    usd_per_hour_billed: float | None = None
    usd_per_hour_attributed: float | None = None
    usd_per_1m_items_billed: float | None = None
    usd_per_1m_items_attributed: float | None = None
    usd_per_1m_items_low: float | None = None
    usd_per_1m_items_high: float | None = None
    usd_per_1m_tokens_billed: float | None = None
    usd_per_1m_tokens_attributed: float | None = None
    usd_per_1m_tokens_low: float | None = None
    usd_per_1m_tokens_high: float | None = None
    usd_per_1k_steps_billed: float | None = None
    usd_per_1k_steps_attributed: float | None = None
    usd_per_1k_steps_low: float | None = None
    usd_per_1k_steps_high: float | None = None
    usd_per_run_billed: float | None = None
    usd_per_run_attributed: float | None = None
    run_time_s: float | None = None  # that the training run which the terms ask for holds the machine
    run_reason: str = ""  # why there is no cost of a training run; empty where none was asked for
    electricity_usd_per_1m_items: float | None = None
    electricity_usd_per_1m_tokens: float | None = None
    electricity_usd_per_1k_steps: float | None = None
    electricity_scope: str = ""
    electricity_half_width: float | None = None
    electricity_reason: str = ""  # empty where no tariff was given


class RequestCost(Record, frozen=True, kw_only=True):
    """A batch of requests, prefill and then decode: dollars split by device time, so that the parts add up.

    Of the headline price. Derived from two cases that were measured apart; ``usd_per_1m_total_tokens`` is over
    prompt and generated tokens together, and is neither of the other two.
    """

    run_id: str
    prefill_case_id: str
    decode_case_id: str
    label: str  # workload/preset precision batch backend@device options
    price: PriceMatch
    headline: Literal["attributed", "billed"]
    prompt_tokens: int  # of one request
    generated_tokens: int
    prefill_time_share: float  # of the device's time for one batch of requests
    usd_per_1m_prompt_tokens: float
    usd_per_1m_generated_tokens: float
    usd_per_1m_total_tokens: float
    usd_per_1k_requests: float
    rate_half_width: float | None = None
    notes: tuple[str, ...] = ()  # of the two cases


class OwnedTerms(Record, frozen=True, kw_only=True):
    """Hardware that is bought: the keys of the file given by ``--owned``."""

    name: str
    source: str  # where the figures are from
    as_of: str  # their date
    price_usd: float
    residual_usd: float = 0.0
    life_years: float = 4.0
    accelerators: int = 1  # of the machine; 0 for one without
    power_w: float  # under load, of the whole machine
    pue: float = 1.0
    tariff_usd_per_kwh: float
    hosting_usd_per_hour: float = 0.0  # paid for every hour of the calendar
    busy_fraction: float = 1.0  # of the calendar's hours


class OwnedCost(Record, frozen=True, kw_only=True):
    """One case at one price, on hardware that is owned; assumes that it is as fast as what was measured."""

    run_id: str
    case_id: str
    price: PriceMatch
    attribution: str | None  # k/N of the owned machine
    rent_usd_per_hour: float | None = None  # of the rented share, what the break-even compares with
    usd_per_busy_hour: float  # of the share in attribution
    usd_per_1m_items: float | None
    usd_per_1m_tokens: float | None
    usd_per_1k_steps: float | None
    # Busy share of the calendar from which owning costs less than renting by the hour; above 1: never.
    break_even_busy_fraction: float | None
    break_even_reason: str = ""


class TrainingPlan(Record, frozen=True, kw_only=True):
    """A projection: time and dollars to train, from the rate that one accelerator was measured to keep.

    ``time_s = 6 * parameters * tokens / (chips * efficiency * flops_per_s)``. Scaling to ``chips`` is the
    user's ``efficiency``; it was not measured. Time to a quality target is not in it.
    """

    label: Literal["projection"] = "projection"
    run_id: str
    case_id: str
    price: PriceMatch
    tokens: float
    parameters: float
    chips: int
    efficiency: float
    flops_per_s: float | None  # measured, per accelerator
    mfu: float | None  # measured; None where the peak is not sourced
    time_s: float | None = None
    chip_hours: float | None = None
    num_units: int | None = None  # instances (or accelerators, chips) that have to be rented
    usd_attributed: float | None = None  # the chips used
    usd_billed: float | None = None  # whole units
    half_width: float | None = None  # 95 %, relative, of the measured rate alone
    reason: str = ""  # why there is no projection
    notes: tuple[str, ...] = ()  # of the measured case


class RankLimits(Record, frozen=True, kw_only=True):
    """What a cost had to keep to be ranked; None: no limit."""

    max_latency_s: float | None = None
    latency_percentile: Literal["p50", "p90", "p99"] = "p99"
    min_throughput_per_s: float | None = None  # in items


class Rank(Record, frozen=True, kw_only=True):
    """The place of one cost among those of the same workload, preset, shape and phase; cheapest first."""

    group: str
    place: int | None  # None: not ranked, for the reason given; equal dollars share a place
    index: int  # of the cost in the report's cases
    usd: float | None  # what was ranked by
    unit: str  # "$/1M token", "$/1k steps"
    reason: str = ""
    # The best place before this one whose 95 % interval overlaps this one's: which is cheaper nobody can tell.
    tied_with_place: int | None = None


class MarketCost(Record, frozen=True, kw_only=True):
    """One case over what the market asks for its accelerator: a range, because no instance is known."""

    run_id: str
    case_id: str
    label: str = ""  # workload/preset phase precision batch backend@device options
    case: CaseSpec | None = None
    status: SummaryStatus | None = None
    support: SupportLevel | None = None
    reason: str = ""  # why there are no dollars
    notes: tuple[str, ...] = ()  # guards that fail, a rate that is not steady, ...
    warnings: tuple[str, ...] = ()  # of its market and of its run
    item_unit: str | None = None
    token_kind: TokenKind | None = None
    throughput_per_s: float | None = None
    tokens_per_s: float | None = None
    training_steps_per_s: float | None = None
    latency_p50_s: float | None = None
    latency_p99_s: float | None = None
    latency_p99_s_reason: str = ""
    rate_half_width: float | None = None  # 95 %, relative
    rate_half_width_reason: str = ""
    market: MarketRange
    usd_per_1m_items: tuple[float, float, float] | None  # min, median, max
    usd_per_1m_tokens: tuple[float, float, float] | None
    usd_per_1k_steps: tuple[float, float, float] | None


class PricedRun(Record, frozen=True, kw_only=True):
    """Which run, and what it says about the machine it was made on."""

    run: RunHeader
    instance: Instance | None
    counts: dict[str, int]


class CostReport(Record, frozen=True, kw_only=True):
    """What ``chipmark cost --format json`` prints."""

    schema_version: int = COST_SCHEMA_VERSION
    runs: tuple[PricedRun, ...]
    terms: CostTerms
    cases: tuple[Cost, ...]  # by run, price, and the order of the plan
    requests: tuple[RequestCost, ...] = ()
    markets: tuple[MarketCost, ...] = ()
    owned_terms: OwnedTerms | None = None
    owned: tuple[OwnedCost, ...] = ()
    plans: tuple[TrainingPlan, ...] = ()
    rank_limits: RankLimits | None = None
    ranking: tuple[Rank, ...] = ()
    imported: tuple[ImportedCost, ...] = ()
    warnings: tuple[str, ...] = ()
