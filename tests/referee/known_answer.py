"""One case through the whole worker with the real clock, on a step whose answer is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from backends import REGISTRY as BACKENDS
from harness.clock import HostClock
from harness.messages import Task
from harness.worker import run_task
from results.records import Device, Measurement, MeasureSpec, Support
from tests.harness.fakes import DraftReporter, make_case
from tests.harness.test_worker import FakeWorkload
from tests.referee.steps import BusyStep
from workloads import REGISTRY as WORKLOADS

DEVICE = Device(id="fake:0", backend="fake", kind="cpu", name="A busy wait")


class StepBackend:
    """Runs the step it is given."""

    name = "fake"

    def __init__(self, step: BusyStep) -> None:
        self.step = step

    def devices(self):
        return [DEVICE]

    def supports(self, workload, case, device):
        return Support(level="native")

    def prepare(self, workload, case, device):
        return self.step

    def reference(self, workload, case, device):
        return "itself", {"logits": np.ones((1, 1, 3))}


class Measured(NamedTuple):
    """What the harness found, beside what the step itself recorded in the same passes."""

    record: Measurement
    latency_ns: np.ndarray
    warmup_ns: np.ndarray
    own_before_ns: np.ndarray  # numerics gate and warm-up
    own_throughput_ns: np.ndarray
    own_latency_ns: np.ndarray

    @property
    def step_s(self) -> float:
        """Mean step time of the throughput windows."""
        windows = self.record.timing.windows
        return sum(w.elapsed_ns for w in windows) / sum(w.iterations for w in windows) / 1e9


def measure(monkeypatch: pytest.MonkeyPatch, step: BusyStep, num_steps: int, warmup_s: float = 0.1) -> Measured:
    """``num_steps`` steps of each pass."""
    monkeypatch.setitem(BACKENDS._resolved, "fake", StepBackend(step))
    monkeypatch.setitem(WORKLOADS._resolved, "fake", FakeWorkload())
    spec = MeasureSpec(
        min_seconds=1e-3, min_iterations=num_steps, max_iterations=num_steps, max_seconds=120.0,
        warmup_max_seconds=warmup_s,
    )  # fmt: skip
    reporter, case = DraftReporter(), make_case()
    run_task(Task(case=case, measure=spec, log_path=""), reporter, HostClock())
    draft = reporter.draft
    assert draft.status == "ok", draft.fields
    record = draft.measurement(case, 0, "ok", "", "now", 0.0)
    latency_ns = np.frombuffer(draft.arrays["latency_ns"], np.int64)
    warmup_ns = np.frombuffer(draft.arrays["warmup_ns"], np.int64)
    num_windows = sum(w.iterations for w in record.timing.windows)
    own = np.array(step.own_ns, np.int64)
    first = len(own) - len(latency_ns) - num_windows
    return Measured(
        record, latency_ns, warmup_ns, own[:first], own[first : first + num_windows], own[first + num_windows :]
    )
