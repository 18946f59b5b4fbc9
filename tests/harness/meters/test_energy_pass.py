"""Energy around the passes of a worker: fake clock, fake step, fake meter, exactly known numbers."""

from __future__ import annotations

import time

import pytest

from harness import meters
from harness.messages import Task
from harness.meters.base import EnergyWindow
from harness.meters.energy_pass import MAX_PAUSE_S, NUM_PHASES, RUN_IN_S, RUN_OUT_S, EnergyPass, Load, energy_budget
from harness.meters.metered import DeviceMeters, checked
from harness.timed_loop import Budget, Position
from harness.worker import run_task
from results.energy_record import IdlePower, net_of_idle
from results.records import Device, EnergyReading, Measurement, MeasureSpec
from tests.harness.fakes import DraftReporter, FakeClock, FakeStep, make_case
from tests.harness.meters.fakes import FakeMeter
from tests.harness.test_worker import MS, FakeBackend, backend  # noqa: F401

DEVICE = Device(id="fake:0", backend="fake", kind="fake", name="Fake")


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """Make these meters the only ones there are."""

    def register(**found: object) -> None:
        monkeypatch.setattr(meters.REGISTRY, "names", lambda: sorted(found))
        for name, meter in found.items():
            monkeypatch.setitem(meters.REGISTRY._values, name, meter)
            monkeypatch.setitem(meters.REGISTRY._resolved, name, meter)

    return register


def measure(
    backend: FakeBackend,  # noqa: F811
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


def test_both_passes_are_metered_and_the_main_one_is_long_enough(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter(100.0)
    only(fake=fake)
    m = measure(backend, monkeypatch)
    assert (m.status, m.timing is not None) == ("ok", True)
    throughput, latency = m.energy
    assert (throughput.scenario, latency.scenario, throughput.meter) == ("throughput", "latency", "fake")
    elapsed_s = sum(w.elapsed_ns for w in m.timing.windows) / 1e9
    assert 10.0 <= elapsed_s <= 12.6
    assert throughput.duration_s == pytest.approx(elapsed_s)  # the fake clock moves in steps only: no gaps
    assert throughput.steps == sum(w.iterations for w in m.timing.windows)
    assert throughput.energy_j == pytest.approx(100.0 * elapsed_s)
    assert latency.steps == m.timing.num_latency_samples
    assert latency.duration_s < 2.0


def test_the_load_runs_before_and_after_the_window_and_nobody_times_it(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter()
    only(fake=fake)
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0)
    timed = sum(w.iterations for w in m.timing.windows) + m.timing.num_latency_samples + m.timing.warmup.iterations
    others = len(backend.step.seen) - timed
    # Steps of 10 ms: numerics gate, then run-in and run-out of the long pass and of the short one.
    least = (RUN_IN_S + RUN_OUT_S) / 0.010
    assert others >= least
    assert backend.step.seen == list(range(len(backend.step.seen))), "no step number is left out"
    first = fake.windows[0]
    assert first.loaded_before_s == pytest.approx(RUN_IN_S, abs=0.06)
    assert first.step_s == pytest.approx(0.010)
    assert first.gap_share == 0.0


def test_windows_hold_whole_cycles_and_the_load_repeats_with_them(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter()
    only(fake=fake)
    backend.step.duration_ns = lambda i: (1 + i % 8) * MS
    m = measure(backend, monkeypatch, phase="decode", energy_idle_seconds=0.0)
    assert m.energy[0].steps % 8 == 0
    assert fake.windows[0].step_s == pytest.approx(0.036)


def test_idle_power_is_taken_once_a_device_and_the_net_is_beside_the_gross(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter(100.0)
    only(fake=fake)
    stages = []
    m = measure(backend, monkeypatch, energy_min_seconds=1.0)
    stages = [entry for entry in backend.log if entry.startswith("stage")]
    assert stages == [f"stage {name}" for name in
                      ("open", "support", "reference", "prepare", "numerics", "idle", "warmup", "measure", "finish")]  # fmt: skip
    (idle,) = measure.found_idle  # type: ignore[attr-defined]
    assert (idle.meter, idle.scope, idle.power_w) == ("fake", "gpu_board", 100.0)
    assert idle.duration_s == pytest.approx(10.0)
    assert m.energy[0].net_energy_j == pytest.approx(0.0, abs=1e-6)

    backend.log.clear()
    known = (IdlePower(meter="fake", scope="gpu_board", power_w=30.0, duration_s=10.0),)
    m = measure(backend, monkeypatch, idle=known, energy_min_seconds=1.0)
    assert "stage idle" not in backend.log
    assert m.energy[0].net_energy_j == pytest.approx(0.7 * m.energy[0].energy_j)
    assert (m.energy[0].idle_power_w, m.energy[0].idle_duration_s) == (30.0, 10.0)


def test_part_time_sensors_get_spans_of_different_phase(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter(part_time=True)
    only(fake=fake)
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0, energy_min_seconds=4.0)
    window = fake.windows[0]
    assert NUM_PHASES <= len(window.spans) <= NUM_PHASES + 1
    pauses = [(b[0] - a[1]) / 1e9 for a, b in zip(window.spans, window.spans[1:], strict=False)]
    assert len(set(pauses)) == len(pauses), "of random length"
    assert all(RUN_IN_S <= pause <= RUN_IN_S + MAX_PAUSE_S + 0.06 for pause in pauses)
    assert m.energy[0].num_windows is None  # the fake does not tell
    assert m.energy[0].steps <= sum(w.iterations for w in m.timing.windows)


def test_a_short_last_phase_does_not_count(only) -> None:
    fake = FakeMeter(part_time=True)
    only(fake=fake)
    clock = FakeClock()
    step = FakeStep(clock, lambda i: 10 * MS)
    found = EnergyPass(DeviceMeters(DEVICE), "throughput", Load(step, clock, Position(1), 10 * MS), 4.0)
    found.begin()
    for busy_ms in (1000, 1000, 100):
        clock.ns += busy_ms * MS
        found.chunk(busy_ms * MS, busy_ms // 10)
    (reading,) = found.end().readings
    assert [round((b - a) / 1e9, 3) for a, b in fake.windows[0].spans] == [1.0, 1.0]
    assert reading.steps == 200


@pytest.mark.parametrize("where", ["start", "stop"])
def test_a_meter_that_fails_costs_its_reading_only(backend, only, monkeypatch, where: str) -> None:  # noqa: F811
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
def test_readings_that_cannot_be_stored_cost_themselves_only(backend, only, monkeypatch, told) -> None:  # noqa: F811
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


def test_a_meter_whose_probe_fails_is_not_used(backend, only, monkeypatch) -> None:  # noqa: F811
    only(bad=FakeMeter(fails_at="probe"), other=FakeMeter(reason="it is asleep"))
    m = measure(backend, monkeypatch)
    assert "stage idle" not in backend.log
    for reading in m.energy:
        assert reading.energy_j is None
        assert "bad: RuntimeError: no probe today" in reading.reason
        assert "other: it is asleep" in reading.reason
    assert sum(w.elapsed_ns for w in m.timing.windows) < 2e9, "no window is stretched for nothing"


def test_without_energy_no_meter_is_asked(backend, only, monkeypatch) -> None:  # noqa: F811
    fake = FakeMeter()
    only(fake=fake)
    m = measure(backend, monkeypatch, energy=False)
    assert fake.log == []
    assert {reading.reason for reading in m.energy} == {"energy was not asked for"}


def test_what_only_covers_the_host_is_told_beside_and_never_in_place_of_the_device(backend, only, monkeypatch) -> None:  # noqa: F811
    host = FakeMeter(40.0, covers_device=False)
    only(card=FakeMeter(reason="shared_device: MIG"), host=host)
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0)
    main, beside = m.energy[:2]
    assert (main.energy_j, main.reason, main.scenario) == (None, "card: shared_device: MIG", "throughput")
    assert (beside.meter, beside.average_power_w) == ("host", 40.0)
    assert sum(w.elapsed_ns for w in m.timing.windows) < 2e9, "no window is stretched for what is only beside"

    only(a_host=host, card=FakeMeter(90.0))
    main, beside = measure(backend, monkeypatch, energy_idle_seconds=0.0).energy[:2]
    assert (main.meter, beside.meter) == ("card", "a_host")


def test_budgets_are_stretched_for_the_main_pass_only(only) -> None:
    only(fake=FakeMeter())
    budget, spec = Budget(10**9, 30, 2 * 10**9, 100), MeasureSpec(energy_min_seconds=10.0)
    found = DeviceMeters(DEVICE)
    longer = [energy_budget(budget, spec, found, is_main=True) for _ in range(20)]
    assert all(10e9 <= one.min_ns <= 10.5e9 and one.max_ns == round(1.25 * one.min_ns) for one in longer)
    assert len({one.min_ns for one in longer}) > 1, "windows are jittered"
    assert min(one.max_iterations for one in longer) > 10**9, "tiny steps do not end the window early"
    assert energy_budget(budget, spec, found, is_main=False) == budget
    assert energy_budget(budget, MeasureSpec(energy_min_seconds=0.0), found, is_main=True) == budget
    assert energy_budget(budget._replace(min_ns=10**11, max_ns=10**12), spec, found, is_main=True).min_ns == 10**11


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


def test_net_energy_may_be_negative_and_says_so() -> None:
    reading = EnergyReading(energy_j=50.0, average_power_w=5.0, duration_s=10.0)
    idle = IdlePower(meter="m", scope="wall", power_w=6.0, duration_s=10.0)
    assert net_of_idle(reading, idle).net_energy_j == pytest.approx(-10.0)
    assert net_of_idle(EnergyReading(reason="lost"), idle).net_energy_j is None


def test_a_step_that_fails_is_not_run_again_for_the_meters(backend, only, monkeypatch) -> None:  # noqa: F811
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
