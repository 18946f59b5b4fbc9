"""Every number chipmark derives, declared once: name, unit, direction, label, formatter.

A metric's name is the attribute of :class:`results.case_summary.CaseSummary`, the key in JSON,
the column in CSV and in pandas. Tables, the JSON Schema and the docs derive from this list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from results import units


class Metric(NamedTuple):
    """One derived number of a case."""

    name: str
    unit: str
    better: Literal["higher", "lower"] | None
    label: str
    format: Callable[[float | None], str]
    doc: str


METRICS: tuple[Metric, ...] = (
    Metric("throughput_per_s", "1/s", "higher", "throughput", units.rate,
           "items over elapsed time, summed over all throughput windows; item_unit says of what"),
    Metric("tokens_per_s", "1/s", "higher", "tokens", units.rate,
           "tokens over the same windows, where the workload has tokens; token_kind says of which"),
    Metric("steps_per_s", "1/s", "higher", "steps", units.rate,
           "steps (calls) over the same windows"),
    Metric("flops_per_s", "FLOP/s", "higher", "achieved FLOP/s", units.flops,
           "analytic FLOPs of matrix products and convolutions over the same windows"),
    Metric("bytes_per_s", "B/s", "higher", "bytes moved", units.bandwidth,
           "bytes read and written by the workload's definition over the same windows"),
    Metric("mfu", "1", "higher", "MFU", units.percent,
           "achieved FLOP/s over peak_flops_per_s"),
    Metric("peak_flops_per_s", "FLOP/s", None, "peak", units.flops,
           "sourced dense peak of the device at the precision executed; peak_source says from where"),
    Metric("ceiling_fraction", "1", "higher", "of gemm", units.percent,
           "achieved FLOP/s over ceiling_flops_per_s"),
    Metric("ceiling_flops_per_s", "FLOP/s", None, "gemm ceiling", units.flops,
           "best gemm case of this run at this precision, device and number of threads; ceiling_source says which"),
    Metric("bandwidth_fraction", "1", "higher", "of copy", units.percent,
           "bytes that had to move (bytes_basis) per second over ceiling_bytes_per_s"),
    Metric("ceiling_bytes_per_s", "B/s", None, "memory ceiling", units.bandwidth,
           "best memory-bandwidth case of this run on this device and number of threads"),
    Metric("arithmetic_intensity", "FLOP/B", None, "FLOP/byte", units.number,
           "FLOPs over bytes; at most this where bytes_basis is lower bound"),
    Metric("ridge_intensity", "FLOP/B", None, "ridge", units.number,
           "FLOPs per byte at which computing and moving take equally long; ridge_source says by what"),
    Metric("latency_p50_s", "s", "lower", "p50", units.seconds,
           "median time of one synced step; latency_kind says what a step is"),
    Metric("latency_p90_s", "s", "lower", "p90", units.seconds,
           "90th percentile of the time of one synced step"),
    Metric("latency_p99_s", "s", "lower", "p99", units.seconds,
           "99th percentile of the time of one synced step"),
    Metric("latency_tail_s", "s", "lower", "tail", units.seconds,
           "highest percentile up to p99 that the samples support; latency_tail_percent says which"),
    Metric("latency_max_s", "s", "lower", "max", units.seconds,
           "longest synced step of the steady part"),
    Metric("latency_half_width", "1", "lower", "p50 +-", units.percent,
           "95 % half-width of a process's median step time, relative; the widest of the processes"),
    Metric("step_half_width", "1", "lower", "step +-", units.percent,
           "95 % half-width of a process's mean step time over its windows, relative; the widest of the processes"),
    Metric("latency_process_sd", "1", "lower", "p50 sd", units.percent,
           "standard deviation between processes of the log of the median step time"),
    Metric("step_process_sd", "1", "lower", "step sd", units.percent,
           "standard deviation between processes of the log of the mean step time over windows"),
    Metric("device_step_p50_s", "s", "lower", "device p50", units.seconds,
           "median time between steps by the device's own clock"),
    Metric("numerics_error", "1", "lower", "error", units.ratio,
           "largest error against FP32 on the same inputs; numerics_error_name says which"),
    Metric("top1_agreement", "1", "higher", "top-1", units.percent,
           "smallest share of positions whose highest class is FP32's, or so close to it that rounding decides"),
    Metric("provider_time_share", "1", "higher", "time on provider", units.percent,
           "part of the kernels' time on the execution provider asked for, profiled; the least of the replicates"),
    Metric("provider_node_share", "1", "higher", "nodes on provider", units.percent,
           "part of the graph's nodes assigned to it; the least of the replicates"),
    Metric("provider_work_share", "1", "higher", "matrix work on provider", units.percent,
           "part of the matrix work that did not run elsewhere, by FLOPs or by nodes; the least of the replicates"),
    Metric("prepare_s", "s", "lower", "prepare", units.seconds,
           "time to build, cast, quantize and set up; median of the replicates"),
    Metric("export_s", "s", "lower", "export", units.seconds,
           "part of prepare_s spent exporting; median of the replicates"),
    Metric("first_step_s", "s", "lower", "first step", units.seconds,
           "time of the first call, compilation included; median of the replicates"),
    Metric("warmup_s", "s", None, "warm-up", units.seconds,
           "time spent warming up; median of the replicates"),
    Metric("peak_memory_bytes", "B", "lower", "peak memory", units.memory,
           "largest peak memory of the replicates; peak_memory_scope says of what"),
    Metric("energy_j", "J", "lower", "energy", units.joules,
           "gross energy of the metered windows of a pass, summed over processes; energy_scope says of what"),
    Metric("average_power_w", "W", None, "power", units.watts,
           "energy over the duration of the metered windows"),
    Metric("idle_power_w", "W", None, "idle power", units.watts,
           "power in the same scope with the device's context open and nothing to do"),
    Metric("net_energy_j", "J", "lower", "net energy", units.joules,
           "energy less idle power times duration; below 0 says that idle was not idle"),
    Metric("net_energy_half_width_j", "J", "lower", "net energy +-", units.joules,
           "95 % half-width of net_energy_j, in joules: windows, idle power and sensor"),
    Metric("energy_duration_s", "s", None, "metered", units.seconds,
           "duration of the metered windows, summed over processes"),
    Metric("energy_window_s", "s", None, "window", units.seconds,
           "duration of the shortest metered window of a process"),
    Metric("energy_per_step_j", "J", "lower", "J/step", units.joules,
           "average power times time of the work over its steps; ratio of sums over processes"),
    Metric("energy_per_item_j", "J", "lower", "J/item", units.joules,
           "the same over the items; item_unit says of what"),
    Metric("energy_per_token_j", "J", "lower", "J/token", units.joules,
           "the same over the tokens; token_kind says of which, prefill and decode are cases of their own"),
    Metric("net_energy_per_item_j", "J", "lower", "net J/item", units.joules,
           "the same over the items, with average power less idle power"),
    Metric("items_per_s_per_w", "1/J", "higher", "items/s/W", units.number,
           "throughput over average power: items per joule"),
    Metric("tokens_per_s_per_w", "1/J", "higher", "tokens/s/W", units.number,
           "tokens a second over average power: tokens per joule"),
    Metric("tokens_per_s_per_megawatt", "1/MJ", "higher", "tokens/s/MW", units.number,
           "tokens a second over average power in megawatts"),
    Metric("energy_uncertainty", "1", "lower", "energy +-", units.percent,
           "95 % half-width of the gross energies (not of net_*), relative: sensor, windows and spread of processes"),
    Metric("energy_precision", "1", "lower", "energy +- on one card", units.percent,
           "the same without the sensor: what counts between runs on one card"),
    Metric("latency_energy_per_step_j", "J", "lower", "J/synced step", units.joules,
           "energy of the latency pass over its steps, in the same scope"),
    Metric("latency_energy_uncertainty", "1", "lower", "J/synced step +-", units.percent,
           "95 % half-width of latency_energy_per_step_j, relative"),
)  # fmt: skip

METRIC: dict[str, Metric] = {metric.name: metric for metric in METRICS}
