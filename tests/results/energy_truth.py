"""Loads of exactly known energy, and what sensors would say of them: no clock, no thread, no waiting.

A load idles, then repeats steps: ``high`` W for part of each step, ``low`` W for the rest. Its energy up to
any time is known in closed form, so what a sensor should say is exact too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from results.energy_trace import Trace

NS = 1e9


class Load(NamedTuple):
    """Watts and seconds; the load runs from ``begin_s`` to ``end_s``."""

    high_w: float = 420.0
    low_w: float = 180.0
    idle_w: float = 70.0
    step_s: float = 0.037
    duty: float = 0.5
    begin_s: float = 0.0
    end_s: float = 1e9

    def energy_j(self, t_s: np.ndarray) -> np.ndarray:
        """Energy since time 0, exactly."""
        t_s = np.asarray(t_s, float)
        on = np.clip(t_s, self.begin_s, self.end_s) - self.begin_s
        whole, rest = np.divmod(on, self.step_s)
        high_s = self.duty * self.step_s
        a_step = self.high_w * high_s + self.low_w * (self.step_s - high_s)
        partly = self.high_w * np.minimum(rest, high_s) + self.low_w * np.maximum(rest - high_s, 0)
        return whole * a_step + partly + self.idle_w * (t_s - on)

    def mean_w(self, start_s: float, end_s: float) -> float:
        """Average power between two times."""
        return float(self.energy_j(end_s) - self.energy_j(start_s)) / (end_s - start_s)


class Sensor(NamedTuple):
    """Updates each ``update_s`` from ``phase_s`` on; power is the mean of the last ``averaging_s``."""

    update_s: float = 0.1
    phase_s: float = 0.0
    averaging_s: float = 0.1
    gain: float = 1.0

    def _published(self, t_s: np.ndarray) -> np.ndarray:
        """When the value shown at ``t_s`` was taken."""
        return np.floor((t_s - self.phase_s) / self.update_s) * self.update_s + self.phase_s

    def counter(self, load: Load, looks_s: np.ndarray, least_uj: int = 1000) -> Trace:
        """Looks at an energy counter; ``least_uj`` is its least step."""
        energy_uj = self.gain * load.energy_j(self._published(looks_s)) * 1e6
        return Trace.of(np.round(looks_s * NS).astype(np.int64), (energy_uj // least_uj * least_uj).astype(np.int64))

    def power(self, load: Load, looks_s: np.ndarray) -> Trace:
        """Looks at a power value."""
        taken = self._published(looks_s)
        mean_w = (load.energy_j(taken) - load.energy_j(taken - self.averaging_s)) / self.averaging_s
        return Trace.of(np.round(looks_s * NS).astype(np.int64), np.round(self.gain * mean_w * 1e6).astype(np.int64))


def looks(random: np.random.Generator, start_s: float, end_s: float, poll_s: float = 0.02) -> np.ndarray:
    """Times of looks: each late by up to a millisecond, a few by up to 10."""
    planned = np.arange(start_s, end_s, poll_s)
    late = random.exponential(0.0003, len(planned)) + (random.random(len(planned)) < 0.01) * random.random() * 0.01
    return np.sort(planned + late)


class Trial(NamedTuple):
    """A window of whole steps within a load that runs before and after it."""

    load: Load
    window_s: tuple[float, float]
    looks_s: np.ndarray

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The window as the estimators take it."""
        return ((round(self.window_s[0] * NS), round(self.window_s[1] * NS)),)

    @property
    def truth_w(self) -> float:
        """Average power within the window."""
        return self.load.mean_w(*self.window_s)


def trial(
    random: np.random.Generator, seconds: float, step_s: float, before_s: float = 0.3, load: Load | None = None
) -> Trial:
    """A window of about ``seconds``, whole steps, at a random place; not a multiple of anything."""
    begin_s = 2.0 + random.random()
    load = (load or Load())._replace(step_s=step_s, begin_s=begin_s)
    run_in = np.ceil(before_s / step_s) * step_s
    steps = max(1, round(seconds * (1 + 0.05 * random.random()) / step_s))
    start_s = begin_s + run_in
    end_s = start_s + steps * step_s
    return Trial(load._replace(end_s=end_s + 0.3), (start_s, end_s), looks(random, begin_s - 0.05, end_s + 0.3))
