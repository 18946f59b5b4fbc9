"""Cheapest first, among costs of the same work: what qualifies, in which order, and what nobody can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.cost_notes import disturbed
from results.cost_record import Cost, Rank

LatencyPercentile = Literal["p50", "p90", "p99"]


class RankTerms(NamedTuple):
    """Limits that a case must keep to be ranked."""

    max_latency_s: float | None = None
    latency_percentile: LatencyPercentile = "p99"
    min_throughput_per_s: float | None = None  # in items


class _Entry(NamedTuple):
    number: int  # of the cost in the report
    cost: Cost
    usd: float | None
    unit: str
    reason: str


def ranking(costs: Sequence[Cost], summaries: Mapping[str, RunSummary], terms: RankTerms) -> Iterator[Rank]:
    """The place of every cost within its group: same workload, version, preset, shape and phase.

    By the headline cost of a million tokens, or of a million items where there are no tokens; a step is no measure
    over batch sizes. What does not qualify has no place and the reason; a guard that says that the machine was
    disturbed bars too.

    Args:
        costs: of all cases; an index into them names each.
        summaries: run id -> run.
        terms: the limits.
    """
    cases = {(run_id, case.case_id): case for run_id, s in summaries.items() for case in s.cases}
    groups: dict[tuple[object, ...], list[_Entry]] = {}
    for number, cost in enumerate(costs):
        case = cases[cost.run_id, cost.case_id]
        groups.setdefault(_group_key(cost), []).append(_entry(number, cost, case, terms))
    for entries in groups.values():
        yield from _places(entries)


def group_text(cost: Cost) -> str:
    """``llm-decoder/tiny v1 decode, prompt_tokens=32 new_tokens=16``: what is compared, in words."""
    spec = cost.case
    shape = " ".join(f"{name}={size}" for name, size in spec.shape.items())
    return f"{spec.workload}/{spec.preset} v{spec.workload_version} {spec.phase}" + (f", {shape}" if shape else "")


def _places(entries: Sequence[_Entry]) -> Iterator[Rank]:
    named = sorted((e for e in entries if not e.reason), key=lambda e: (e.usd or 0.0, e.number))
    before: _Entry | None = None
    for place, entry in enumerate(named, 1):
        tied, doubt = _tied(before, entry) if before else (False, "")
        yield Rank(
            group=group_text(entry.cost), place=place, index=entry.number, usd=entry.usd, unit=entry.unit,
            reason=doubt, tied_with_previous=tied,
        )  # fmt: skip
        before = entry
    for entry in entries:
        if entry.reason:
            yield Rank(
                group=group_text(entry.cost), place=None, index=entry.number, usd=entry.usd, unit=entry.unit,
                reason=entry.reason,
            )  # fmt: skip


def _tied(before: _Entry, entry: _Entry) -> tuple[bool, str]:
    """Whether the intervals of two neighbours overlap; what is not known is said."""
    one, other = before.cost.rate_half_width, entry.cost.rate_half_width
    if before.cost.run_id == entry.cost.run_id and before.cost.case_id == entry.cost.case_id:
        return False, ""  # one rate at two prices
    if one is None or other is None:
        return False, "whether this differs from the place before is not known: no interval"
    assert before.usd is not None
    assert entry.usd is not None
    # Dollars go with the inverse of the rate: usd / (1 + h) to usd / (1 - h).
    return other >= 1 or one >= 1 or before.usd / (1 - one) >= entry.usd / (1 + other), ""


def _group_key(cost: Cost) -> tuple[object, ...]:
    spec = cost.case
    return spec.workload, spec.workload_version, spec.preset, spec.phase, tuple(sorted(spec.shape.items()))


def _entry(number: int, cost: Cost, case: CaseSummary, terms: RankTerms) -> _Entry:
    by_tokens = cost.tokens_per_s is not None
    name = f"usd_per_1m_{'tokens' if by_tokens else 'items'}_{cost.headline}"
    usd = getattr(cost, name) if cost.headline else None
    unit = f"$/1M {f'{cost.token_kind} token' if by_tokens else cost.item_unit or 'item'}"
    reason = cost.reason or ("" if usd is not None else "no cost") or _does_not_qualify(cost, case, terms)
    return _Entry(number, cost, usd, unit, reason)


def _does_not_qualify(cost: Cost, case: CaseSummary, terms: RankTerms) -> str:
    if disturbed(case):  # a rank is a verdict that one may bet on
        return disturbed(case)
    if terms.max_latency_s is not None:
        name = f"latency_{terms.latency_percentile}_s"
        latency = getattr(case, name)
        if latency is None:
            why = getattr(case, f"{name}_reason") or "it was not measured"
            return f"{terms.latency_percentile} is not known: {why}"
        if latency > terms.max_latency_s:
            seconds, limit = units.seconds(latency), units.seconds(terms.max_latency_s)
            return f"{terms.latency_percentile} of {seconds} is above {limit}"
    least = terms.min_throughput_per_s
    if least is not None and (case.throughput_per_s or 0.0) < least:
        return f"{units.count(case.throughput_per_s)} {case.item_unit}/s is below {units.count(least)}"
    return ""
