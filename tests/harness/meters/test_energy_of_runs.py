"""Energy through the real runner and store: idle power once a device, each case's own window, samples in the side file."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from backends import REGISTRY as BACKENDS
from harness import meters
from harness.runner import Interrupts, measure_all
from results.energy_trace import Trace
from results.records import MeasureSpec, PlannedCase
from results.store import StoredRun, open_run
from results.store_writer import RunWriter
from tests.harness.fakes import FakeClock, FakeStep, make_case
from tests.harness.meters.fakes import FakeMeter
from tests.harness.test_runner import InProcess, Silent
from tests.harness.test_worker import MS, FakeBackend, FakeWorkload
from tests.results.store_samples import make_info
from workloads import REGISTRY as WORKLOADS

SPEC = MeasureSpec(min_seconds=0.5, min_iterations=30, max_seconds=60.0, warmup_max_seconds=5.0, energy_min_seconds=1.0)


class TracedMeter(FakeMeter):
    """With the samples of its sensor."""

    def stop(self, window):
        self.traces = {"gpu_board_uw": Trace.of([1, 2, 3], [10, 20, 30])}
        return [msgspec.structs.replace(r, trace="gpu_board_uw") for r in super().stop(window)]


def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meter: FakeMeter, energy_seconds=None) -> StoredRun:
    clock = FakeClock()
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "ns", clock.ns + round(seconds * 1e9)))
    monkeypatch.setitem(WORKLOADS._resolved, "fake", FakeWorkload())
    backend = FakeBackend(clock, lambda i: 10 * MS)
    backend.step = FakeStep(clock, lambda i: 10 * MS)
    monkeypatch.setitem(BACKENDS._resolved, "fake", backend)
    monkeypatch.setattr(meters.REGISTRY, "names", lambda: ["fake"])
    monkeypatch.setitem(meters.REGISTRY._values, "fake", meter)
    monkeypatch.setitem(meters.REGISTRY._resolved, "fake", meter)
    cases = [make_case(batch_size=size) for size in (1, 2)]
    info = msgspec.structs.replace(make_info(), plan=tuple(PlannedCase(case=c, replicates=2) for c in cases))
    own = {cases[1].id: energy_seconds} if energy_seconds else None
    order = [(case, replicate) for replicate in (0, 1) for case in cases]
    with RunWriter.create(tmp_path / "run", info) as writer:
        measure_all(order, SPEC, writer, InProcess(clock), Silent(), Interrupts(), own)  # type: ignore[arg-type]
    return open_run(tmp_path / "run")


def test_idle_power_is_taken_by_the_first_worker_and_known_to_the_others(tmp_path, monkeypatch) -> None:
    meter = FakeMeter(100.0)
    run = stored(tmp_path, monkeypatch, meter)
    assert len(run.measurements) == 4
    # One idle window, then two passes for each of four workers.
    assert meter.log.count("start") == 1 + 2 * 4
    assert round(meter.windows[0].duration_s) == 10
    assert {e.idle_power_w for m in run.measurements for e in m.energy} == {100.0}


def test_idle_power_that_could_not_be_taken_is_not_waited_for_again(tmp_path, monkeypatch) -> None:
    meter = FakeMeter(100.0, fails_at="start")
    run = stored(tmp_path, monkeypatch, meter)
    assert meter.log.count("start") == 1 + 2 * 4
    assert all(e.energy_j is None and "failed at start" in e.reason for m in run.measurements for e in m.energy)


def test_a_case_has_its_own_window(tmp_path, monkeypatch) -> None:
    run = stored(tmp_path, monkeypatch, FakeMeter(), energy_seconds=4.0)
    durations = {m.case.batch_size: m.energy[0].duration_s for m in run.measurements}
    assert 1.0 <= durations[1] <= 1.5
    assert 4.0 <= durations[2] <= 5.5


def test_the_sensors_samples_lie_beside_the_times(tmp_path, monkeypatch) -> None:
    run = stored(tmp_path, monkeypatch, TracedMeter())
    for m in run.measurements:
        samples = run.samples(m)
        for reading in m.energy:
            assert reading.trace == f"{reading.scenario}_fake_gpu_board_uw"
            assert list(samples[reading.trace]) == [10, 20, 30]
            assert list(samples[f"{reading.trace}_time_ns"]) == [1, 2, 3]
            assert samples[reading.trace].dtype == np.int64
        assert len(samples["latency_ns"]) == m.timing.num_latency_samples
