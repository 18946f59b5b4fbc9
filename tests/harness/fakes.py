"""A clock that tests move and a step with known durations: exact arithmetic without sleeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from harness.messages import Draft, Event
from results.records import CaseSpec


class FakeClock:
    """Moves only when told to."""

    name = "fake"

    def __init__(self) -> None:
        self.ns = 1_000

    def now_ns(self) -> int:
        return self.ns


class FakeStep:
    """Step ``i`` takes ``duration_ns(i)``: host time if synchronous, else at the next sync."""

    def __init__(self, clock: FakeClock, duration_ns: Callable[[int], int], asynchronous: bool = False) -> None:
        self.clock, self.duration_ns, self.asynchronous = clock, duration_ns, asynchronous
        self.pending_ns = 0
        self.log: list[str] = []
        self.seen: list[int] = []
        self.facts: Mapping[str, object] = {"precision_honoured": True}

    def run(self, i: int) -> None:
        self.seen.append(i)
        self.log.append("run")
        if self.asynchronous:
            self.pending_ns += self.duration_ns(i)
        else:
            self.clock.ns += self.duration_ns(i)

    def sync(self) -> None:
        self.log.append("sync")
        self.clock.ns += self.pending_ns
        self.pending_ns = 0

    def outputs(self) -> Mapping[str, np.ndarray]:
        self.log.append("outputs")
        return {"logits": np.ones((1, 3))}

    def timer(self) -> None:
        return None


class DraftReporter:
    """Collects what a worker would send, through the real encoding."""

    def __init__(self, log: list[str] | None = None) -> None:
        self.draft = Draft()
        self.log = log

    def send(self, **news: object) -> None:
        event = msgspec.msgpack.decode(msgspec.msgpack.encode(Event(**news)), type=Event)
        if self.log is not None and event.stage:
            self.log.append(f"stage {event.stage}")
        self.draft.merge(event)


def make_case(**changes: object) -> CaseSpec:
    fields = {
        "workload": "fake", "workload_version": 1, "phase": "infer", "preset": "tiny", "precision": "fp32",
        "batch_size": 4, "shape": {}, "backend": "fake", "device": "fake:0",
    }  # fmt: skip
    return CaseSpec(**(fields | changes))  # type: ignore[arg-type]
