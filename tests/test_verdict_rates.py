"""The goals of the simulation in benchmarks/verdict_rates.py, with fewer draws and a fixed seed."""

from __future__ import annotations

import math

import pytest

from benchmarks import verdict_rates
from benchmarks.verdict_rates import CELLS, CHANGE, Cell, rates
from results.verdict import ACCELERATOR_PRIOR, Rule, judge

NUMBER = 1500
# Of a share estimated from NUMBER draws, three standard errors.
SLACK = {share: 3 * math.sqrt(share * (1 - share) / NUMBER) for share in (0.0, 0.01, 0.02, 0.8, 0.9)}
GOALS = [cell for cell in CELLS if cell.max_false is not None]


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("cell", GOALS, ids=lambda c: f"{c.process_sd:g}-{c.base}-{c.new}")
def test_goals(cell: Cell, heavy: bool) -> None:
    null = rates(cell, heavy, 0.0, NUMBER)
    assert null.slower + null.faster <= cell.max_false + SLACK[cell.max_false]
    changed = rates(cell, heavy, CHANGE, NUMBER)
    if cell.min_found is not None:
        assert changed.slower >= cell.min_found - SLACK[cell.min_found]
    else:
        assert changed.same + changed.faster == 0.0


def test_the_goals_are_those_that_were_set() -> None:
    stated = {(c.process_sd, c.session_sd, c.base, c.new): (c.max_false, c.min_found) for c in GOALS}
    assert stated[0.008, 0.01, (3, 5), (1, 5)] == (0.02, 0.80)
    assert stated[0.008, 0.01, (3, 5), (2, 5)] == (0.01, 0.90)
    assert {goal for (sd, *_), goal in stated.items() if sd == 0.1} == {(0.0, None)}


@pytest.mark.parametrize("heavy", [False, True])
def test_one_session_against_one_gives_next_to_no_false_alarm(heavy: bool) -> None:
    """And without the demand that the whole interval lies beyond 3 % it would: that is what it is for."""
    cell = Cell(0.008, 0.010, (1, 5), (1, 5))
    found = rates(CELLS[CELLS.index(cell)], heavy, 0.0, NUMBER)
    assert found.slower + found.faster <= 0.001
    generator = verdict_rates.np.random.default_rng(1)
    base, new = (verdict_rates.draw(generator, cell, (1, 5), heavy, 0.0, NUMBER) for _ in range(2))
    lenient = Rule(min_base_sessions=1, min_base_processes=1)
    verdicts = [
        judge(verdict_rates.np.log(b).tolist(), verdict_rates.np.log(n).tolist(), ACCELERATOR_PRIOR, lenient).verdict
        for b, n in zip(base, new, strict=True)
    ]
    assert sum(v in ("slower", "faster") for v in verdicts) / NUMBER > 0.02


def test_the_simulation_sees_false_alarms_where_there_are_some() -> None:
    """Sessions that drift by far more than is believed: nothing is promised there, and it shows."""
    found = rates(Cell(0.001, 0.03, (3, 5), (1, 5)), False, 0.0, NUMBER)
    assert 0.03 < found.slower + found.faster < 0.3
    assert abs(found.slower - found.faster) < 0.03
