"""Energy around the passes of a worker: fake clock, fake step, fake meter, exactly known numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness import meters
from harness.meters.energy_pass import (
    NUM_PHASES,
    PERIOD_S,
    RUN_IN_S,
    RUN_OUT_S,
    EnergyPass,
    Load,
    energy_budget,
    pauses,
)
from harness.meters.metered import DeviceMeters
from harness.timed_loop import Budget, Position
from results.energy_record import IdlePower, net_of_idle
from results.records import Device, EnergyReading, MeasureSpec
from tests.harness.fakes import FakeClock, FakeStep
from tests.harness.meters.fakes import FakeMeter
from tests.harness.meters.passes import measure
from tests.harness.test_worker import MS

DEVICE = Device(id="fake:0", backend="fake", kind="fake", name="Fake")


def test_both_passes_are_metered_and_the_main_one_is_long_enough(backend, only, monkeypatch) -> None:
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


def test_the_load_runs_before_and_after_the_window_and_nobody_times_it(backend, only, monkeypatch) -> None:
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


def test_windows_hold_whole_cycles_and_the_load_repeats_with_them(backend, only, monkeypatch) -> None:
    fake = FakeMeter()
    only(fake=fake)
    backend.step.duration_ns = lambda i: (1 + i % 8) * MS
    m = measure(backend, monkeypatch, phase="decode", energy_idle_seconds=0.0)
    assert m.energy[0].steps % 8 == 0
    assert fake.windows[0].step_s == pytest.approx(0.036)


def test_idle_power_is_taken_once_a_device_and_the_net_is_beside_the_gross(backend, only, monkeypatch) -> None:
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


def test_part_time_sensors_get_spans_of_different_phase(backend, only, monkeypatch) -> None:
    fake = FakeMeter(part_time=True)
    only(fake=fake)
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0, energy_min_seconds=8.0)
    window = fake.windows[0]
    assert NUM_PHASES <= len(window.spans) <= NUM_PHASES + 1
    pauses = [(b[0] - a[1]) / 1e9 for a, b in zip(window.spans, window.spans[1:], strict=False)]
    assert len(set(pauses)) == len(pauses), "of random length"
    assert all(0 <= pause - RUN_IN_S <= PERIOD_S + 0.06 for pause in pauses)
    assert m.energy[0].num_windows is None  # the fake does not tell
    assert m.energy[0].steps <= sum(w.iterations for w in m.timing.windows)


def test_pauses_put_phases_into_every_part_of_the_period() -> None:
    found = pauses()
    for _ in range(20):
        phases_s = list(itertools.accumulate(next(found) for _ in range(NUM_PHASES)))
        assert max(phases_s) - min(phases_s) > 0
    start, at_s, seen = pauses(), 0.0, []
    next(start)
    for _ in range(1, 10 * NUM_PHASES + 1):
        at_s += next(start)
        seen.append(at_s % PERIOD_S)
    counts = np.histogram(seen, bins=NUM_PHASES, range=(0, PERIOD_S))[0]
    assert counts.min() >= 5


@pytest.mark.parametrize(("least_s", "seconds", "most"), [(0.3, 12, 15), (4.0, 100, 25), (10.0, 10, 6)])
def test_a_long_pass_has_longer_spans_and_not_ever_more(only, least_s: float, seconds: int, most: int) -> None:
    fake = FakeMeter(part_time=True)
    only(fake=fake)
    clock = FakeClock()
    step = FakeStep(clock, lambda i: 10 * MS)
    found = EnergyPass(DeviceMeters(DEVICE), "throughput", Load(step, clock, Position(1), 10 * MS), least_s)
    found.begin()
    for _ in range(seconds * 10):
        clock.ns += 100 * MS
        found.chunk(100 * MS, 10)
    found.end()
    assert 5 <= len(fake.windows[0].spans) <= most


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


def test_without_energy_no_meter_is_asked(backend, only, monkeypatch) -> None:
    fake = FakeMeter()
    only(fake=fake)
    m = measure(backend, monkeypatch, energy=False)
    assert fake.log == []
    assert {reading.reason for reading in m.energy} == {"energy was not asked for"}


def test_what_only_covers_the_host_is_told_beside_and_never_in_place_of_the_device(backend, only, monkeypatch) -> None:
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


def test_net_energy_may_be_negative_and_says_so() -> None:
    reading = EnergyReading(energy_j=50.0, average_power_w=5.0, duration_s=10.0)
    idle = IdlePower(meter="m", scope="wall", power_w=6.0, duration_s=10.0)
    assert net_of_idle(reading, idle).net_energy_j == pytest.approx(-10.0)
    assert net_of_idle(EnergyReading(reason="lost"), idle).net_energy_j is None


def test_a_long_wait_for_a_meter_is_made_good_before_the_next_pass(backend, only, monkeypatch) -> None:
    class Slow(FakeMeter):
        def stop(self, window):
            backend.step.clock.ns += 2_000 * MS
            return super().stop(window)

    only(slow=Slow())
    m = measure(backend, monkeypatch, energy_idle_seconds=0.0)
    assert len(m.energy) == 2
    slow = meters.REGISTRY.get("slow")
    assert slow.windows[1].loaded_before_s >= 2.0
    assert slow.windows[0].loaded_before_s < 0.5
