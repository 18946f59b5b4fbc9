"""The main blocks of a cost report: one for each workload, preset and shape of a run, a row for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import units
from results.cost_record import Cost
from results.cost_terms import CEILING_UNITS
from results.render import Shared, backend_text, precision_text, shape_text, shared_by
from results.render_cost_text import Page, cost_cell, price_key, priced, several_runs
from results.render_table import Block, TableColumn

# With more prices than this each gets blocks of its own: the columns would not fit.
MAX_PRICE_COLUMNS = 3
_UNIT_WIDTH = 7  # of "items/s"
_NAMES = {"usd_per_1m_items": "$/1M {unit}", "usd_per_1m_tokens": "$/1M token", "usd_per_1k_steps": "$/1k steps"}


def case_blocks(page: Page) -> list[Block]:
    """Blocks by run, price where they do not fit side by side, and workload."""
    blocks = []
    for run in page.report.runs:
        costs = [c for c in page.report.cases if c.run_id == run.run.run_id and c.item_unit not in CEILING_UNITS]
        shared = shared_by([cost.case for cost in costs])
        keys = list(dict.fromkeys(price_key(cost.price) for cost in costs))
        together = [keys] if len(keys) <= MAX_PRICE_COLUMNS else [[key] for key in keys]
        for some in together:
            of_price = [cost for cost in costs if price_key(cost.price) in some]
            blocks += [_block(page, group, shared, len(keys)) for group in grouped(of_price)]
    return blocks


def grouped(costs: Iterable[Cost]) -> list[list[Cost]]:
    """Costs of the same workload, version, preset and shape, in order of first appearance."""
    groups: dict[tuple[object, ...], list[Cost]] = {}
    for cost in costs:
        spec = cost.case
        key = (spec.workload, spec.workload_version, spec.preset, tuple(spec.shape.items()))
        groups.setdefault(key, []).append(cost)
    return list(groups.values())


def side_by_side(page: Page) -> bool:
    """Whether some block has a column for each price, and so one unit only."""
    counts = [
        len({price_key(cost.price) for cost in page.report.cases if cost.run_id == run.run.run_id})
        for run in page.report.runs
    ]
    return any(1 < count <= MAX_PRICE_COLUMNS for count in counts)


def ceiling_notes(page: Page) -> list[str]:
    """Which cases have no rows here because nobody buys what they do."""
    left_out = {(c.run_id, c.case_id) for c in page.report.cases if c.item_unit in CEILING_UNITS}
    if not left_out:
        return []
    return [f"no rows for {len(left_out)} cases of gemm and memory-bandwidth: ceilings of a device have no price"]


def has_half_widths(page: Page) -> bool:
    """Whether any cost has a +-; without one there is no column for it."""
    return any(cost.rate_half_width is not None for cost in page.report.cases)


def _block(page: Page, costs: Sequence[Cost], shared: Shared, num_prices: int) -> Block:
    keys = list(dict.fromkeys(price_key(cost.price) for cost in costs))
    unit = next((cost.item_unit for cost in costs if cost.item_unit), "item")
    named = dollar_columns(costs)
    if len(keys) > 1:
        name = "usd_per_1m_tokens" if any(cost.token_kind for cost in priced(costs)) else "usd_per_1m_items"
        title = _NAMES[name].format(unit=unit)
        dollars = [(f"{title} {page.prices[key].letter}", name, key) for key in keys]
    else:
        dollars = [(title, name, keys[0]) for name, title in named]
    # The rate stands beside dollars of the same thing.
    by_tokens = all(name == "usd_per_1m_tokens" for _, name, _ in dollars)
    width = 10 if len(dollars) > 2 else 12
    with_half_width = has_half_widths(page)
    columns = [
        TableColumn("phase", 7, False),
        TableColumn("precision", 9, False),
        TableColumn("batch", 5, True),
        TableColumn("backend", 11, False),
        TableColumn(_rate_title(unit, by_tokens), _UNIT_WIDTH, True),
        *([TableColumn("+-", 6, True)] if with_half_width else []),
        *(TableColumn(title, width, True) for title, _, _ in dollars),
        TableColumn("status", 11, False),
        TableColumn("note", 4, False),
    ]
    rows = []
    for case_id in dict.fromkeys(cost.case_id for cost in costs):
        same = {price_key(cost.price): cost for cost in costs if cost.case_id == case_id}
        cost = next(iter(same.values()))
        rows.append(
            [
                cost.case.phase,
                precision_text(cost.case, cost.support),
                str(cost.case.batch_size),
                backend_text(cost.case, shared),
                units.count(cost.tokens_per_s if by_tokens else cost.throughput_per_s),
                *([_half_width(cost)] if with_half_width else []),
                *(cost_cell(same[key], name) if key in same else units.NOT_AVAILABLE for _, name, key in dollars),
                cost.status.replace("_", " "),
                page.notes.refer(_notes(page, list(same.values()))),
            ]
        )
    alone = page.prices[keys[0]].letter if len(keys) == 1 and num_prices > 1 else ""
    return Block(_heading(page, costs[0], alone), columns, rows)


def _rate_title(unit: str, by_tokens: bool) -> str:
    if by_tokens:
        return "token/s"
    return f"{unit}/s" if len(unit) + 2 <= _UNIT_WIDTH else "items/s"


def _heading(page: Page, cost: Cost, price_letter: str) -> str:
    run = f"{cost.run_id}: " if several_runs(page.report) else ""
    return f"{run}{group_text(cost)}" + (f", price {price_letter}" if price_letter else "")


def group_text(cost: Cost) -> str:
    """``llm-decoder/tiny v1, sequence_length=64``."""
    spec, shape = cost.case, shape_text(cost.case)
    return f"{spec.workload}/{spec.preset} v{spec.workload_version}" + (f", {shape}" if shape else "")


def dollar_columns(costs: Sequence[Cost]) -> list[tuple[str, str]]:
    """(stem, title) of the dollars that say something about ``costs``."""
    unit = next((cost.item_unit for cost in costs if cost.item_unit), "item")
    names = ["usd_per_1m_items"]
    if unit != "token" and any(cost.token_kind for cost in costs):
        names.append("usd_per_1m_tokens")
    if any(cost.case.phase == "train" for cost in costs):
        names.append("usd_per_1k_steps")
    return [(name, _NAMES[name].format(unit=unit)) for name in names]


def _half_width(cost: Cost) -> str:
    return units.half_width(cost.rate_half_width) if cost.headline else units.NOT_AVAILABLE


def _notes(page: Page, costs: Sequence[Cost]) -> list[str]:
    """Notes of one case at several prices; one that is not true of all of them names its price."""
    texts: dict[str, list[str]] = {}
    for cost in costs:
        for text in (cost.reason or (cost.attribution_reason if cost.headline else ""), *cost.notes):
            if text:
                texts.setdefault(text, []).append(page.letter(cost.price))
    return [
        text if len(found) == len(costs) else f"price {', '.join(dict.fromkeys(found))}: {text}"
        for text, found in texts.items()
    ]
