"""Meters that fail, hang, lie or exit cost their readings, and nothing else."""

from __future__ import annotations

import threading
import time

import pytest

from harness.messages import Task
from harness.meters.base import EnergyWindow
from harness.meters.metered import DeviceMeters, checked, within
from harness.worker import run_task
from results.records import Device, EnergyReading, MeasureSpec
from tests.harness.fakes import DraftReporter, make_case
from tests.harness.meters.fakes import FakeMeter
from tests.harness.meters.passes import measure
from tests.harness.test_worker import MS

DEVICE = Device(id="fake:0", backend="fake", kind="fake", name="Fake")


@pytest.mark.parametrize("where", ["start", "stop"])
def test_a_meter_that_fails_costs_its_reading_only(backend, only, monkeypatch, where: str) -> None:
    bad, good = FakeMeter(fails_at=where), FakeMeter(50.0)
    only(bad=bad, good=good)
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0, energy_min_seconds=1.0)
    assert m.status == "ok"
    assert m.timing.num_latency_samples > 0
    lost, kept = m.energy[:2]
    assert lost.energy_j is None
    assert lost.reason == f"meter bad failed at {where}: RuntimeError: no {where} today"
    assert kept.average_power_w == 50.0


@pytest.mark.parametrize("told", [[], [None], [EnergyReading(energy_j="much")], [{"energy_j": 1}], [object()]])
def test_readings_that_cannot_be_stored_cost_themselves_only(backend, only, monkeypatch, told) -> None:
    class Odd(FakeMeter):
        traces = {"gpu_board_uj": "no trace"}

        def stop(self, window):
            return told

    only(odd=Odd())
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0, energy_min_seconds=1.0)
    assert m.status == "ok"
    for reading in m.energy:
        assert reading.energy_j is None
        assert reading.reason
    assert m.timing.num_latency_samples > 0


def test_a_meter_whose_probe_fails_is_not_used(backend, only, monkeypatch) -> None:
    only(bad=FakeMeter(fails_at="probe"), other=FakeMeter(reason="it is asleep"))
    m = measure(backend, monkeypatch)
    assert "stage idle" not in backend.log
    for reading in m.energy:
        assert reading.energy_j is None
        assert "bad: RuntimeError: no probe today" in reading.reason
        assert "other: it is asleep" in reading.reason
    assert sum(w.elapsed_ns for w in m.timing.windows) < 2e9, "no window is stretched for nothing"


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (EnergyReading(energy_j=0.0, average_power_w=0.0, duration_s=1.0), "says 0 J"),
        (EnergyReading(energy_j=-3.0, average_power_w=-3.0, duration_s=1.0), "says -3 J"),
        (EnergyReading(energy_j=float("nan"), average_power_w=1.0, duration_s=1.0), "says nan J"),
        (EnergyReading(energy_j=float("inf"), average_power_w=1.0, duration_s=1.0), "says inf J"),
        (EnergyReading(energy_j=5.0, average_power_w=5.0), "no duration"),
        (EnergyReading(energy_j=5.0, average_power_w=4.0, duration_s=1.0), "contradicts itself"),
        (EnergyReading(), "neither energy nor reason"),
    ],
)
def test_a_number_that_cannot_be_is_none(reading: EnergyReading, words: str) -> None:
    found = checked(reading)
    assert (found.energy_j, found.average_power_w) == (None, None)
    assert words in found.reason


def test_a_pass_without_a_window_has_no_energy_and_stops_the_meter(only) -> None:
    fake = FakeMeter()
    only(fake=fake)
    found = DeviceMeters(DEVICE)
    found.start()
    (reading,) = found.stop(EnergyWindow(()), "latency", 0).readings
    assert (reading.energy_j, reading.reason) == (None, "the pass had no whole window")
    assert fake.log == ["probe", "start", "stop"]


def test_a_step_that_fails_is_not_run_again_for_the_meters(backend, only, monkeypatch) -> None:
    fake = FakeMeter()
    only(fake=fake)
    calls = []

    def duration(i: int) -> int:
        calls.append(i)
        if i > 400:
            raise RuntimeError(f"broken at step {i}")
        return 10 * MS

    backend.step.duration_ns = duration
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0)
    assert (m.status, m.stage, m.reason) == ("failed", "measure", "RuntimeError: broken at step 401")
    assert calls[-1] == 401
    assert fake.log[-1] == "stop"


class Leaves(FakeMeter):
    """Asks the interpreter to exit."""

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what == self.fails_at:
            raise SystemExit(3)


@pytest.mark.parametrize("where", ["probe", "start", "stop"])
def test_a_meter_that_would_exit_costs_its_reading_only(backend, only, monkeypatch, where: str) -> None:
    only(bad=Leaves(fails_at=where))
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0, energy_min_seconds=1.0)
    assert m.status == "ok"
    assert all(reading.energy_j is None and "SystemExit" in reading.reason for reading in m.energy)


def test_a_meter_that_hangs_is_given_up_and_the_parent_hears_of_progress() -> None:

    beats, release = [], threading.Event()
    problem = within(release.wait, lambda: beats.append(1), limit_s=0.2)
    release.set()
    assert problem == "it did not answer within 0.2 s"
    assert beats
    assert within(lambda: None) == ""


def test_the_energy_of_a_pass_is_told_before_the_next(backend, only, monkeypatch) -> None:
    only(fake=FakeMeter())

    def duration(i: int) -> int:
        return 10 * MS if i < 2000 else 10**15  # later steps take for ever

    backend.step.duration_ns = duration
    clock = backend.step.clock
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "ns", clock.ns + round(seconds * 1e9)))
    told = []

    class Reporter(DraftReporter):
        def send(self, **news):
            if news.get("energy"):
                told.append([reading.scenario for reading in news["energy"]])
            super().send(**news)

    spec = MeasureSpec(min_seconds=0.5, max_seconds=1.0, warmup_max_seconds=1.0, energy_idle_seconds=0.0)
    run_task(Task(case=make_case(), measure=spec, log_path=""), Reporter(backend.log), clock)
    assert told == [["throughput"], ["throughput", "latency"]]
