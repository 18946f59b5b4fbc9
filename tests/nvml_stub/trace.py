"""The truth behind the stub's ``trace`` values: power that follows the time, and its exact integral."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Wave(NamedTuple):
    """A square wave of power that begins, high, at ``t0_ns`` of the monotonic clock."""

    high_w: float
    low_w: float
    period_s: float
    duty: float
    t0_ns: int

    @property
    def spec(self) -> str:
        """As the stub's ``trace`` takes it."""
        return f"wave:{self.high_w * 1000:.12g}:{self.low_w * 1000:.12g}:{self.period_s * 1000:.12g}:{self.duty:.12g}"

    @property
    def mean_w(self) -> float:
        """Over whole periods."""
        return self.duty * self.high_w + (1 - self.duty) * self.low_w

    def energy_j(self, at_ns: int) -> float:
        """From ``t0_ns`` on."""
        seconds = (at_ns - self.t0_ns) / 1e9
        whole = int(seconds / self.period_s)
        part = seconds - whole * self.period_s
        high_s = (whole * self.period_s + min(part / self.duty, self.period_s)) * self.duty
        return self.high_w * high_s + self.low_w * (seconds - high_s)

    def power_w(self, spans: Sequence[Sequence[int]]) -> float:
        """Average over spans of (start, end) in ns."""
        energy = sum(self.energy_j(end) - self.energy_j(start) for start, end in spans)
        return energy / (sum(end - start for start, end in spans) / 1e9)
