"""How often ``compare`` is wrong, and how often it finds a change that is there: a simulation.

It draws process times, makes sessions of them, and hands them to ``results.compare`` as a command
does; no formula is copied. The standard deviations are assumed, not measured: they say what holds
if a machine is like that. "heavy" means that 10 % of processes take 5 process sds longer.

Goals: with a process sd of 0.8 % and a session sd of 1 %, at most 2 % false alarms and at least 80 % of
+5 % found with 3x5 v 1x5 (sessions x processes), 1 % and 90 % with 3x5 v 2x5; with 10 % and 8 % no
false verdict at all, with baselines of three sessions and more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from results.comparability import case_keys
from results.compare import compare
from results.records import CaseSpec
from results.session_case import Process, SessionCase

SEED = 20261124
NUM_GOAL, NUM_OTHER, NUM_FAMILY_CASES = 20_000, 4_000, 20_000
CHANGE = math.log(1.05)
HEAVY_SHARE, HEAVY_SDS = 0.10, 5.0
FAMILY_SIZES = (10, 40)  # of these a tenth is changed


class Cell(NamedTuple):
    """One kind of machine and one design; sds in the log, designs as (sessions, processes)."""

    process_sd: float
    session_sd: float
    base: tuple[int, int]
    new: tuple[int, int]
    kind: str = "cuda"  # decides the prior
    max_false: float | None = None  # goals, as shares
    min_found: float | None = None


class Rates(NamedTuple):
    """Shares of verdicts over many comparisons."""

    slower: float
    faster: float
    same: float
    inconclusive: float


CELLS = (
    Cell(0.008, 0.010, (3, 5), (1, 5), max_false=0.02, min_found=0.80),
    Cell(0.008, 0.010, (3, 5), (2, 5), max_false=0.01, min_found=0.90),
    Cell(0.008, 0.010, (1, 5), (1, 5)),
    Cell(0.003, 0.005, (3, 5), (1, 5)),
    Cell(0.008, 0.005, (3, 5), (1, 5)),
    Cell(0.020, 0.010, (1, 5), (1, 5)),
    Cell(0.020, 0.010, (3, 5), (1, 5)),
    Cell(0.020, 0.010, (3, 5), (2, 5)),
    Cell(0.100, 0.080, (1, 5), (1, 5)),
    Cell(0.100, 0.080, (1, 5), (1, 5), kind="cpu"),
    Cell(0.100, 0.080, (3, 5), (1, 5), max_false=0.0),
    Cell(0.100, 0.080, (3, 5), (2, 5), max_false=0.0),
    Cell(0.100, 0.080, (5, 5), (3, 5), max_false=0.0),
    Cell(0.008, 0.010, (3, 5), (2, 5), kind="cpu"),
)


def draw(
    generator: np.random.Generator, cell: Cell, design: tuple[int, int], heavy: bool, shift: float, number: int
) -> np.ndarray:
    """Step times in seconds, [number, sessions, processes], around 10 ms."""
    sessions, processes = design
    y = generator.normal(0.0, cell.process_sd, (number, sessions, processes))
    y += generator.normal(0.0, cell.session_sd, (number, sessions, 1))
    if heavy:
        y += HEAVY_SDS * cell.process_sd * (generator.random(y.shape) < HEAVY_SHARE)
    return 0.010 * np.exp(y + shift)


def sessions_of(times_s: np.ndarray, side: str, kind: str, name: str = "case") -> list[SessionCase]:
    """Sessions as they come from stored runs; ``times_s`` is [sessions, processes]."""
    case = CaseSpec(
        workload=name, workload_version=1, phase="infer", preset="p", precision="bf16", batch_size=1, shape={},
        backend="torch", device="d", scenarios=("throughput",),
    )  # fmt: skip
    keys = case_keys(case)
    return [
        SessionCase(
            case=case,
            session_id=f"{side}{k}",
            created_at=f"2026-01-{k + 1:02d}T00:00:00+00:00",
            host_id="h",
            device_kind=kind,
            keys=keys,
            context={},
            processes=tuple(Process(replicate=i, mean_step_s=t) for i, t in enumerate(session)),
        )
        for k, session in enumerate(times_s.tolist())
    ]


def rates(cell: Cell, heavy: bool, shift: float, number: int, seed: int = SEED) -> Rates:
    """Shares of verdicts over ``number`` comparisons of one case whose true log change is ``shift``."""
    generator = np.random.default_rng([seed, place(cell), heavy, shift != 0])
    base = draw(generator, cell, cell.base, heavy, 0.0, number)
    new = draw(generator, cell, cell.new, heavy, shift, number)
    counts = dict.fromkeys(Rates._fields, 0)
    for one_base, one_new in zip(base, new, strict=True):
        report = compare(sessions_of(one_new, "new", cell.kind), sessions_of(one_base, "base", cell.kind))
        counts[report.rows[0].verdict] += 1
    return Rates(**{name: count / number for name, count in counts.items()})


def place(cell: Cell) -> int:
    """What gives each cell draws of its own."""
    return CELLS.index(cell) if cell in CELLS else len(CELLS)


class Family(NamedTuple):
    """Over many comparisons of many cases at once."""

    any_false: float  # share of comparisons with any false verdict
    found: float  # share of changed cases that were called slower
    exit_slower: float  # share of comparisons that returned 3


def family(cell: Cell, heavy: bool, size: int, num_changed: int, number: int, seed: int = SEED) -> Family:
    """Whole comparisons of ``size`` cases, of which the first ``num_changed`` are 5 % slower."""
    generator = np.random.default_rng([seed, place(cell), heavy, size, num_changed])
    shifts = np.where(np.arange(size) < num_changed, CHANGE, 0.0)[:, None, None]
    wrong = found = slower = 0
    for _ in range(number):
        base = draw(generator, cell, cell.base, heavy, 0.0, size)
        new = draw(generator, cell, cell.new, heavy, 0.0, size) * np.exp(shifts)
        sides = [
            [one for i, times in enumerate(y) for one in sessions_of(times, side, cell.kind, f"case{i}")]
            for side, y in (("new", new), ("base", base))
        ]
        report = compare(*sides)
        verdicts = [row.verdict for row in report.rows]
        truth_same, truth_slower = verdicts[num_changed:], verdicts[:num_changed]
        false_alarm = any(v in ("slower", "faster") for v in truth_same)
        wrong += false_alarm or any(v in ("same", "faster") for v in truth_slower)
        found += sum(v == "slower" for v in truth_slower)
        slower += report.exit_code == 3
    return Family(wrong / number, found / max(1, num_changed * number), slower / number)


def line(cell: Cell, null: Sequence[Rates], changed: Sequence[Rates]) -> str:
    """A row of the table; pairs are normal / heavy, in percent."""
    false = [r.slower + r.faster for r in null]
    missed = [r.same + r.faster for r in changed]
    cells = (
        f"{100 * cell.process_sd:g} % / {100 * cell.session_sd:g} %" + (" (CPU prior)" if cell.kind == "cpu" else ""),
        f"{cell.base[0]}x{cell.base[1]} v {cell.new[0]}x{cell.new[1]}",
        _pair(false),
        _pair([r.same for r in null]),
        _pair([r.slower for r in changed]),
        _pair(missed),
        verdict_on(cell, false, [r.slower for r in changed], missed),
    )
    return "| " + " | ".join(cells) + " |"


def verdict_on(cell: Cell, false: Sequence[float], found: Sequence[float], missed: Sequence[float]) -> str:
    """Whether the goals are met."""
    if cell.max_false is None:
        return "-"
    if cell.min_found is None:  # no false verdict of any kind
        return "met" if max(*false, *missed) == 0 else "NOT met"
    return "met" if max(false) <= cell.max_false and min(found) >= cell.min_found else "NOT met"


def measure() -> str:
    """The tables of docs/verdicts.md."""
    rows = [
        "",
        "| process sd / session sd | base v new | A/A false | A/A same | +5 % slower | +5 % same or faster | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in CELLS:
        number = NUM_GOAL if cell.max_false is not None or cell.process_sd >= 0.1 else NUM_OTHER
        null = [rates(cell, heavy, 0.0, number) for heavy in (False, True)]
        changed = [rates(cell, heavy, CHANGE, number) for heavy in (False, True)]
        rows.append(line(cell, null, changed))
    rows += [
        "",
        "| process sd / session sd | base v new | cases that gate | none changed: any false verdict | exit code 3 "
        "| a tenth is +5 %: any false verdict | of these found | exit code 3 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows += [family_line(cell, size) for cell in (CELLS[0], CELLS[1], CELLS[4]) for size in FAMILY_SIZES]
    return "\n".join(rows)


def family_line(cell: Cell, size: int) -> str:
    """A row on whole comparisons; pairs are normal / heavy, in percent."""
    number = NUM_FAMILY_CASES // size
    null, changed = (
        [family(cell, heavy, size, num_changed, number) for heavy in (False, True)] for num_changed in (0, size // 10)
    )
    cells = (
        f"{100 * cell.process_sd:g} % / {100 * cell.session_sd:g} %",
        f"{cell.base[0]}x{cell.base[1]} v {cell.new[0]}x{cell.new[1]}",
        str(size),
        _pair([f.any_false for f in null]),
        _pair([f.exit_slower for f in null]),
        _pair([f.any_false for f in changed]),
        _pair([f.found for f in changed]),
        _pair([f.exit_slower for f in changed]),
    )
    return "| " + " | ".join(cells) + " |"


def _pair(shares: Sequence[float]) -> str:
    return " / ".join(f"{100 * share:.3g}" for share in shares)
