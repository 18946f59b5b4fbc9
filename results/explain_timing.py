"""How the rates and times of one case came about: windows, samples, warm-up."""

from __future__ import annotations

from collections.abc import Sequence

from results import units
from results.case_summary import CaseSummary
from results.notes import one_line
from results.process_stats import ProcessStats
from results.records import Measurement, Timing

INDENT = "  "


def throughput_section(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """Items over elapsed time, and of how many windows."""
    if case.throughput_per_s is None:
        return [f"Throughput: n/a: {case.throughput_per_s_reason}"]
    work = replicates[0].work
    assert work is not None
    windows = [window for timing in _timings(replicates) for window in timing.windows]
    num_steps = sum(window.iterations for window in windows)
    elapsed_s = sum(window.elapsed_ns for window in windows) / 1e9
    num_items = num_steps // work.steps * work.items
    lines = [
        f"Throughput: {units.count(case.throughput_per_s)} {case.item_unit}/s",
        f"{INDENT}{num_items:,} {case.item_unit}s in {num_steps:,} steps and {units.seconds(elapsed_s)}, in "
        f"{_counted(len(windows), 'window')} with a sync at both ends; a ratio of sums over {_processes(replicates)}",
    ]
    if case.steps_per_s is not None:
        lines.append(f"{INDENT}{units.seconds(1 / case.steps_per_s)} a step on average, without waiting in between")
    return lines


def latency_section(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """The percentiles, the samples they rest on, and what each process says of its own."""
    kind = "" if case.latency_kind == "latency" else f" ({case.latency_kind})"
    lines = [f"Latency{kind}: {case.num_latency_samples:,} single synced steps"]
    for percent in (50, 90, 99):
        value, reason = (getattr(case, f"latency_p{percent}_s{end}") for end in ("", "_reason"))
        lines.append(f"{INDENT}p{percent} {units.seconds(value)}" + (f": {reason}" if value is None else ""))
    if case.num_device_samples:
        lines.append(f"{INDENT}{units.seconds(case.device_step_p50_s)} a step by the device's own clock (median)")
    for measurement in replicates:
        if measurement.stats is not None and (measurement.stats.num_samples or measurement.stats.problem):
            lines.append(f"{INDENT}process {measurement.replicate}: {_process(measurement.stats)}")
    return lines


def warmup_section(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """What came before the timed part, and why the timed part ended."""
    lines = [
        "Before and after",
        f"{INDENT}prepare {units.seconds(case.prepare_s)}"
        + (f" (of it export {units.seconds(case.export_s)})" if case.export_s is not None else "")
        + f", first step {units.seconds(case.first_step_s)}: neither is in any other number",
    ]
    for timing in dict.fromkeys(_timings(replicates)):
        warmup = timing.warmup
        steady = "" if warmup.steady else ", not steady"
        lines.append(
            f"{INDENT}warm-up {_counted(warmup.iterations, 'step')} in {units.seconds(warmup.elapsed_s)}{steady}: "
            f"{one_line(warmup.stop_reason)}"
        )
        if timing.stop_reason:
            lines.append(f"{INDENT}measuring ended: {one_line(timing.stop_reason)}")
    return lines


def _process(stats: ProcessStats) -> str:
    if stats.problem:
        return one_line(stats.problem)
    parts = [f"{stats.num_kept:,} of {stats.num_samples:,} samples kept from number {stats.cut_index} on"]
    if stats.num_effective is not None:
        parts.append(f"worth {stats.num_effective:.0f} independent ones")
    if stats.median_s is not None:
        within = "" if stats.half_width is None else f" within {units.percent(stats.half_width)}"
        parts.append(f"median {units.seconds(stats.median_s)}{within}")
    if stats.max_s is not None:
        parts.append(f"longest {units.seconds(stats.max_s)}")
    parts += [one_line(text) for text in (stats.steady_reason, stats.drift_reason) if text]
    return ", ".join(parts)


def _timings(replicates: Sequence[Measurement]) -> list[Timing]:
    return [m.timing for m in replicates if m.timing is not None]


def _processes(replicates: Sequence[Measurement]) -> str:
    number = len(replicates)
    return f"{number} process" + ("es" if number > 1 else "")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
