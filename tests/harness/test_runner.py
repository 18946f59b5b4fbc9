"""The real runner, worker code, store and summary, on a clock that tests move; only the process is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from backends import REGISTRY as BACKENDS
from harness import runner
from harness.messages import Draft, Task
from harness.runner import Interrupts, limits_of, measure_all
from harness.supervisor import Ending, Limits
from harness.worker import run_task
from results.records import MeasureSpec, PlannedCase, RunInfo
from results.store import StoredRun, open_run
from results.store_writer import RunWriter
from results.summary import summarize
from tests.harness.fakes import DraftReporter, FakeClock, FakeStep, make_case
from tests.harness.test_worker import MS, FakeBackend, FakeWorkload
from tests.results.store_samples import make_info
from workloads import REGISTRY as WORKLOADS

MEASURE = MeasureSpec(min_seconds=0.5, min_iterations=30, max_seconds=60.0, warmup_max_seconds=5.0)


class SteppingClock(FakeClock):
    """Adds ``by_ns`` at the reading after ``armed`` was set."""

    def __init__(self, by_ns: int) -> None:
        super().__init__()
        self.by_ns, self.armed = by_ns, False

    def now_ns(self) -> int:
        if self.armed:
            self.armed, self.ns = False, self.ns + self.by_ns
        return self.ns


class InProcess:
    """A supervisor that runs the task here, on the given clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def run(self, entry: object, task_bytes: bytes, limits: Limits, follow: Callable[[Draft], None]) -> Ending:
        reporter = DraftReporter()
        run_task(msgspec.msgpack.decode(task_bytes, type=Task), reporter, self.clock)
        follow(reporter.draft)
        assert reporter.draft.status is not None
        return Ending(reporter.draft.status, str(reporter.draft.fields["reason"]), reporter.draft)


class Silent:
    def case_started(self, *_: object) -> None: ...
    def stage_changed(self, *_: object) -> None: ...
    def case_finished(self, *_: object) -> None: ...


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StoredRun]:
    """Measures one fake case through the real runner and returns the stored run."""
    monkeypatch.setitem(WORKLOADS._resolved, "fake", FakeWorkload())

    def measure(clock: FakeClock, duration_ns: Callable[[int], int], **case: object) -> StoredRun:
        backend = FakeBackend(clock, duration_ns)
        backend.step = FakeStep(clock, duration_ns)
        monkeypatch.setitem(BACKENDS._resolved, "fake", backend)
        spec = make_case(**case)
        info: RunInfo = msgspec.structs.replace(make_info(), plan=(PlannedCase(case=spec, replicates=1),))
        with RunWriter.create(tmp_path / "run", info) as writer:
            measure_all([(spec, 0)], MEASURE, writer, InProcess(clock), Silent(), Interrupts())  # type: ignore[arg-type]
        return open_run(tmp_path / "run")

    return measure


def test_statistics_are_stored_with_the_samples(measured) -> None:
    run = measured(FakeClock(), lambda i: (10 + i % 2) * MS)
    (m,) = run.measurements
    assert (m.status, m.reason) == ("ok", "")
    assert m.stats is not None
    assert m.stats.num_samples == len(run.samples(m)["latency_ns"])
    assert m.stats.num_windows == len(m.timing.windows)
    assert (m.stats.median_s, m.stats.mean_step_s) == (0.011, pytest.approx(0.0105, rel=0.05))
    assert m.timing.stop_reason.startswith("throughput: enough: mean +-")


def test_decoding_is_summarised_by_cycles(measured) -> None:
    run = measured(FakeClock(), lambda i: (1 + i % 8) * MS, phase="decode")
    (m,) = run.measurements
    assert m.stats is not None
    assert m.stats.half_width == 0.0, "batches of whole cycles are all alike"
    assert m.stats.num_effective == m.stats.num_kept


@pytest.mark.parametrize(
    ("at_step", "where"), [(10, "warm-up steps"), (60, "throughput windows"), (90, "latency samples")]
)
def test_a_clock_that_steps_back_ends_in_a_marked_result_with_its_samples(measured, at_step: int, where: str) -> None:
    clock = SteppingClock(-3_600_000 * MS)

    def duration(i: int) -> int:
        clock.armed = clock.armed or i == at_step
        return 10 * MS

    run = measured(clock, duration)
    (m,) = run.measurements
    assert (m.status, m.stage) == ("invalid", "measure")
    assert m.reason.startswith("the clock stepped: ")
    assert f" {where} are negative" in m.reason
    assert m.stats is not None
    assert m.stats.problem == m.reason
    assert (m.stats.median_s, m.stats.mean_step_s) == (None, None)
    assert m.samples is not None
    assert sum(m.samples.arrays.values()) > 0
    (summary,) = summarize(run)
    assert (summary.status, summary.throughput_per_s, summary.latency_p50_s) == ("invalid", None, None)
    assert summary.throughput_per_s_reason == m.reason


def test_steps_without_duration_end_in_a_marked_result(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.harness.test_runner.MEASURE", msgspec.structs.replace(MEASURE, max_iterations=100))
    run = measured(FakeClock(), lambda i: 10 * MS if i < 90 else 0)
    (m,) = run.measurements
    assert m.status == "invalid"
    assert m.reason.startswith("the clock stood still: ")


def test_a_failing_summary_does_not_lose_the_measurement(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(runner, "summarize_process", broken)
    run = measured(FakeClock(), lambda i: 10 * MS)
    (m,) = run.measurements
    assert (m.status, m.stats) == ("ok", None)
    assert "ZeroDivisionError: planted" in m.detail
    (summary,) = summarize(run)
    assert summary.latency_p50_s == 0.010, "computed again from the raw samples"


def test_energy_gets_time_of_its_own() -> None:
    spec = MeasureSpec(timeout_seconds=15.0, progress_timeout_seconds=5.0, energy_min_seconds=100.0)
    with_energy, without = limits_of(spec), limits_of(msgspec.structs.replace(spec, energy=False))
    assert without == (15.0, 5.0, "")
    assert with_energy.timeout_s >= 15.0 + 1.25 * 105.0 + 10.0
    assert with_energy.progress_timeout_s >= 5.0 + 10.5, "a window of a tenth of the pass is silent"
