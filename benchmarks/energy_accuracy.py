"""How far energy estimates are from loads of exactly known energy: the accuracy that docs/benchmarks.md quotes.

No clock and no thread: looks at ideal sensors, windows that are no multiple of their period, load before and after.
"""

from __future__ import annotations

import numpy as np

from results.energy_estimate import counter_energy, power_energy
from tests.results.energy_truth import Sensor, trial

STEPS_S = (0.0013, 0.037, 0.1, 0.237)
NUM_TRIALS = 100


def measure() -> str:
    """The largest relative error seen, by method and length of the window."""
    random = np.random.default_rng(1)
    found = []
    for seconds in (10, 30):
        tick, average, stated = 0.0, 0.0, 0.0
        for step_s in STEPS_S:
            for _ in range(NUM_TRIALS):
                t = trial(random, seconds, step_s)
                sensor = Sensor(phase_s=random.random() * 0.1)
                by_counter = counter_energy(sensor.counter(t.load, t.looks_s), t.spans, step_s)
                trace = sensor._replace(averaging_s=1.0).power(t.load, t.looks_s)
                by_average = power_energy(trace, t.spans, step_s, loaded_before_s=0.3, averaging_s=1.0)
                assert by_counter.power_w is not None
                assert by_average.power_w is not None
                tick = max(tick, abs(by_counter.power_w / t.truth_w - 1))
                average = max(average, abs(by_average.power_w / t.truth_w - 1))
                stated = max(stated, by_counter.u_window or 0.0)
        found.append(
            f"{seconds} s: counter {tick:.2%} (stated up to {stated:.2%}), 1 s average without its edge {average:.2%}"
        )
    return f"largest error in {NUM_TRIALS * len(STEPS_S)} windows, steps of 1.3 to 237 ms; " + "; ".join(found)
