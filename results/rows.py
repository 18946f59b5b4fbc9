"""One case as one flat row of scalars: the columns of CSV and of the pandas frame."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from results.case_summary import CaseSummary
from results.metrics import METRIC
from results.records import CaseSpec, Scalar


class Column(NamedTuple):
    """One column and what it holds."""

    name: str
    unit: str  # "" for text, flags and counts
    doc: str


_DOCS = {
    "case_id": "names the case in every file",
    "shape": "resolved sizes, as canonical JSON",
    "options": "backend options, as canonical JSON",
    "status": "of the worst replicate; missing = never measured",
    "stage": "where the worst replicate ended",
    "reason": "why the case is not ok",
    "num_replicates": "planned replicates",
    "num_measured": "stored replicates",
    "num_ok": "replicates that ended ok",
    "numbers_from": "which replicates the numbers are from: ok, or invalid if none is ok",
    "support": "native, emulated or unsupported",
    "functional_only": "why the times are not those of a chip; empty where they are",
    "execution_provider": "that was asked for",
    "left_on_cpu": "nodes that are not on it: operator and number",
    "item_unit": "what throughput_per_s counts",
    "token_kind": "which tokens tokens_per_s counts; kinds are never mixed",
    "latency_kind": "what one latency sample is in this phase",
    "num_processes": "replicates the numbers are over",
    "num_latency_samples": "latency samples taken, all processes",
    "num_cut_samples": "of these, before the steady part",
    "num_effective_samples": "independent samples that the rest is worth",
    "latency_tail_percent": "which percentile latency_tail_s is; empty = not even p50",
    "latency_steady": "whether every process became steady; empty = too few samples to tell",
    "latency_drifting": "whether some process drifted; empty = too few samples to tell",
    "steady_notes": "what is not steady, and by how much",
    "peak_source": "row of the device table and its source",
    "ceiling_source": "the gemm case of this run that set the ceiling",
    "ceiling_bytes_source": "the memory-bandwidth case of this run that set the ceiling",
    "bytes_basis": "defined: exact by the workload's definition; lower bound: what must move at the least",
    "ridge_source": "measured in this run, or sourced",
    "bound": "compute or memory, by arithmetic intensity",
    "bound_reason": "why it is bound by that, or why nobody can tell",
    "energy_reason": "why there is no energy",
    "energy_scenario": "the pass the energy is of; empty = of both (old runs), or none",
    "energy_meter": "the meter that was read",
    "energy_scope": "what the energy covers; scopes overlap and are never added up",
    "energy_source": "API and field that was read",
    "energy_method": "how the energy came about: counter_tick, counter_naive or integral",
    "energy_device_id": "UUID or bus id of the card that was read",
    "energy_remark": "what to know of this very reading",
    "energy_beside": "other scopes that were metered, never added: scope and meter",
    "guards": "guards that did not pass: name=verdict, separated by semicolons",
}


def flat_row(summary: CaseSummary) -> dict[str, Scalar]:
    """The row of one case; the keys are those of :data:`COLUMNS`, in that order."""
    row: dict[str, Scalar] = {"case_id": summary.case_id}
    for name in CaseSpec.__struct_fields__:
        row[name] = _scalar(getattr(summary.case, name))
    for name in CaseSummary.__struct_fields__:
        if name not in ("case_id", "case", "guards"):
            row[name] = getattr(summary, name)
    row["guards"] = "; ".join(dict.fromkeys(f"{guard.name}={guard.verdict}" for guard in summary.guards))
    return row


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return msgspec.json.encode(value, order="sorted").decode()


def _columns() -> tuple[Column, ...]:
    summary_fields = [name for name in CaseSummary.__struct_fields__ if name not in ("case", "guards")]
    names = [summary_fields[0], *CaseSpec.__struct_fields__, *summary_fields[1:], "guards"]
    return tuple(_column(name) for name in names)


def _column(name: str) -> Column:
    if name in METRIC:
        return Column(name, METRIC[name].unit, METRIC[name].doc)
    metric = name.removesuffix("_reason")
    if metric in METRIC:
        return Column(name, "", f"why {metric} is missing")
    return Column(name, "", _DOCS.get(name, name.replace("_", " ")))


COLUMNS: tuple[Column, ...] = _columns()
# Columns that hold numbers: in pandas these are floats, NaN where the number is missing.
METRIC_COLUMNS: tuple[str, ...] = tuple(c.name for c in COLUMNS if c.name in METRIC)
