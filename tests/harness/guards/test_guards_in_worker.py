"""Guards in the worker: between windows, stored with the result, and never at its cost."""

# ruff: noqa: F401, F811  the fixture ``backend`` is imported
from __future__ import annotations

import numpy as np
import pytest

from backends.base import FlopCount
from harness.guards import guard_set
from harness.guards.base import Watch, judge
from results.records import Guard
from tests.harness.test_worker import MS, FakeBackend, backend, measure


class Recording(Watch):
    """Writes into the step's log; fails, or raises, as told."""

    name = "cgroup_throttled"
    log: list[str] = []
    error: Exception | None = None

    def start(self) -> None:
        self.log.append("guard start")

    def mark(self) -> None:
        self.log.append("guard mark")
        if self.error:
            raise self.error

    def stop(self) -> Guard:
        self.log.append("guard stop")
        self.facts["seen"] = 3
        return judge(self.name, 3, "3 periods throttled")


@pytest.fixture
def recording(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> type[Recording]:
    class Own(Recording):
        log = backend.log

    monkeypatch.setattr(guard_set, "HOST", {"cgroup_throttled": Own})
    return Own


def test_marks_lie_between_windows_and_every_window_has_one(
    backend: FakeBackend,
    recording: type[Recording],
) -> None:
    m = measure(backend)
    assert m.timing is not None
    log = backend.log[backend.log.index("guard start") : backend.log.index("guard stop") + 1]
    for k, entry in enumerate(log):
        if entry == "guard mark":
            assert (log[k - 1], log[k + 1]) in (("sync", "sync"), ("sync", "guard stop"))
    assert log[1] == "sync"  # nothing of the passes lies before the start
    assert log.count("guard mark") >= len(m.timing.windows) + 1  # and the latency chunks
    passes = log.count("run")
    assert passes == sum(w.iterations for w in m.timing.windows) + m.timing.num_latency_samples


def test_a_fail_keeps_the_result_with_its_verdict(backend: FakeBackend, recording: type[Recording]) -> None:
    m = measure(backend)
    assert (m.status, m.machine) == ("ok", {"seen": 3})
    assert [guard.name for guard in m.guards] == [
        "cgroup_throttled", "step_slope", "step_spread", "step_tail", "flops",
    ]  # fmt: skip
    failed = m.guards[0]
    assert (failed.verdict, failed.value, failed.threshold) == ("FAIL", 3, 0)


def test_a_guard_that_raises_costs_nothing(
    backend: FakeBackend,
    recording: type[Recording],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fine = measure(backend)
    monkeypatch.setattr(recording, "error", RuntimeError("the file system is gone"))
    backend.step.seen.clear()
    m = measure(backend)
    assert (m.status, m.timing) == ("ok", fine.timing)
    assert m.guards[0].verdict == "UNKNOWN"
    assert m.guards[0].reason == "the guard failed: RuntimeError: the file system is gone"


def test_step_times_are_judged_by_their_place_in_the_cycle(backend: FakeBackend) -> None:
    backend.step.duration_ns = lambda i: (1 + i % 8) * MS
    verdicts = {guard.name: guard.verdict for guard in measure(backend, phase="decode").guards}
    assert verdicts["step_spread"] == verdicts["step_slope"] == "PASS"
    backend.step.duration_ns = lambda i: (1 + i % 5) * MS
    backend.step.seen.clear()
    assert {g.name: g.verdict for g in measure(backend, phase="infer").guards}["step_spread"] == "FAIL"


def test_without_latency_samples_step_times_are_unknown(backend: FakeBackend) -> None:
    found = {guard.name: guard for guard in measure(backend, scenarios=("throughput",)).guards}
    assert found["step_tail"].verdict == "UNKNOWN"
    assert "0 latency samples" in found["step_tail"].reason


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(FlopCount(10), "PASS"), (FlopCount(11), "WARN"), (FlopCount(None, "why not"), "UNKNOWN"),
     (MemoryError("no memory to count"), "UNKNOWN")],
)  # fmt: skip
def test_flops_are_counted_when_the_result_is_in(
    backend: FakeBackend,
    answer: FlopCount | Exception,
    verdict: str,
) -> None:
    def count(first: int, steps: int) -> FlopCount:
        assert first == len(backend.step.seen)
        backend.log.append("count")
        if isinstance(answer, Exception):
            raise answer
        return answer

    backend.step.count_flops = count  # type: ignore[attr-defined]
    m = measure(backend)
    assert m.status == "ok"
    assert (m.guards[-1].name, m.guards[-1].verdict) == ("flops", verdict)
    assert backend.log[-1] == "count"
    assert "stage finish" in backend.log[: backend.log.index("count")]


def test_a_crash_while_counting_leaves_the_result(backend: FakeBackend) -> None:
    """What a killed worker had said before is a finished measurement."""
    statuses = []

    def count(first: int, steps: int) -> FlopCount:
        statuses.append(reporter.draft.status)
        raise KeyboardInterrupt

    from harness.messages import Task
    from harness.worker import run_task
    from tests.harness.fakes import DraftReporter, make_case
    from tests.harness.test_worker import MEASURE

    backend.step.count_flops = count  # type: ignore[attr-defined]
    reporter = DraftReporter(backend.log)
    with pytest.raises(KeyboardInterrupt):
        run_task(Task(case=make_case(), measure=MEASURE, log_path=""), reporter, backend.step.clock)
    assert statuses == ["ok"]
    guards = reporter.draft.fields["guards"]
    assert isinstance(guards, tuple)
    assert "step_spread" in {guard.name for guard in guards}


def test_an_invalid_result_is_not_counted(backend: FakeBackend) -> None:
    backend.reference_outputs = ("fp32", {"logits": -np.ones((1, 1, 3))})
    m = measure(backend)
    assert m.status == "invalid"
    assert "flops" not in {guard.name for guard in m.guards}
