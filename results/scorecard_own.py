"""Scorecards of what chipmark measured: one for training, one for inference with prefill and decode together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import CostReport
from results.render import options_text, shape_text
from results.scorecard_dollars import dollars
from results.scorecard_record import Cell, Scorecard

SCALING = "not measured: needs several devices"
CONCURRENCY = "not measured: batches are run one after another, no requests are served side by side"
INVALID = "invalid: measured, but not to be compared"
_GENERATES_NOTHING = "it generates no tokens"
_NO_REQUESTS = "not measured: prefill and decode are measured apart"


class Group(NamedTuple):
    """The cases of one card, by phase, and the costs of their run."""

    summary: RunSummary
    report: CostReport
    cases: Mapping[str, CaseSummary]


def own_groups(summary: RunSummary, report: CostReport) -> list[Group]:
    """The cases of a run, those of one card together, in the order of the plan."""
    groups: dict[tuple[object, ...], list[dict[str, CaseSummary]]] = {}
    for case in summary.cases:
        spec = case.case
        together = "request" if spec.phase in ("prefill", "decode") else spec.phase
        key = (
            together, spec.workload, spec.workload_version, spec.preset, tuple(sorted(spec.shape.items())),
            spec.precision, spec.batch_size, spec.backend, spec.device, tuple(sorted(spec.options.items(), key=str)),
        )  # fmt: skip
        cards = groups.setdefault(key, [{}])
        if spec.phase in cards[-1]:
            cards.append({})
        cards[-1][spec.phase] = case
    return [Group(summary, report, cases) for cards in groups.values() for cases in cards]


def own_card(group: Group) -> Scorecard:
    """The scorecard of a group; every cell that could not be filled says why."""
    first = next(iter(group.cases.values()))
    spec = first.case
    if "train" in group.cases:
        cells = _training(group)
    elif "infer" in group.cases:
        cells = _inference(group)
    else:
        cells = _requests(group)
    shape = shape_text(spec)
    options = options_text(spec.options)
    return Scorecard(
        mode="training" if spec.phase == "train" else "inference",
        origin="chipmark",
        workload=f"{spec.workload}/{spec.preset} v{spec.workload_version}" + (f", {shape}" if shape else ""),
        precision=spec.precision,
        batch_size=spec.batch_size,
        backend=f"{spec.backend}@{spec.device} {options}".rstrip(),
        run_id=group.summary.run.run_id,
        case_ids={phase: case.case_id for phase, case in group.cases.items()},
        cells=cells,
        notes=tuple(dict.fromkeys(_notes(group))),
    )


def _training(group: Group) -> dict[str, Cell]:
    case = group.cases["train"]
    item = case.item_unit or "item"
    return {
        "step_time": _measured(group, case, "latency_p50_s", "s", case.latency_half_width),
        "steps_per_s": _measured(group, case, "steps_per_s", "step/s", case.step_half_width),
        "throughput": _measured(group, case, "throughput_per_s", f"{item}/s", case.step_half_width),
        **_tokens_per_s(group, case),
        "mfu": _mfu(group, case),
        "scaling_efficiency": Cell(kind="empty", unit="1", reason=SCALING),
        "usd_per_1k_steps": _dollars(group, case, "usd_per_1k_steps", "$/1k steps"),
        "usd_per_run": _dollars(group, case, "usd_per_run", "$/run"),
        "energy_per_step": _measured(group, case, "energy_per_step_j", "J/step", case.energy_uncertainty),
        "error": _error(group, case),
    }


def _inference(group: Group) -> dict[str, Cell]:
    case = group.cases["infer"]
    item = case.item_unit or "item"
    tokens = _tokens_per_s(group, case)
    cells = {"usd_per_1m": _dollars(group, case, "usd_per_1m_items", f"$/1M {item}")}
    if tokens:
        unit = f"$/1M {case.token_kind} token"
        cells["usd_per_1m_tokens"] = _dollars(group, case, "usd_per_1m_tokens", unit)
    for name in ("time_to_first_token", "time_per_output_token"):
        for percent in ("p50", "p99"):
            cells[f"{name}_{percent}"] = Cell(kind="empty", unit="s", reason=_GENERATES_NOTHING)
    half_width = case.energy_uncertainty
    cells |= {
        "latency_p50": _measured(group, case, "latency_p50_s", "s", case.latency_half_width),
        "latency_p99": _measured(group, case, "latency_p99_s", "s"),
        "throughput": _measured(group, case, "throughput_per_s", f"{item}/s", case.step_half_width),
        **tokens,
        "concurrency": Cell(kind="empty", reason=CONCURRENCY),
        "throughput_per_w": _measured(group, case, "items_per_s_per_w", f"{item}/s/W", half_width),
        "energy_per_item": _measured(group, case, "energy_per_item_j", f"J/{item}", half_width),
        "error": _error(group, case),
    }
    if tokens:
        cells["energy_per_token"] = _measured(
            group, case, "energy_per_token_j", f"J/{case.token_kind} token", half_width
        )
    return cells


def _requests(group: Group) -> dict[str, Cell]:
    """Prefill gives the time to the first token, decode the time per token after it; never mixed."""
    prefill, decode = group.cases.get("prefill"), group.cases.get("decode")
    half = None if decode is None else decode.step_half_width
    energy = None if decode is None else decode.energy_uncertainty
    unit = "generated token"
    return {
        "usd_per_1m": _dollars(group, decode, "usd_per_1m_tokens", f"$/1M {unit}"),
        "usd_per_1m_prompt_tokens": _dollars(group, prefill, "usd_per_1m_tokens", "$/1M prompt token"),
        **_latencies(group, prefill, "time_to_first_token", "prefill"),
        **_latencies(group, decode, "time_per_output_token", "decode"),
        "latency_p50": Cell(kind="empty", unit="s", reason=_NO_REQUESTS),
        "latency_p99": Cell(kind="empty", unit="s", reason=_NO_REQUESTS),
        "throughput": _measured(group, decode, "tokens_per_s", f"{unit}/s", half),
        "prompt_tokens_per_s": _measured(
            group, prefill, "tokens_per_s", "prompt token/s", prefill.step_half_width if prefill else None
        ),
        "concurrency": Cell(kind="empty", reason=CONCURRENCY),
        "throughput_per_w": _measured(group, decode, "tokens_per_s_per_w", f"{unit}/s/W", energy),
        "energy_per_token": _measured(group, decode, "energy_per_token_j", f"J/{unit}", energy),
        "error": _worse_error(group, prefill, decode),
    }


def _latencies(group: Group, case: CaseSummary | None, name: str, phase: str) -> dict[str, Cell]:
    half_width = None if case is None else case.latency_half_width
    return {
        f"{name}_p50": _measured(group, case, "latency_p50_s", "s", half_width, phase),
        f"{name}_p99": _measured(group, case, "latency_p99_s", "s", None, phase),
    }


def _tokens_per_s(group: Group, case: CaseSummary) -> dict[str, Cell]:
    """Nothing where the items are tokens already, or the workload has none."""
    if case.item_unit == "token" or case.token_kind is None:
        return {}
    cell = _measured(group, case, "tokens_per_s", f"{case.token_kind} token/s", case.step_half_width)
    return {"tokens_per_s": cell}


def _measured(
    group: Group,
    case: CaseSummary | None,
    field: str,
    unit: str,
    half_width: float | None = None,
    phase: str = "",
) -> Cell:
    if case is None:
        missing = phase or ("decode" if "prefill" in group.cases else "prefill")
        return Cell(kind="empty", unit=unit, reason=f"{missing} is not in the run")
    value: float | None = getattr(case, field)
    if value is None:
        return Cell(kind="empty", unit=unit, reason=getattr(case, f"{field}_reason") or _why(case))
    scope = f"; {case.energy_scope}, {case.energy_source}" if _of_energy(field) else ""
    return Cell(
        kind="measured",
        value=value,
        unit=unit,
        half_width=half_width,
        source=_source(group, case) + scope,
        notes=_marks(case),
    )


def _of_energy(field: str) -> bool:
    return field.endswith(("_j", "_per_w"))


def _mfu(group: Group, case: CaseSummary) -> Cell:
    if case.mfu is None:
        return Cell(kind="empty", unit="1", reason=case.mfu_reason or _why(case))
    source = f"{_source(group, case)}; peak: {case.peak_source}"
    return Cell(
        kind="derived", value=case.mfu, unit="1", half_width=case.step_half_width, source=source, notes=_marks(case)
    )


def _dollars(group: Group, case: CaseSummary | None, name: str, unit: str) -> Cell:
    if case is None:
        missing = "decode" if "prefill" in group.cases else "prefill"
        return Cell(kind="empty", unit=unit, reason=f"{missing} is not in the run")
    return dollars(group.report, group.summary.run.run_id, case.case_id, name, unit)


def _error(group: Group, case: CaseSummary) -> Cell:
    if case.numerics_verdict == "reference":
        return Cell(kind="empty", reason="it is the FP32 reference itself")
    if case.numerics_error is None:
        return Cell(kind="empty", reason=case.numerics_error_reason or _why(case))
    name = case.numerics_error_name or "error"
    source = f"{_source(group, case)}; against {case.numerics_reference}"
    return Cell(kind="measured", value=case.numerics_error, unit=name, source=source, notes=_marks(case))


def _worse_error(group: Group, *cases: CaseSummary | None) -> Cell:
    """The larger of two errors of one name, or the last one; a note says what the other is."""
    cells = [(case.case.phase, _error(group, case)) for case in cases if case is not None]
    filled = [(phase, cell) for phase, cell in cells if cell.value is not None]
    if not filled:
        return cells[-1][1]
    names = {cell.unit for _, cell in filled}
    shown = max(filled, key=lambda found: found[1].value or 0.0) if len(names) == 1 else filled[-1]
    others = [
        f"{phase}: {cell.reason or f'{cell.unit} {cell.value:.3g}'}" for phase, cell in cells if phase != shown[0]
    ]
    return msgspec.structs.replace(shown[1], notes=(*shown[1].notes, f"of {shown[0]}", *others))


def _source(group: Group, case: CaseSummary) -> str:
    return f"run {group.summary.run.run_id}, case {case.case_id} ({case.case.phase})"


def _why(case: CaseSummary) -> str:
    if case.status != "ok":
        return f"{case.status}: {case.reason or 'no reason was given'}"
    return "no reason was given"


def _marks(case: CaseSummary) -> tuple[str, ...]:
    return (INVALID,) if case.numbers_from == "invalid" else ()


def _notes(group: Group) -> Iterable[str]:
    """What is true of the whole card and must be known before a number of it is quoted."""
    for phase, case in group.cases.items():
        lead = f"{phase}: " if len(group.cases) > 1 else ""
        if case.status != "ok":
            yield f"{lead}{_why(case)}"
        if case.support == "emulated":
            yield f"{lead}{case.case.precision} is emulated: {case.support_reason or 'no reason was given'}"
        for guard in case.guards:
            if guard.verdict == "FAIL":
                yield f"{lead}guard {guard.name} failed: {guard.reason or 'no reason was given'}"
    yield from dict.fromkeys(case.functional_only for case in group.cases.values() if case.functional_only)
