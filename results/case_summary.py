"""The derived types: what a stored run says about each case. Never stored alone.

Every number is in SI base units and is a metric of :mod:`results.metrics`. ``None`` means "not
known", and the ``*_reason`` beside it says why; with a number the reason is empty.
"""

from __future__ import annotations

from typing import Literal

from results.instance_record import Instance
from results.records import (
    CaseSpec,
    Device,
    Environment,
    Guard,
    MeasureSpec,
    Record,
    Scenario,
    Stage,
    Status,
    SupportLevel,
)

# History of the derived format that ``chipmark show`` and ``chipmark cost`` print as JSON.
#   1  first version
#   2  percentiles are over steady parts and by effective numbers; ceilings; precision, spread and
#      steadiness of processes
#   3  energy per step, item and token, per watt, net of idle, with half-widths and what it is of;
#      electricity at a given tariff
#   4  the rented instance a run was made on
#   5  shares of time, nodes and matrix work on the execution provider asked for; functional-only devices
SUMMARY_SCHEMA_VERSION = 5

# A planned case without any measurement is "missing".
SummaryStatus = Status | Literal["missing"]
LatencyKind = Literal["step time", "latency", "time to first token", "time per output token"]
TokenKind = Literal["training", "input", "prompt", "generated"]


class CaseSummary(Record, frozen=True, kw_only=True):
    """One planned case: how it ended, and the numbers of its replicates taken together.

    ``status``, ``stage`` and ``reason`` are those of the worst replicate. Numbers are over the
    ``ok`` replicates; if there are none, over the ``invalid`` ones (``numbers_from`` says which).
    """

    case_id: str
    case: CaseSpec
    status: SummaryStatus
    stage: Stage | None = None
    reason: str = ""
    num_replicates: int  # planned
    num_measured: int = 0
    num_ok: int = 0
    numbers_from: Literal["ok", "invalid"] | None = None

    support: SupportLevel | None = None
    support_reason: str = ""
    functional_only: str = ""  # what must be said beside every number where the device is no chip
    item_unit: str | None = None
    token_kind: TokenKind | None = None
    latency_kind: LatencyKind

    throughput_per_s: float | None = None
    throughput_per_s_reason: str = ""
    tokens_per_s: float | None = None
    tokens_per_s_reason: str = ""
    steps_per_s: float | None = None
    steps_per_s_reason: str = ""
    flops_per_s: float | None = None
    flops_per_s_reason: str = ""
    bytes_per_s: float | None = None
    bytes_per_s_reason: str = ""

    mfu: float | None = None
    mfu_reason: str = ""
    peak_flops_per_s: float | None = None
    peak_flops_per_s_reason: str = ""
    peak_source: str = ""
    ceiling_fraction: float | None = None
    ceiling_fraction_reason: str = ""
    ceiling_flops_per_s: float | None = None
    ceiling_flops_per_s_reason: str = ""
    ceiling_source: str = ""
    bandwidth_fraction: float | None = None
    bandwidth_fraction_reason: str = ""
    ceiling_bytes_per_s: float | None = None
    ceiling_bytes_per_s_reason: str = ""
    ceiling_bytes_source: str = ""
    arithmetic_intensity: float | None = None
    arithmetic_intensity_reason: str = ""
    bytes_basis: Literal["defined", "lower bound"] | None = None
    ridge_intensity: float | None = None
    ridge_intensity_reason: str = ""
    ridge_source: str = ""
    bound: Literal["compute", "memory"] | None = None
    bound_reason: str = ""

    num_processes: int = 0  # replicates the numbers are over
    num_latency_samples: int = 0  # taken, all processes
    num_cut_samples: int = 0  # of these, before the steady part
    num_effective_samples: int = 0  # independent samples that the rest is worth
    latency_p50_s: float | None = None
    latency_p50_s_reason: str = ""
    latency_p90_s: float | None = None
    latency_p90_s_reason: str = ""
    latency_p99_s: float | None = None
    latency_p99_s_reason: str = ""
    latency_tail_percent: int | None = None  # None: not even p50
    latency_tail_s: float | None = None
    latency_tail_s_reason: str = ""
    latency_max_s: float | None = None
    latency_max_s_reason: str = ""
    latency_half_width: float | None = None
    latency_half_width_reason: str = ""
    step_half_width: float | None = None
    step_half_width_reason: str = ""
    latency_process_sd: float | None = None
    latency_process_sd_reason: str = ""
    step_process_sd: float | None = None
    step_process_sd_reason: str = ""
    latency_steady: bool | None = None  # None: too few samples to tell
    latency_drifting: bool | None = None
    steady_notes: str = ""
    num_device_samples: int = 0
    device_step_p50_s: float | None = None
    device_step_p50_s_reason: str = ""

    numerics_verdict: Literal["pass", "fail", "reference", "not_checked"] | None = None
    numerics_reference: str | None = None
    numerics_error_name: str | None = None
    numerics_error: float | None = None
    numerics_error_reason: str = ""
    top1_agreement: float | None = None
    top1_agreement_reason: str = ""

    execution_provider: str | None = None  # that was asked for; None: the backend has none
    provider_time_share: float | None = None
    provider_time_share_reason: str = ""
    provider_node_share: float | None = None
    provider_node_share_reason: str = ""
    provider_work_share: float | None = None
    provider_work_share_reason: str = ""
    left_on_cpu: str = ""

    prepare_s: float | None = None
    prepare_s_reason: str = ""
    export_s: float | None = None
    export_s_reason: str = ""
    first_step_s: float | None = None
    first_step_s_reason: str = ""
    warmup_s: float | None = None
    warmup_s_reason: str = ""
    warmup_iterations: int | None = None
    warmup_steady: bool | None = None
    warmup_stop_reason: str = ""

    peak_memory_bytes: int | None = None
    peak_memory_bytes_reason: str = ""
    peak_memory_scope: str = ""
    energy_j: float | None = None
    energy_j_reason: str = ""
    average_power_w: float | None = None
    average_power_w_reason: str = ""
    idle_power_w: float | None = None
    idle_power_w_reason: str = ""
    net_energy_j: float | None = None
    net_energy_j_reason: str = ""
    net_energy_half_width_j: float | None = None
    net_energy_half_width_j_reason: str = ""
    energy_duration_s: float | None = None
    energy_duration_s_reason: str = ""
    energy_window_s: float | None = None
    energy_window_s_reason: str = ""
    energy_per_step_j: float | None = None
    energy_per_step_j_reason: str = ""
    energy_per_item_j: float | None = None
    energy_per_item_j_reason: str = ""
    energy_per_token_j: float | None = None
    energy_per_token_j_reason: str = ""
    net_energy_per_item_j: float | None = None
    net_energy_per_item_j_reason: str = ""
    items_per_s_per_w: float | None = None
    items_per_s_per_w_reason: str = ""
    tokens_per_s_per_w: float | None = None
    tokens_per_s_per_w_reason: str = ""
    tokens_per_s_per_megawatt: float | None = None
    tokens_per_s_per_megawatt_reason: str = ""
    energy_uncertainty: float | None = None
    energy_uncertainty_reason: str = ""
    energy_precision: float | None = None
    energy_precision_reason: str = ""
    latency_energy_per_step_j: float | None = None
    latency_energy_per_step_j_reason: str = ""
    latency_energy_uncertainty: float | None = None
    latency_energy_uncertainty_reason: str = ""
    energy_reason: str = ""  # why there is none
    energy_scenario: Scenario | None = None  # the pass it is of; None: of both, or none
    energy_meter: str = ""
    energy_scope: str = ""
    energy_source: str = ""
    energy_method: str = ""
    energy_device_id: str = ""
    energy_remark: str = ""
    energy_beside: str = ""

    guards: tuple[Guard, ...] = ()  # those that did not PASS


class RunHeader(Record, frozen=True, kw_only=True):
    """Which run the numbers come from."""

    run_id: str
    suite: str
    command: str
    created_at: str  # ISO 8601, UTC
    measure: MeasureSpec
    environment: Environment
    devices: tuple[Device, ...]
    instance: Instance | None = None
    instance_reason: str = ""
    notes: tuple[str, ...] = ()


class ElectricityCost(Record, frozen=True, kw_only=True):
    """Dollars for the electricity of one case, or the reason why there are none."""

    case_id: str
    reason: str = ""
    energy_scope: str = ""  # what the electricity is of
    usd_per_1m_items: float | None = None
    usd_per_1m_tokens: float | None = None
    usd_per_1k_steps: float | None = None
    half_width: float | None = None  # of each, 95 %, relative: that of the energy
    half_width_reason: str = ""


class Electricity(Record, frozen=True, kw_only=True):
    """What the metered energy costs at a tariff: energy only, no hardware and no rent."""

    tariff_usd_per_kwh: float
    pue: float  # power into the building over power into the machines
    cases: tuple[ElectricityCost, ...]  # in the order of the summary's
    warnings: tuple[str, ...] = ()


class RunSummary(Record, frozen=True, kw_only=True):
    """What ``chipmark show --format json`` prints."""

    schema_version: int = SUMMARY_SCHEMA_VERSION
    run: RunHeader
    cases: tuple[CaseSummary, ...]
    counts: dict[str, int]  # status -> number of cases
    warnings: tuple[str, ...] = ()
    electricity: Electricity | None = None  # where a tariff was given
