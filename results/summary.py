"""From stored replicates to one summary a case. All arithmetic on measurements is done here.

Definitions:

* items = ``work.items * iterations / work.steps``, exact, because windows hold whole cycles.
* throughput = items of all windows of all counted replicates / their summed elapsed time. It
  is a ratio of sums, never a mean of ratios.
* energy is defined in :mod:`results.energy_summary`.
* percentiles are over the pooled steady latency samples of the counted replicates
  (:mod:`results.pooled_latency`).
* throughput and latency are different scenarios; neither is derived from the other.

A stored record that contradicts itself is left out, and raw samples that do not match their
checksum or their record give no percentiles; both are said in the run's warnings. Where the clock
stepped, there is no number at all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from results.case_summary import CaseSummary, LatencyKind, RunHeader, RunSummary, SummaryStatus, TokenKind
from results.ceilings import with_ceilings
from results.energy_summary import energy_fields
from results.errors import RunFolderError
from results.functional_only import functional_only
from results.placement_summary import placement_fields
from results.pooled_latency import Sampled, pooled_latency, read_process
from results.records import Measurement, Phase, PlannedCase, Timing
from results.render import find_device
from results.replicates import Totals, check, counted, totals

if TYPE_CHECKING:
    from results.store import StoredRun

LATENCY_KINDS: dict[Phase, LatencyKind] = {
    "train": "step time",
    "infer": "latency",
    "prefill": "time to first token",
    "decode": "time per output token",
}
TOKEN_KINDS: dict[Phase, TokenKind] = {
    "train": "training",
    "infer": "input",
    "prefill": "prompt",
    "decode": "generated",
}
# From best to worst; a case is as good as its worst replicate.
SEVERITY: tuple[SummaryStatus, ...] = (
    "ok",
    "unsupported",
    "invalid",
    "timeout",
    "out_of_memory",
    "killed",
    "failed",
)

Fields = dict[str, Any]


def run_summary(run: StoredRun) -> RunSummary:
    """The whole run: header, one summary a case, and how many cases ended in which status."""
    cases = summarize(run)  # may add warnings
    info = run.info
    return RunSummary(
        run=RunHeader(
            run_id=info.run_id,
            suite=info.suite,
            command=info.command,
            created_at=info.created_at,
            measure=info.measure,
            environment=info.environment,
            devices=info.devices,
            instance=info.instance,
            instance_reason=info.instance_reason,
            notes=info.notes,
        ),
        cases=tuple(cases),
        counts=count_statuses(cases),
        warnings=tuple(run.warnings),
    )


def count_statuses(cases: Sequence[CaseSummary]) -> dict[str, int]:
    """Status -> number of cases, for every status there is, ``missing`` last."""
    names = [*SEVERITY, "missing"]
    return {name: sum(case.status == name for case in cases) for name in names}


def summarize(run: StoredRun) -> list[CaseSummary]:
    """One summary for each planned case, in the order of the plan."""
    by_case: dict[str, list[Measurement]] = {}
    for measurement in run.measurements:
        try:
            check(run.path, measurement)
        except RunFolderError as error:  # such a record is no evidence of anything
            run.warn(f"{error}: it is left out")
            continue
        by_case.setdefault(measurement.case_id, []).append(measurement)
    planned_ids = {planned.case.id for planned in run.info.plan}
    for case_id, found in by_case.items():
        if case_id not in planned_ids:
            run.warn(f"case {case_id} ({found[0].case.label}) is not in the run's plan: it is left out")
    summaries = [_summarize_case(run, planned, by_case.get(planned.case.id, [])) for planned in run.info.plan]
    return with_ceilings(run, summaries, by_case)


def _summarize_case(run: StoredRun, planned: PlannedCase, replicates: list[Measurement]) -> CaseSummary:
    case = planned.case
    fields: Fields = {
        "case_id": case.id,
        "case": case,
        "num_replicates": planned.replicates,
        "latency_kind": LATENCY_KINDS[case.phase],
        "functional_only": functional_only(find_device(run.info.devices, case)),
    }
    if not replicates:
        why = "never measured: the run ended before this case"
        return CaseSummary(status="missing", reason=why, **fields, **_no_numbers(why))
    replicates = sorted(replicates, key=lambda m: m.replicate)
    worst = max(replicates, key=lambda m: SEVERITY.index(m.status))
    support = next((m.support for m in replicates if m.support), None)
    fields |= {
        "status": worst.status,
        "stage": worst.stage,
        "reason": worst.reason,
        "num_measured": len(replicates),
        "num_ok": sum(m.status == "ok" for m in replicates),
        "support": support.level if support else None,
        "support_reason": support.reason if support else "no answer from the backend",
    }
    numbers = counted(replicates)
    if not numbers:
        return CaseSummary(**fields, **_no_numbers(f"{worst.status}: {worst.reason or 'no reason given'}"))
    processes = [read_process(run, measurement) for measurement in numbers]
    sound = [process for process in processes if not process.stats.problem]
    for process in processes:
        if process.stats.problem and process.measurement.status == "ok":  # stored before this was looked at
            run.warn(f"{case.label}, replicate {process.measurement.replicate}: {process.stats.problem}: left out")
    if not sound:
        return CaseSummary(**fields, **_no_numbers(processes[0].stats.problem))
    try:
        return CaseSummary(**fields, **_numbers(run, sound))
    except RunFolderError as error:  # replicates that disagree give no number; other cases do
        run.warn(str(error))
        return CaseSummary(**fields, **_no_numbers(str(error)))


def _no_numbers(reason: str) -> Fields:
    from results.metrics import METRICS

    return {**{f"{metric.name}_reason": reason for metric in METRICS}, "energy_reason": reason}


def _numbers(run: StoredRun, processes: list[Sampled]) -> Fields:
    replicates = [process.measurement for process in processes]
    case = replicates[0].case
    timings = [m.timing for m in replicates if m.timing is not None]
    summed = totals(run.path, replicates)
    rates = _rates(summed, "throughput" in case.scenarios)
    return {
        "numbers_from": "ok" if replicates[0].status == "ok" else "invalid",
        "item_unit": summed.work.item_unit,
        "token_kind": TOKEN_KINDS[case.phase] if summed.work.tokens is not None else None,
        **rates,
        **pooled_latency(processes),
        **_numerics(replicates),
        **placement_fields(replicates),
        **_preparation(timings),
        **_memory(replicates),
        **energy_fields(replicates, summed.work, rates),
        "guards": tuple(dict.fromkeys(g for m in replicates for g in m.guards if g.verdict != "PASS")),
    }


def _rates(summed: Totals, planned: bool) -> Fields:
    names = ("throughput_per_s", "tokens_per_s", "steps_per_s", "flops_per_s", "bytes_per_s")
    if summed.elapsed_ns == 0:
        why = "no throughput window was measured" if planned else "scenario throughput was not planned"
        return {f"{name}_reason": why for name in names}
    elapsed_s = summed.elapsed_ns / 1e9
    throughput = summed.items / elapsed_s
    # The identity that gives the number its meaning; holds to float rounding or not at all.
    if abs(throughput * elapsed_s - summed.items) > 1e-9 * summed.items:
        raise AssertionError(f"throughput {throughput} * {elapsed_s} s is not {summed.items} items")
    return {
        "throughput_per_s": throughput,
        "tokens_per_s": None if summed.tokens is None else summed.tokens / elapsed_s,
        "tokens_per_s_reason": "the workload has no tokens" if summed.tokens is None else "",
        "steps_per_s": summed.iterations / elapsed_s,
        "flops_per_s": summed.flops / elapsed_s if summed.flops else None,
        "flops_per_s_reason": "" if summed.flops else "the workload has no matrix products",
        "bytes_per_s": None if summed.bytes is None else summed.bytes / elapsed_s,
        "bytes_per_s_reason": "the workload does not define the bytes it moves" if summed.bytes is None else "",
    }


def _numerics(replicates: list[Measurement]) -> Fields:
    found = [m.numerics for m in replicates if m.numerics is not None]
    if not found:
        why = "the numerics gate was not reached"
        return {"numerics_error_reason": why, "top1_agreement_reason": why}
    order = ("reference", "pass", "not_checked", "fail")
    worst = max(found, key=lambda n: order.index(n.verdict))
    checks = [c for n in found for c in n.checks]
    # The first error of the gate is the headline; the gate puts the whole output first.
    error_name = next((c.name for c in checks if c.better == "lower"), None)
    errors = [c.value for c in checks if c.name == error_name]
    top1 = [c.value for c in checks if c.name == "top1_agreement"]
    why = worst.reason or worst.reference
    return {
        "numerics_verdict": worst.verdict,
        "numerics_reference": worst.reference,
        "numerics_error_name": error_name,
        **_reduced("numerics_error", errors, max, why if not errors else "not finite"),
        **_reduced(
            "top1_agreement",
            top1,
            min,
            why if not checks else "the output ranks no classes, or has too few positions to judge",
        ),
    }


def _preparation(timings: Sequence[Timing]) -> Fields:
    warmups = [t.warmup for t in timings]
    return {
        **_reduced("prepare_s", [t.prepare_s for t in timings], statistics.median, ""),
        **_reduced("export_s", [t.export_s for t in timings], statistics.median, "nothing to export"),
        **_reduced("first_step_s", [t.first_step_s for t in timings], statistics.median, ""),
        **_reduced("warmup_s", [w.elapsed_s for w in warmups], statistics.median, ""),
        "warmup_iterations": sum(w.iterations for w in warmups),
        "warmup_steady": all(w.steady for w in warmups),
        "warmup_stop_reason": "; ".join(dict.fromkeys(w.stop_reason for w in warmups if w.stop_reason)),
    }


def _memory(replicates: list[Measurement]) -> Fields:
    found = [m.memory for m in replicates if m.memory is not None]
    why = next((memory.reason for memory in found if memory.reason), "not measured")
    scopes = dict.fromkeys(memory.scope for memory in found if memory.scope)
    peaks = [memory.peak_bytes for memory in found]
    return {**_reduced("peak_memory_bytes", peaks, max, why), "peak_memory_scope": "; ".join(scopes)}


def _reduced(name: str, values: Sequence[Any], how: Callable[[list[Any]], Any], reason: str) -> Fields:
    """``values`` reduced to one, or None with ``reason`` if there are none or one is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return {name: None, f"{name}_reason": reason or "not measured"}
    return {name: how(known), f"{name}_reason": ""}
