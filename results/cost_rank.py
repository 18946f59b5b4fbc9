"""Cheapest first, among costs of the same work: what qualifies, in which order, and what nobody can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from results import units
from results.case_summary import CaseSummary, RunSummary
from results.cost_notes import disturbed
from results.cost_record import Cost, Rank
from results.cost_terms import CEILING_UNITS

ASSUMED = "assumes the measured speed there"
NO_INTERVAL = "whether this differs from the place before is not known: no interval"
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
    reason: str  # why it has no place
    doubt: str  # about the place it has


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
    named = {key: len(prices) for key, prices in _named_instances(costs).items()}
    groups: dict[tuple[object, ...], list[_Entry]] = {}
    for number, cost in enumerate(costs):
        if cost.item_unit in CEILING_UNITS:
            continue  # nobody buys these, so none is the cheapest
        case = cases[cost.run_id, cost.case_id]
        doubt = ASSUMED if _speed_is_assumed(cost, summaries[cost.run_id], named.get(cost.run_id, 0)) else ""
        groups.setdefault(_group_key(cost), []).append(_entry(number, cost, case, terms, doubt))
    for entries in groups.values():
        yield from _places(entries)


def group_text(cost: Cost) -> str:
    """``llm-decoder/tiny v1 decode, prompt_tokens=32 new_tokens=16``: what is compared, in words."""
    spec = cost.case
    shape = " ".join(f"{name}={size}" for name, size in spec.shape.items())
    return f"{spec.workload}/{spec.preset} v{spec.workload_version} {spec.phase}" + (f", {shape}" if shape else "")


def _named_instances(costs: Sequence[Cost]) -> dict[str, set[object]]:
    """Run id -> the instance types that it is said to have been made on, under whatever kinds of pricing."""
    found: dict[str, set[object]] = {}
    for cost in costs:
        if cost.basis != "what_if":
            found.setdefault(cost.run_id, set()).add((cost.price.row.provider, cost.price.row.instance_type))
    return found


def _speed_is_assumed(cost: Cost, summary: RunSummary, num_named: int) -> bool:
    """Whether the machine that is priced is not known to be the one that was measured."""
    row, seen = cost.price.row, summary.run.environment.cpu_count_logical
    other_host = row.unit == "instance" and None not in (row.vcpus, seen) and row.vcpus != seen
    return cost.basis == "what_if" or (cost.basis == "given" and num_named > 1) or other_host


def _places(entries: Sequence[_Entry]) -> Iterator[Rank]:
    named = sorted((e for e in entries if not e.reason), key=lambda e: (e.usd or 0.0, e.number))
    places: list[int] = []
    for index, entry in enumerate(named):
        equal = index > 0 and named[index - 1].usd == entry.usd
        places.append(places[-1] if equal else index + 1)
        # Cheapest first, so the first that overlaps has the best place.
        tied = next((at for better, at in zip(named[:index], places, strict=False) if _overlap(better, entry)), None)
        unknown = index > 0 and tied is None and _not_known(named[index - 1], entry)
        yield Rank(
            group=group_text(entry.cost), place=places[-1], index=entry.number, usd=entry.usd, unit=entry.unit,
            reason="; ".join(filter(None, (entry.doubt, NO_INTERVAL if unknown else ""))), tied_with_place=tied,
        )  # fmt: skip
    for entry in entries:
        if entry.reason:
            yield Rank(
                group=group_text(entry.cost), place=None, index=entry.number, usd=entry.usd, unit=entry.unit,
                reason=entry.reason,
            )  # fmt: skip


def _same_rate(one: _Entry, other: _Entry) -> bool:
    return (one.cost.run_id, one.cost.case_id) == (other.cost.run_id, other.cost.case_id)


def _not_known(better: _Entry, entry: _Entry) -> bool:
    return not _same_rate(better, entry) and None in (better.cost.rate_half_width, entry.cost.rate_half_width)


def _overlap(better: _Entry, entry: _Entry) -> bool:
    """Whether nobody can tell which of two costs is less; one rate at two prices is known to differ."""
    one, other = better.cost.rate_half_width, entry.cost.rate_half_width
    assert better.usd is not None
    assert entry.usd is not None
    if better.usd == entry.usd:
        return True
    if _same_rate(better, entry) or one is None or other is None:
        return False
    # Dollars go with the inverse of the rate: usd / (1 + h) to usd / (1 - h).
    return other >= 1 or one >= 1 or better.usd / (1 - one) >= entry.usd / (1 + other)


def _group_key(cost: Cost) -> tuple[object, ...]:
    spec = cost.case
    return spec.workload, spec.workload_version, spec.preset, spec.phase, tuple(sorted(spec.shape.items()))


def _entry(number: int, cost: Cost, case: CaseSummary, terms: RankTerms, doubt: str) -> _Entry:
    by_tokens = cost.tokens_per_s is not None
    name = f"usd_per_1m_{'tokens' if by_tokens else 'items'}_{cost.headline}"
    usd = getattr(cost, name) if cost.headline else None
    unit = f"$/1M {f'{cost.token_kind} token' if by_tokens else cost.item_unit or 'item'}"
    reason = cost.reason or ("" if usd is not None else "no cost") or _does_not_qualify(cost, case, terms)
    return _Entry(number, cost, usd, unit, reason, doubt)


def _does_not_qualify(cost: Cost, case: CaseSummary, terms: RankTerms) -> str:
    if case.functional_only:
        return case.functional_only
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
