"""One replicate through the worker's code with a fake backend, on a clock that sleeping moves."""

from __future__ import annotations

import time

import pytest

from harness.messages import Task
from harness.worker import run_task
from results.records import Measurement, MeasureSpec
from tests.harness.fakes import DraftReporter, make_case
from tests.harness.test_worker import FakeBackend


def measure(
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    idle=None,
    phase="infer",
    **measuring: object,
) -> Measurement:
    clock = backend.step.clock
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "ns", clock.ns + round(seconds * 1e9)))
    spec = MeasureSpec(min_seconds=0.5, min_iterations=30, max_seconds=60.0, warmup_max_seconds=5.0, **measuring)
    reporter, case = DraftReporter(backend.log), make_case(phase=phase)
    run_task(Task(case=case, measure=spec, log_path="", idle=idle), reporter, clock)
    draft = reporter.draft
    measure.found_idle = draft.fields.get("idle")  # type: ignore[attr-defined]
    return draft.measurement(case, 0, draft.status, str(draft.fields["reason"]), "now", 0.0)
