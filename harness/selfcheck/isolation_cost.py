"""What a worker process of its own costs a case, by the real supervisor."""

from __future__ import annotations

import statistics
import time
from multiprocessing.connection import Connection

import msgspec

from harness.isolation import isolate
from harness.messages import Event
from harness.supervisor import Limits, Supervisor
from results.errors import ChipmarkError

LIMITS = Limits(timeout_s=30.0, progress_timeout_s=30.0)


def say_done(connection: Connection, payload: bytes) -> None:
    """A worker with nothing to do."""
    isolate("")
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def isolation_cost_s(num_workers: int = 8) -> float:
    """Median seconds of a worker that does nothing, without the first, which starts the server.

    Raises:
        ChipmarkError: such a worker did not end well.
    """
    supervisor, times = Supervisor(), []
    for _ in range(num_workers + 1):
        start = time.perf_counter()
        ending = supervisor.run(say_done, b"", LIMITS)
        times.append(time.perf_counter() - start)
        if ending.status != "ok":
            raise ChipmarkError(f"a worker that does nothing ended as {ending.status}: {ending.reason}")
    return statistics.median(times[1:])
