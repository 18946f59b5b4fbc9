"""Latency of the processes of one case taken together, and how far the processes agree.

Percentiles are over the steady parts of all processes. How many independent samples they rest on is
the sum of what each process is worth; that processes differ among themselves is not in that number,
which is why their spread stands beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from results import stats
from results.autocorrelation import effective_samples
from results.errors import RunFolderError
from results.process_stats import ProcessStats
from results.process_summary import effective_for, summarize_process
from results.records import Measurement
from results.replicates import check

if TYPE_CHECKING:
    import numpy as np

    from results.store import StoredRun

Fields = dict[str, Any]
NOT_PLANNED = "scenario latency was not planned"
_SAMPLE_METRICS = (*(f"latency_p{p}_s" for p in stats.PERCENTS), "latency_tail_s", "latency_max_s", "device_step_p50_s")


class Sampled(NamedTuple):
    """One process with its raw samples; ``unusable`` says why there are none, if so."""

    measurement: Measurement
    stats: ProcessStats
    arrays: Mapping[str, np.ndarray]
    unusable: str = ""


def read_process(run: StoredRun, measurement: Measurement) -> Sampled:
    """The raw samples and statistics of a process; where none are stored (format 1) they are computed.

    What is wrong with its side file is added to the run's warnings.
    """
    try:
        arrays = run.samples(measurement)
        check(run.path, measurement, arrays)
    except RunFolderError as error:  # one damaged file must not hide the other cases
        run.warn(str(error))
        return Sampled(measurement, measurement.stats or ProcessStats(), {}, f"the raw samples cannot be used: {error}")
    found = measurement.stats
    if found is None and measurement.timing is not None:
        cycle = measurement.work.steps if measurement.work else 1
        found = summarize_process(measurement.timing, arrays, cycle)
    return Sampled(measurement, found or ProcessStats(), arrays)


def pooled_latency(processes: Sequence[Sampled]) -> Fields:
    """The latency fields of a case summary."""
    case = processes[0].measurement.case
    fields: Fields = {
        "num_processes": len(processes),
        **_steadiness([process.stats for process in processes]),
        **_agreement([process.stats for process in processes]),
    }
    damaged = next((process.unusable for process in processes if process.unusable), "")
    if damaged:
        return fields | {f"{name}_reason": damaged for name in _SAMPLE_METRICS}
    fields |= _device(processes)
    if "latency" not in case.scenarios:
        return fields | {f"{name}_reason": NOT_PLANNED for name in _SAMPLE_METRICS if name.startswith("latency")}
    return fields | _percentiles(processes)


def _percentiles(processes: Sequence[Sampled]) -> Fields:
    import numpy as np

    every = [process.arrays.get("latency_ns", np.empty(0, np.int64)) for process in processes]
    kept = np.concatenate([taken[p.stats.cut_index :] for taken, p in zip(every, processes, strict=True)])
    worth = {percent: math.fsum(effective_for(p.stats, percent) for p in processes) for percent in stats.PERCENTS}
    fields: Fields = {
        "num_latency_samples": sum(len(taken) for taken in every),
        "num_cut_samples": sum(len(taken) for taken in every) - len(kept),
        "num_effective_samples": math.floor(worth[50]),
    }
    for percent in stats.PERCENTS:
        value, reason = stats.percentile(kept, percent, worth[percent])
        fields |= {f"latency_p{percent}_s": value, f"latency_p{percent}_s_reason": reason}
    highest = stats.highest_percent(min(*worth.values(), len(kept)))
    fields["latency_tail_percent"] = highest
    if highest is None:
        fields["latency_tail_s_reason"] = stats.unsupported_reason(worth[50], 50)
    else:
        fields["latency_tail_s"] = stats.percentile(kept, highest, worth[50]).seconds
    if len(kept):
        fields["latency_max_s"] = int(kept.max()) / 1e9
    else:
        fields["latency_max_s_reason"] = "no latency sample was taken"
    return fields


def _device(processes: Sequence[Sampled]) -> Fields:
    import numpy as np

    parts = [process.arrays.get("device_ns", np.empty(0, np.int64)) for process in processes]
    pooled = np.concatenate(parts)
    worth = 0.0
    for process, part in zip(processes, parts, strict=True):
        work = process.measurement.work
        worth += effective_samples(part, work.steps if work else 1)
    value, reason = stats.percentile(pooled, 50, worth)
    timing = processes[0].measurement.timing
    why = timing.device_clock_reason if timing and timing.device_clock is None else ""
    return {
        "num_device_samples": len(pooled),
        "device_step_p50_s": value,
        "device_step_p50_s_reason": (why or reason) if value is None else "",
    }


def _agreement(found: Sequence[ProcessStats]) -> Fields:
    """Spread between processes, and the widest interval within one."""
    return {
        **_log_sd("latency_process_sd", [process.median_s for process in found]),
        **_log_sd("step_process_sd", [process.mean_step_s for process in found]),
        **_widest("latency_half_width", [process.half_width for process in found], "fewer than 10 cycles of samples"),
        **_widest("step_half_width", [process.window_half_width for process in found], "fewer than 5 windows"),
    }


def _log_sd(name: str, values: Sequence[float | None]) -> Fields:
    known = [math.log(value) for value in values if value]
    if len(known) < 2:
        return {name: None, f"{name}_reason": f"{len(known)} measured, needs 2"}
    return {name: statistics.stdev(known), f"{name}_reason": ""}


def _widest(name: str, values: Sequence[float | None], reason: str) -> Fields:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return {name: None, f"{name}_reason": reason}
    return {name: max(known), f"{name}_reason": ""}


def _steadiness(found: Sequence[ProcessStats]) -> Fields:
    return {
        "latency_steady": _all([process.steady for process in found]),
        "latency_drifting": _any([process.drifting for process in found]),
        "steady_notes": "; ".join(
            [
                *_told("unsteady", [process.steady_reason if process.steady is False else "" for process in found]),
                *_told("drift", [process.drift_reason if process.drifting else "" for process in found]),
            ]
        ),
    }


def _told(what: str, reasons: Sequence[str]) -> list[str]:
    """``drift in 2 of 3 processes: <the first reason>``."""
    given = [reason for reason in reasons if reason]
    if not given:
        return []
    where = f" in {len(given)} of {len(reasons)} processes" if len(reasons) > 1 else ""
    return [f"{what}{where}: {given[0]}"]


def _all(flags: Sequence[bool | None]) -> bool | None:
    if False in flags:
        return False
    return None if None in flags else True


def _any(flags: Sequence[bool | None]) -> bool | None:
    if True in flags:
        return True
    return None if None in flags else False
