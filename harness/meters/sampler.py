"""One thread that polls every sensor of the worker, away from the timed thread.

A sample is the value and the midpoint of the two clock readings around it. The interval is 20 ms on
average, at random by half as much, and longer where a look is dear: polling must not take more than a
twentieth of a core.
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence

from harness.error_text import one_line
from harness.meters.channel import Channel
from results.energy_trace import Trace

POLL_S = 0.020
# Looks that take more CPU time than this are taken more rarely ...
DEAR_S = 0.001
# ... so that they take this share of the time, ...
MAX_SHARE = 0.05
# ... but not more rarely than this.
MAX_POLL_S = 0.5
# Each interval is this many times the usual one, at random.
SPREAD = (0.5, 1.5)
# Looks that the usual cost is the median of.
NUM_COSTS = 9
# A driver may take a moment to wake a card, but not this long.
STUCK_S = 5.0


class Tape:
    """What one channel said: times [N] and values [N], in the order taken, and the last fault."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.times_ns, self.values = array("q"), array("q")
        self.fault = ""  # why the last look failed; empty if it did not
        self.num_faults = 0
        self.looked_ns = -1  # when the last look that has ended began
        self.is_lost = False  # it hung, and is not asked any more

    def look(self, now_ns: Callable[[], int]) -> None:
        """Take one sample."""
        before = now_ns()
        try:
            value = int(self.channel.read())
            after = now_ns()
            self.values.append(value)  # in here: a value beyond 64 bits is a fault as well
            self.times_ns.append((before + after) // 2)
        except BaseException as error:  # a driver raises anything; neither pass nor other sensors must suffer
            self.num_faults += 1
            if not self.is_lost:
                self.fault = one_line(error) or type(error).__name__
            self.looked_ns = before
            return
        if not self.is_lost:
            self.fault = ""
        self.looked_ns = before

    def trace(self) -> Trace:
        """The samples so far."""
        return Trace.of(self.times_ns, self.values)


class Sampler:
    """Polls while there is anything to poll. Only its own thread ever asks a sensor.

    Args:
        now_ns: the clock of the samples, that of the timed loop.
        poll_s: the interval wanted.
        stuck_s: a sensor that does not answer for so long is given up.
    """

    def __init__(
        self, now_ns: Callable[[], int] = time.perf_counter_ns, poll_s: float = POLL_S, stuck_s: float = STUCK_S
    ) -> None:
        self._now_ns, self._wanted_s, self._stuck_s = now_ns, poll_s, stuck_s
        self._tapes: tuple[Tape, ...] = ()  # replaced, never changed: the thread reads it without a lock
        self._looked = threading.Condition()
        self._num_waiting = 0
        self._wake = threading.Event()
        self._asked: Tape | None = None  # that the thread is looking at just now
        self._thread: threading.Thread | None = None

    def add(self, channels: Sequence[Channel]) -> list[Tape]:
        """Begin to poll ``channels``; each has been looked at on return, or has a fault."""
        tapes = [Tape(channel) for channel in channels]
        with self._looked:
            self._tapes += tuple(tapes)
            if self._thread is None:
                self._begin()
            self._await_look(tapes)
        return tapes

    def _begin(self) -> None:
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._poll, args=(self._wake,), name="chipmark-power", daemon=True)
        self._thread.start()

    def remove(self, tapes: Sequence[Tape]) -> None:
        """Stop polling ``tapes``; each has been looked at once more on return, or has a fault."""
        with self._looked:
            answered = self._await_look(tapes)
            if answered and any(tape.fault for tape in tapes):  # one look that failed is no lost sensor
                answered = self._await_look(tapes)
            self._tapes = tuple(tape for tape in self._tapes if tape not in tapes)
            thread = self._thread if not self._tapes else None
        self._wake.set()
        if thread is not None and answered:
            thread.join(self._stuck_s)

    def _await_look(self, tapes: Sequence[Tape]) -> bool:
        """Wait for a look at each that begins from now on; those without one get a fault."""
        called_ns = self._now_ns()
        self._num_waiting += 1
        try:
            for _ in range(len(self._tapes) + 1):  # each time one more may turn out to hang
                self._wake.set()  # do not wait for the next poll
                left = [tape for tape in tapes if not tape.is_lost and tape.looked_ns < called_ns]
                if self._looked.wait_for(lambda left=left: all(t.looked_ns >= called_ns for t in left), self._stuck_s):  # type: ignore[misc]
                    return not any(tape.is_lost for tape in tapes)
                self._give_up()
            for tape in left:
                tape.fault = tape.fault or f"the sensor did not answer within {self._stuck_s:g} s"
            return False
        finally:
            self._num_waiting -= 1

    def _give_up(self) -> None:
        """Leave the thread with the sensor that does not answer, and go on with the others in a new one."""
        stuck = self._asked
        if stuck is None:  # it came back just now
            return
        stuck.is_lost, stuck.fault = True, f"the sensor did not answer within {self._stuck_s:g} s"
        self._tapes = tuple(tape for tape in self._tapes if tape is not stuck)
        self._asked = None
        self._begin()

    def _poll(self, wake: threading.Event) -> None:
        """The thread. A wake-up costs the timed thread its caches and its turn, so there is little in it."""
        now_ns = self._now_ns
        next_ns = now_ns()
        costs_ns: deque[int] = deque(maxlen=NUM_COSTS)
        while not self._is_over():
            start_ns = time.thread_time_ns()  # its own work: waiting for the interpreter or a driver harms nobody
            for tape in self._tapes:
                self._asked = tape
                tape.look(now_ns)
                if wake is not self._wake:  # given up in the meantime: another thread has taken over
                    return
            self._asked = None
            costs_ns.append(time.thread_time_ns() - start_ns)
            if self._num_waiting:
                with self._looked:
                    self._looked.notify_all()
            usual_s = sorted(costs_ns)[len(costs_ns) // 2] / 1e9
            # At random around the interval, for a load may have that very period. From the planned time, so that
            # intervals do not add up their lateness; after a long stall, from now.
            next_ns += round(poll_interval_s(usual_s, self._wanted_s) * random.uniform(*SPREAD) * 1e9)
            next_ns = max(next_ns, now_ns())
            if wake.wait(max(0.0, (next_ns - now_ns()) / 1e9)):
                wake.clear()
                next_ns = now_ns()  # what was planned is over

    def _is_over(self) -> bool:
        """Whether there is nothing to poll any more; the thread is then forgotten."""
        if self._tapes:
            return False
        with self._looked:
            if not self._tapes:
                self._thread = None
            return not self._tapes


def poll_interval_s(cost_s: float, wanted_s: float = POLL_S) -> float:
    """Seconds between two rounds of looks that cost ``cost_s`` each."""
    if cost_s <= DEAR_S:
        return wanted_s
    return min(max(wanted_s, cost_s / MAX_SHARE), MAX_POLL_S)


# The one sampler of a worker.
SAMPLER = Sampler()
