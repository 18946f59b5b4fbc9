"""Requests to a language model: prefill and decode priced together, and split so that the parts add up.

A batch of b requests of p prompt and g generated tokens takes t_p seconds of prefill and t_d of decode. With c the
dollars of a second of use (rate per hour / 3600 / share of the time in use):

    $/prompt token = c * t_p / (b * p)        $/generated token = c * t_d / (b * g)
    $/request = c * (t_p + t_d) / b           $/token of both = $/request / (p + g)

The whole price charged to the prompt and again to the output, as some tools do, gives two numbers that must not be
added. The first generated token comes of the prefill and is not counted among the g of the decode steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import Cost, RequestCost
from results.records import CaseSpec

PROMPT, GENERATED = "prompt_tokens", "new_tokens"
# Sizes that a prefill does not have, though its shape names them.
_OTHER_SIZES = (GENERATED, "sequence_length")


class _Phase(NamedTuple):
    """One phase of a batch: dollars and seconds of one item, and the items of a request."""

    usd_per_item: float
    s_per_item: float
    items: int
    half_width: float | None


def request_costs(costs: Sequence[Cost], summaries: Mapping[str, RunSummary]) -> Iterator[RequestCost]:
    """A cost of requests for each decode case with the prefill case that goes with it, at each price.

    Both are of the same run, price, workload, preset, precision, batch size, backend, device, options and prompt
    length. Where several prefill cases are, the one with the very shape of the decode case is taken, else the first.

    Args:
        costs: of all cases.
        summaries: run id -> run.
    """
    cases = {(run_id, case.case_id): case for run_id, s in summaries.items() for case in s.cases}
    prefills: dict[tuple[object, ...], list[Cost]] = {}
    for cost in costs:
        if cost.case.phase == "prefill" and cost.headline:
            prefills.setdefault(_key(cost), []).append(cost)
    for decode in costs:
        found = prefills.get(_key(decode)) if decode.case.phase == "decode" and decode.headline else None
        if not found:
            continue
        prefill = next((cost for cost in found if cost.case.shape == decode.case.shape), found[0])
        first = _phase(cases[prefill.run_id, prefill.case_id], prefill, PROMPT)
        then = _phase(cases[decode.run_id, decode.case_id], decode, GENERATED)
        if first and then:
            yield _request(prefill, decode, first, then)


def _request(prefill: Cost, decode: Cost, first: _Phase, then: _Phase) -> RequestCost:
    assert prefill.headline is not None
    prefill_s, decode_s = first.items * first.s_per_item, then.items * then.s_per_item
    share = prefill_s / (prefill_s + decode_s)
    usd = first.items * first.usd_per_item + then.items * then.usd_per_item
    half_width = None
    if first.half_width is not None and then.half_width is not None:
        half_width = math.hypot(share * first.half_width, (1 - share) * then.half_width)
    return RequestCost(
        run_id=prefill.run_id,
        prefill_case_id=prefill.case_id,
        decode_case_id=decode.case_id,
        label=_label(prefill.case),
        price=prefill.price,
        headline=prefill.headline,
        prompt_tokens=first.items,
        generated_tokens=then.items,
        prefill_time_share=share,
        usd_per_1m_prompt_tokens=1e6 * first.usd_per_item,
        usd_per_1m_generated_tokens=1e6 * then.usd_per_item,
        usd_per_1m_total_tokens=1e6 * usd / (first.items + then.items),
        usd_per_1k_requests=1e3 * usd,
        rate_half_width=half_width,
        notes=tuple(dict.fromkeys((*prefill.notes, *decode.notes))),
    )


def _phase(case: CaseSummary, cost: Cost, size: str) -> _Phase | None:
    """None where the tokens of the phase are not those of the shape, or no rate is known."""
    items = cost.case.shape.get(size)
    usd = getattr(cost, f"usd_per_1m_tokens_{cost.headline}")
    if not items or usd is None or not case.tokens_per_s or not case.steps_per_s:
        return None
    # A step of prefill takes whole prompts, one of decode gives each request one token.
    tokens_per_step = cost.case.batch_size * (items if size == PROMPT else 1)
    if not math.isclose(case.tokens_per_s / case.steps_per_s, tokens_per_step, rel_tol=1e-6):
        return None
    return _Phase(usd / 1e6, 1 / case.tokens_per_s, items, cost.rate_half_width)


def _key(cost: Cost) -> tuple[object, ...]:
    spec = cost.case
    sizes = tuple(sorted((name, size) for name, size in spec.shape.items() if name not in _OTHER_SIZES))
    return (
        cost.run_id, cost.basis, cost.price.row, cost.price.table_sha256,
        spec.workload, spec.workload_version, spec.preset, spec.precision, spec.batch_size, spec.backend, spec.device,
        spec.seed, tuple(sorted(spec.options.items(), key=str)), sizes,
    )  # fmt: skip


def _label(spec: CaseSpec) -> str:
    return spec.label.replace(f" {spec.phase} ", " ", 1)
