"""One thread that polls every sensor of the worker, away from the timed thread.

A sample is the value and the midpoint of the two clock readings around it. The interval is 20 ms, and
longer where a look is dear: polling must not take more than a twentieth of a core.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence

from harness.error_text import one_line
from harness.meters.channel import Channel
from results.energy_trace import Trace

POLL_S = 0.020
# Looks dearer than this are taken more rarely ...
DEAR_S = 0.001
# ... so that they take this share of the time, ...
MAX_SHARE = 0.05
# ... but not more rarely than this.
MAX_POLL_S = 0.5


class Tape:
    """What one channel said: times [N] and values [N], in the order taken, and the last fault."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.times_ns, self.values = array("q"), array("q")
        self.fault = ""  # why the last look failed; empty if it did not
        self.num_faults = 0

    def look(self, now_ns: Callable[[], int]) -> int:
        """Take one sample; returns what it cost in ns."""
        before = now_ns()
        try:
            self.values.append(int(self.channel.read()))  # in here, because a value beyond 64 bits is a fault as well
        except Exception as error:  # a driver raises anything; the pass must not suffer
            self.fault, self.num_faults = one_line(error) or type(error).__name__, self.num_faults + 1
            return now_ns() - before
        after = now_ns()
        self.fault = ""
        self.times_ns.append((before + after) // 2)
        return after - before

    def trace(self) -> Trace:
        """The samples so far."""
        return Trace.of(self.times_ns, self.values)


class Sampler:
    """Polls while there is anything to poll.

    Args:
        now_ns: the clock of the samples, that of the timed loop.
        poll_s: the interval wanted.
    """

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns, poll_s: float = POLL_S) -> None:
        self._now_ns, self._wanted_s = now_ns, poll_s
        self.poll_s = poll_s
        self._tapes: list[Tape] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._leave = threading.Event()

    def add(self, channels: Sequence[Channel]) -> list[Tape]:
        """Begin to poll ``channels``; each has been looked at once on return."""
        tapes = [Tape(channel) for channel in channels]
        for tape in tapes:
            tape.look(self._now_ns)
        with self._lock:
            self._tapes.extend(tapes)
            if self._thread is None:
                self._leave = threading.Event()
                self._thread = threading.Thread(
                    target=self._poll, args=(self._leave,), name="chipmark-power", daemon=True
                )
                self._thread.start()
        return tapes

    def remove(self, tapes: Sequence[Tape]) -> None:
        """Stop polling ``tapes``; each has been looked at once more on return. Ends the thread with the last."""
        with self._lock:
            self._tapes = [tape for tape in self._tapes if tape not in tapes]
            thread = None
            if not self._tapes:
                thread, self._thread = self._thread, None
                self._leave.set()
        if thread is not None:
            thread.join()
        for tape in tapes:
            tape.look(self._now_ns)

    def _poll(self, leave: threading.Event) -> None:
        next_ns = self._now_ns()
        while not leave.is_set():
            with self._lock:
                cost_ns = sum(tape.look(self._now_ns) for tape in self._tapes)
            self.poll_s = poll_interval_s(cost_ns / 1e9, self._wanted_s)
            # From the planned time, so that intervals do not add up their lateness; after a long stall, from now.
            next_ns = max(next_ns + round(self.poll_s * 1e9), self._now_ns())
            leave.wait(max(0.0, (next_ns - self._now_ns()) / 1e9))


def poll_interval_s(cost_s: float, wanted_s: float = POLL_S) -> float:
    """Seconds between two rounds of looks that cost ``cost_s`` each."""
    if cost_s <= DEAR_S:
        return wanted_s
    return min(max(wanted_s, cost_s / MAX_SHARE), MAX_POLL_S)


# The one sampler of a worker.
SAMPLER = Sampler()
