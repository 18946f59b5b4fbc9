"""Guard ``sm_clock_spread``: did the multiprocessors' clock hold still? With the facts about clocks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.guards.base import Scene, Unreadable, Watch, judge
from harness.guards.nvml import Card, NotSupported
from results.records import Guard

CLOCK_SM = 1  # nvmlClockType_t
MIN_SAMPLES = 5


class SmClockSpread(Watch):
    """Samples the SM clock between windows, when the device has just finished and is still warm."""

    name = "sm_clock_spread"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card, self._mhz = card, list[int]()

    def start(self) -> None:
        """See ``Watch``."""
        self.facts |= clock_lock(self._card)
        self.mark()

    def mark(self) -> None:
        """See ``Watch``."""
        self._mhz.append(int(self._card.ask("nvmlDeviceGetClockInfo", CLOCK_SM)))

    def stop(self) -> Guard:
        """See ``Watch``."""
        self.mark()
        low, middle, high = spread(self._mhz)
        self.facts |= {
            "sm_clock_p5_hz": low * 1e6,
            "sm_clock_median_hz": middle * 1e6,
            "sm_clock_p95_hz": high * 1e6,
            "num_sm_clock_samples": len(self._mhz),
        }
        if len(self._mhz) < MIN_SAMPLES or middle <= 0:
            raise Unreadable(f"{len(self._mhz)} samples of the SM clock, median {middle:g} MHz: too little to judge")
        text = f"SM clock {low:g} to {high:g} MHz (p5, p95) around {middle:g} MHz at {len(self._mhz)} marks"
        return judge(self.name, (high - low) / middle, text)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """5th percentile, median and 95th percentile; of few values the smallest and largest."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[round(0.05 * last)], statistics.median(ordered), ordered[round(0.95 * last)]


def clock_lock(card: Card) -> dict[str, str | None]:
    """``clock_lock``: are application clocks set to other than their default?

    NVML does not tell clocks locked by ``nvidia-smi -lgc``, so ``default`` says nothing about those.
    """
    try:
        now = int(card.ask("nvmlDeviceGetApplicationsClock", CLOCK_SM))
        default = int(card.ask("nvmlDeviceGetDefaultApplicationsClock", CLOCK_SM))
    except NotSupported:
        return {"clock_lock": "no application clocks"}
    except Unreadable as error:
        return {"clock_lock": None, "clock_lock_reason": str(error)}
    return {"clock_lock": "default" if now == default else f"application clock {now} MHz"}
