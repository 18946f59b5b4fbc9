"""A sampler in a time that tests move: looks every 20 ms, without a thread and without sleeping."""

from __future__ import annotations

from collections.abc import Sequence

from harness.meters.channel import Channel
from harness.meters.sampler import Sampler, Tape

POLL_NS = 20_000_000


class Time:
    """Time since the test began; moved by :class:`Scripted` only."""

    ns = 0

    @property
    def s(self) -> float:
        return self.ns / 1e9


class Scripted(Sampler):
    """Looks when :meth:`run` lets time pass."""

    def __init__(self, time: Time) -> None:
        super().__init__(lambda: time.ns)
        self.time, self.open = time, list[Tape]()

    def add(self, channels: Sequence[Channel]) -> list[Tape]:
        self.open = [Tape(channel) for channel in channels]
        self._look()
        return self.open

    def remove(self, tapes: Sequence[Tape]) -> None:
        self._look()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e9 / POLL_NS)):
            self.time.ns += POLL_NS
            self._look()

    def _look(self) -> None:
        for tape in self.open:
            tape.look(lambda: self.time.ns)
