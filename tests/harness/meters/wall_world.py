"""A world with a clock and a logger that appends to a file as time passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.meters.wall import Clocks

EPOCH_S = 1_764_000_000.0


class World:
    """A clock that sleeping moves, and a logger on a clock of its own that appends as time passes.

    Attributes:
        ahead_s: the logger's clock less the true one.
        delay_s: rows come so late.
        power: watts at a true time since the start.
    """

    def __init__(self, file: Path, interval_s: float = 1.0) -> None:
        self.file, self.interval_s = file, interval_s
        self.now_s, self.next_s = 100.0, 100.25
        self.ahead_s = self.delay_s = self.stepped_s = 0.0
        self.stops_at_s = float("inf")
        self.power: Callable[[float], float] = lambda s: 400.0
        self.row: Callable[[float, float], str] = lambda unix_s, watts: f"{unix_s:.3f},{watts:.1f}\n"
        file.write_text("time,watts\n")

    def clocks(self) -> Clocks:
        return Clocks(
            lambda: round(self.now_s * 1e9), lambda: round((EPOCH_S + self.now_s + self.stepped_s) * 1e9), self.run
        )

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        with self.file.open("a", newline="") as file:
            while self.next_s + self.delay_s <= end_s:
                if self.next_s < self.stops_at_s:
                    file.write(self.row(EPOCH_S + self.next_s + self.ahead_s, self.power(self.next_s)))
                self.next_s += self.interval_s
        self.now_s = end_s
