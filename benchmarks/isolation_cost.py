"""What a worker of its own costs per case, against a fresh interpreter that imports torch.

Goal: at most 0.1 s a case after the first.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import msgspec

from harness.isolation import isolate
from harness.messages import Event
from harness.supervisor import Limits, Supervisor

NUM_WORKERS, NUM_FRESH = 20, 3


def say_done(connection: Connection, payload: bytes) -> None:
    """A worker with nothing to do."""
    isolate("")
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def measure() -> str:
    """Median seconds per worker after the first, and per fresh interpreter."""
    supervisor = Supervisor(["torch", "backends.torch_backend"])
    times = []
    for _ in range(NUM_WORKERS + 1):
        start = time.perf_counter()
        ending = supervisor.run(say_done, b"", Limits(60, 60))
        assert ending.status == "ok", ending.reason
        times.append(time.perf_counter() - start)
    fresh = []
    for _ in range(NUM_FRESH):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        fresh.append(time.perf_counter() - start)
    worker = statistics.median(times[1:])
    return (
        f"{worker:.3f} s a worker after the first, which takes {times[0]:.2f} s (goal: 0.1 s); "
        f"a fresh interpreter importing torch takes {statistics.median(fresh):.2f} s, "
        f"{statistics.median(fresh) / worker:.0f} times as long"
    )
