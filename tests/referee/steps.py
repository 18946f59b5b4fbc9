"""Steps whose right answer is known, and what wraps a real one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.base import Step

STALL_EVERY = 50  # one step in 50 stalls: 2 %


class NoStep:
    """Does nothing."""

    facts: Mapping[str, object] = {"precision_honoured": True}

    def run(self, i: int) -> None:
        pass

    def sync(self) -> None:
        pass

    def outputs(self) -> Mapping[str, np.ndarray]:
        return {"logits": np.ones((1, 3))}

    def timer(self) -> None:
        return None


class BusyStep(NoStep):
    """Spins for ``wait_s``; one step of every 50, at a random place, for ``stall_s``; the first for ``first_s``.

    ``own_ns`` is what every step took by its own account, in the order run.
    """

    def __init__(self, wait_s: float, stall_s: float = 0.0, first_s: float = 0.0) -> None:
        self.own_ns: list[int] = []
        self._wait_ns, self._stall_ns, self._first_ns = (round(s * 1e9) for s in (wait_s, stall_s, first_s))
        self._random = random.Random(0)
        self._stalls: set[int] = set()

    def run(self, i: int) -> None:
        start = time.perf_counter_ns()
        due = start + self._duration_ns(len(self.own_ns))
        while (now := time.perf_counter_ns()) < due:
            pass
        self.own_ns.append(now - start)

    def _duration_ns(self, number: int) -> int:
        if number == 0 and self._first_ns:
            return self._first_ns
        if number % STALL_EVERY == 0:
            self._stalls.add(number + self._random.randrange(STALL_EVERY))
        return self._stall_ns if self._stall_ns and number in self._stalls else self._wait_ns


class HangingStep(NoStep):
    """Never returns."""

    def run(self, i: int) -> None:
        time.sleep(3600)


class RaisingStep(NoStep):
    """Fails at once."""

    def run(self, i: int) -> None:
        raise RuntimeError("the step has failed")


class RepeatedStep:
    """Runs another step so many times in a row that one run takes ``min_s`` or more."""

    def __init__(self, step: Step, min_s: float) -> None:
        self._step, self.facts = step, step.facts
        for i in range(20):
            step.run(i)
        start = time.perf_counter_ns()
        for i in range(20):
            step.run(i)
        self.times = int(1 + min_s * 1e9 * 20 // (time.perf_counter_ns() - start))

    def run(self, i: int) -> None:
        for _ in range(self.times):
            self._step.run(i)

    def sync(self) -> None:
        self._step.sync()


def onnx_step(name: str) -> Any:
    """The step that ``chipmark run`` times for the tiny preset of a workload through ONNX Runtime."""
    from backends import REGISTRY as BACKENDS
    from results.records import CaseSpec
    from workloads import REGISTRY as WORKLOADS

    workload, backend = WORKLOADS.get(name), BACKENDS.get("onnxruntime")
    preset = workload.spec.presets["tiny"]
    case = CaseSpec(
        workload=name, workload_version=workload.spec.version, phase="infer", preset="tiny", precision="fp32",
        batch_size=preset.batch_size, shape=dict(preset.shape), backend="onnxruntime", device="cpu",
        options={"threads": 1},
    )  # fmt: skip
    return backend.prepare(workload, case, backend.devices()[0])
