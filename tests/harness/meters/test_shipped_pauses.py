"""The pauses that passes really make, on simulated sensors that look at a part of each period only."""

from __future__ import annotations

import random

import numpy as np
import pytest

from harness.meters.energy_pass import NUM_PHASES, pauses
from results.energy_estimate import relative_total
from tests.results.energy_truth import Sensor
from tests.results.test_energy_accuracy import error, phases

TRIALS = 150
SHARES = (0.2, 0.37, 1.0, 1.003, 1.01, 3.0)
# Loads nearly in step with the sensor drift past it while a span lasts, which no pause can know.
WORST = 0.88


def coverage(share: float, duty: float) -> float:
    numbers = np.random.default_rng(round(1000 * share * duty))
    random.seed(round(1000 * share))
    covered = 0
    for _ in range(TRIALS):
        sensor = Sensor(phase_s=numbers.random() * 0.1, averaging_s=0.025)
        found, truth_w = phases(numbers, sensor, 0.1 * share, num=NUM_PHASES, pauses_s=pauses(), duty=duty)
        total = relative_total(found.u_window, 0.05)
        assert total is not None
        covered += bool(abs(error(found, truth_w)) <= total)
    return covered / TRIALS


@pytest.mark.parametrize("duty", [0.5, 0.1])
def test_intervals_of_the_shipped_phases_cover_the_truth(duty: float) -> None:
    """A sensor that looks at a quarter of each 100 ms, loads of 1/5 to 3 times its period, in step with it or not."""
    found = {share: coverage(share, duty) for share in SHARES}
    assert min(found.values()) >= WORST, found
    assert sum(found.values()) / len(found) >= 0.95, found


def test_pauses_put_one_phase_in_each_fifth_of_the_period() -> None:
    random.seed(5)
    made = pauses()
    at_s = np.cumsum([next(made) for _ in range(NUM_PHASES * 20)])
    # Relative to the unknown start: the five of a round are in five different fifths.
    for offset_s in np.linspace(0, 0.1, 400, endpoint=False):
        fifths = np.floor((at_s + offset_s) % 0.1 / 0.1 * NUM_PHASES).reshape(-1, NUM_PHASES)
        if all(len(set(row)) == NUM_PHASES for row in fifths):
            return
    raise AssertionError("no start makes each round visit every fifth")
