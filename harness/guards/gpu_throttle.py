"""Guards ``throttle_hw``, ``throttle_sw_thermal``, ``throttle_sw_power``: clocks held down during the passes.

Two sources. The driver's counters tell the time spent in a state, in nanoseconds; fields 74 and 75
have been the power and thermal policies for long. The counters of hardware slowdown have moved:
drivers up to 580 have them at 252 and 253, newer headers at 270 and 271, and each version has other
things in the other place (read in sources, not tried: no card was at hand). A counter is 64 bits
wide, those other things should not be, so the pair is taken that answers with 64 bits, and none
where both do or neither does. The event bits, sampled between windows, are always read as well:
they tell less, but are the same in every driver.
"""

from __future__ import annotations

from harness.guards.base import Scene, Unreadable, Watch, elapsed_ns, judge
from harness.guards.nvml import Card
from results.records import Guard

# nvmlClocksEventReason* in nvml.h
SW_POWER_CAP, HW_SLOWDOWN, SW_THERMAL, HW_THERMAL, HW_POWER_BRAKE = 0x4, 0x8, 0x20, 0x40, 0x80
UNSIGNED_LONG_LONG = 3  # nvmlValueType_t
# A counter that advanced by more than the time that passed does not count nanoseconds.
MAX_SHARE = 1.05


class Throttle(Watch):
    """One cause of lowered clocks.

    Args:
        scene: where and when.
        card: the card to ask.
        name: the guard.
        counters: alternatives of field ids whose increases add up.
        bits: event bits of this cause.
    """

    def __init__(self, scene: Scene, card: Card, name: str, counters: tuple[tuple[int, ...], ...], bits: int) -> None:
        super().__init__(scene)
        self.name, self._card, self._alternatives, self._bits = name, card, counters, bits
        self._samples: list[bool] = []
        self._problem = ""

    def start(self) -> None:
        """See ``Watch``."""
        self._counters = self._choose()
        self._start, self._start_ns = self._read(self._counters), self.scene.now_ns()
        self.mark()

    def mark(self) -> None:
        """See ``Watch``: one look at the event bits."""
        if self._problem:
            return
        try:
            self._samples.append(bool(event_bits(self._card) & self._bits))
        except Unreadable as error:
            self._problem = str(error)

    def stop(self) -> Guard:
        """See ``Watch``."""
        wall_ns = elapsed_ns(self._start_ns, self.scene.now_ns())
        self.mark()
        counted = self._counted(wall_ns)
        seen = sum(self._samples) / len(self._samples) if self._samples else None
        texts = []
        if counted is not None:
            texts.append(f"counted for {counted:.1%} of {wall_ns / 1e9:.3g} s")
        if seen is not None:
            texts.append(f"seen at {sum(self._samples)} of {len(self._samples)} marks")
        if counted is None and seen is None:
            raise Unreadable(self._problem or "neither counters nor event bits")
        # The counter covers all of the time. Without it, or where the bits contradict its 0, the marks
        # must do, which cannot show what lay between.
        return judge(self.name, counted or seen or 0.0, ", ".join(texts))

    def _choose(self) -> tuple[int, ...]:
        """The alternative that holds counters, if exactly one does."""
        able = [fields for fields in self._alternatives if self._read(fields) is not None]
        return able[0] if len(able) == 1 else ()

    def _read(self, fields: tuple[int, ...]) -> int | None:
        """Sum of the counters in ns; None if one of them is not there or is no counter."""
        if not fields:
            return None
        try:
            values = self._card.ask("nvmlDeviceGetFieldValues", list(fields))
        except Unreadable:
            return None
        if any(v.nvmlReturn != 0 or v.valueType != UNSIGNED_LONG_LONG for v in values):
            return None
        return sum(int(v.value.ullVal) for v in values)

    def _counted(self, wall_ns: int) -> float | None:
        end = self._read(self._counters)
        if end is None or self._start is None or end < self._start:
            return None
        share = (end - self._start) / wall_ns
        return min(share, 1.0) if share <= MAX_SHARE * len(self._counters) else None  # causes may coincide


def event_bits(card: Card) -> int:
    """Why clocks are what they are at this moment, as a mask of ``nvmlClocksEventReason*``."""
    try:
        return int(card.ask("nvmlDeviceGetCurrentClocksEventReasons"))
    except Unreadable:  # the name before driver 535
        return int(card.ask("nvmlDeviceGetCurrentClocksThrottleReasons"))


def throttle_hw(scene: Scene, card: Card) -> Throttle:
    """Hardware slowdown: the card protects itself, or its power supply does."""
    return Throttle(scene, card, "throttle_hw", ((270, 271), (252, 253)), HW_SLOWDOWN | HW_THERMAL | HW_POWER_BRAKE)


def throttle_sw_thermal(scene: Scene, card: Card) -> Throttle:
    """The driver lowers clocks for heat."""
    return Throttle(scene, card, "throttle_sw_thermal", ((75,),), SW_THERMAL)


def throttle_sw_power(scene: Scene, card: Card) -> Throttle:
    """The driver lowers clocks for the power limit; normal in large matrix products, so it only warns."""
    return Throttle(scene, card, "throttle_sw_power", ((74,),), SW_POWER_CAP)
