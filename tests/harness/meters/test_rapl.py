"""CPU energy over fake powercap trees: wraps, faults on the way, readings."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.meters.base import EnergyWindow
from harness.meters.rapl import RaplMeter, wrap_uj
from harness.meters.sampler import Sampler
from results.energy_trace import unwrap
from results.records import Device
from tests.harness.meters.sysfs_trees import RANGES, TWO_SOCKETS, HandSampler, metered, powercap, rapl_zone

CPU = Device(id="cpu", backend="torch", kind="cpu", name="a CPU")


class Counters:
    """Counters of a tree that go up with given powers and wrap as the hardware does."""

    def __init__(self, root: Path, powers_w: dict[str, float], starts: dict[str, int] | None = None) -> None:
        self.root, self.powers_w, self.starts = root, powers_w, starts or {}

    def __call__(self, seconds: float) -> None:
        for folder, power_w in self.powers_w.items():
            unit_nj = RANGES[int((self.root / folder / "max_energy_range_uj").read_text())]
            counts = self.starts.get(folder, 10**6) + round(power_w * seconds * 1e9 / unit_nj)
            (self.root / folder / "energy_uj").write_text(f"{counts % 2**32 * unit_nj // 1000}\n")


def test_readings_of_two_sockets_add_up_and_psys_stands_alone(tmp_path):
    root = powercap(tmp_path, TWO_SOCKETS)
    sampler = HandSampler()
    powers = {"intel-rapl:0": 100.0, "intel-rapl:1": 50.0, "intel-rapl:0:1": 8.0, "intel-rapl:1:0": 4.0}
    counters = Counters(root, {**powers, "intel-rapl:2": 300.0, "intel-rapl:0:0": 70.0})
    meter = RaplMeter(root, sampler)
    package, dram, platform = metered(meter, sampler, CPU, counters)
    assert (package.scope, dram.scope, platform.scope) == ("cpu_package", "dram", "platform")
    assert package.average_power_w == pytest.approx(150.0, rel=1e-5)
    assert dram.average_power_w == pytest.approx(12.0, rel=1e-4)
    assert platform.average_power_w == pytest.approx(300.0, rel=1e-5)
    assert package.energy_j == pytest.approx(150.0 * 1.9, rel=1e-5)
    assert package.device_id == "intel-rapl:0+intel-rapl:1"
    assert package.method == "counter_tick"
    assert package.source == "powercap energy_uj (package-0) + powercap energy_uj (package-1)"
    assert package.source == meter.probe(CPU).source
    assert dram.source == "powercap energy_uj (dram)"
    assert package.u_total is not None
    assert package.u_total > package.u_sensor == 0.05
    of_parts = {"cpu_package_uj", "cpu_package1_uj", "dram_uj", "dram1_uj"}
    assert set(meter.traces) == {*of_parts, "platform_uj"}


def test_a_pass_with_several_wraps(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0", range_uj=65532610987)})
    sampler = HandSampler()
    # 65.5 kJ at 200 kW wrap every 0.33 s; no CPU does, but the arithmetic is the same.
    counters = Counters(root, {"intel-rapl:0": 200_000.0}, {"intel-rapl:0": 2**32 - 1})
    (reading,) = metered(RaplMeter(root, sampler), sampler, CPU, counters)
    assert reading.average_power_w == pytest.approx(200_000.0, rel=1e-6)


@pytest.mark.parametrize(("range_uj", "unit_nj"), RANGES.items())
def test_the_wrap_is_one_count_after_the_largest_value(range_uj, unit_nj):
    assert (2**32 - 1) * unit_nj // 1000 == range_uj
    assert wrap_uj(range_uj) == 2**32 * unit_nj // 1000
    assert wrap_uj(range_uj) - range_uj in (unit_nj // 1000, unit_nj // 1000 + 1)


@given(
    unit_nj=st.sampled_from([*RANGES.values(), 1000, 976, 3814, 1_000_000]),
    start=st.integers(0, 2**32 - 1),
    steps=st.lists(st.integers(0, 2**32 - 16), min_size=1, max_size=12),
)
def test_a_wrap_is_exact_to_1_uj(unit_nj, start, steps):
    counts = np.concatenate(([start], start + np.cumsum(np.asarray(steps, object))))
    shown = np.array([int(c) % 2**32 * unit_nj // 1000 for c in counts], np.int64)
    wraps = int(counts[-1]) // 2**32
    found = unwrap(shown, wrap_uj((2**32 - 1) * unit_nj // 1000))
    # By an endless counter of whole uJ; each wrap may cut less than 1 uJ.
    endless = int(counts[-1]) * unit_nj // 1000
    assert 0 <= endless - int(found[-1]) <= wraps


def test_a_range_of_another_kind_is_taken_as_it_stands():
    assert wrap_uj(1_000) == 1_000
    assert wrap_uj(None) is None
    assert wrap_uj(0) is None


def test_without_a_range_a_step_back_is_a_fault(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0", range_uj="what")})
    sampler = HandSampler()

    def back(seconds):
        (root / "intel-rapl:0/energy_uj").write_text(str(10**9 + (1 if seconds < 1 else -1) * round(seconds * 10**6)))

    (reading,) = metered(RaplMeter(root, sampler), sampler, CPU, back)
    assert reading.energy_j is None
    assert "went back" in reading.reason


def test_a_zone_that_vanishes_half_way(tmp_path):
    root = powercap(tmp_path, {k: v for k, v in TWO_SOCKETS.items() if k in ("intel-rapl:0", "intel-rapl:1")})
    sampler = HandSampler()
    counters = Counters(root, {"intel-rapl:0": 100.0})

    def vanish(seconds):
        counters(seconds)
        if seconds > 1:
            (root / "intel-rapl:1/energy_uj").unlink(missing_ok=True)

    (reading,) = metered(RaplMeter(root, sampler), sampler, CPU, vanish)
    assert reading.energy_j is None
    assert reading.average_power_w is None
    assert reading.u_total is None
    assert reading.reason.startswith("the meter was lost: [Errno 2] No such file")


def test_a_counter_that_stands_still_is_no_energy(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0")})
    sampler = HandSampler()
    (reading,) = metered(RaplMeter(root, sampler), sampler, CPU, lambda seconds: None)
    assert reading.energy_j is None
    assert "did not move" in reading.reason


def test_with_the_real_thread(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0", 5_000_000)})
    file = root / "intel-rapl:0/energy_uj"
    leave, began = threading.Event(), time.perf_counter_ns()

    def count():
        while not leave.is_set():
            spent_uj = (time.perf_counter_ns() - began) * 80 // 1000  # 80 W
            new = file.with_name("new")
            new.write_text(str(5_000_000 + spent_uj))
            new.replace(file)
            leave.wait(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        meter = RaplMeter(root, Sampler(poll_s=0.005))
        meter.start(CPU)
        time.sleep(0.1)
        start_ns = time.perf_counter_ns()
        time.sleep(0.3)
        end_ns = time.perf_counter_ns()
        time.sleep(0.05)
        (reading,) = meter.stop(EnergyWindow(((start_ns, end_ns),)))
    finally:
        leave.set()
        thread.join()
    # A busy host delays looks and writes; they are far from a wrong unit or a lost wrap all the same.
    assert reading.average_power_w == pytest.approx(80.0, rel=0.5)
    assert reading.duration_s == (end_ns - start_ns) / 1e9
