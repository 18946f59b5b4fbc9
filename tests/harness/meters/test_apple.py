"""Apple meter over a module with the names of zeus-apple-silicon."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from harness.meters.apple import AppleMeter
from harness.meters.base import EnergyWindow
from results.energy_record import SCOPES
from results.records import Device
from tests.harness.meters.scripted import Scripted, Time

MAC = ("Darwin", "arm64")
MPS = Device(id="mps", backend="torch", kind="mps", name="Apple M2")
CPU = Device(id="cpu", backend="torch", kind="cpu", name="Apple M2")
# Watts of each part; each counts in whole millijoules, as the package tells them.
WATTS = {"cpu_total_mj": 4.0, "gpu_mj": 15.5, "dram_mj": 1.25, "ane_mj": 0.0, "gpu_sram_mj": None}


class Chip(Time):
    """The time, and a module ``zeus_apple_silicon`` that counts by it."""

    def __init__(self, **watts: float | None) -> None:
        self.watts: dict[str, float | None] = watts
        self.problem = ""
        chip = self

        class AppleEnergyMonitor:
            def __init__(self) -> None:
                if chip.problem:
                    raise RuntimeError(chip.problem)

            def get_cumulative_energy(self) -> SimpleNamespace:
                return SimpleNamespace(
                    **{f: None if w is None else 7 + int(w * chip.ns / 1e6) for f, w in chip.watts.items()}
                )

            def begin_window(self, key: str, restart: bool = False) -> None:
                raise AssertionError("windows are not used")

        self.module = ModuleType("zeus_apple_silicon")
        self.module.AppleEnergyMonitor = AppleEnergyMonitor


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    chip = Chip(**WATTS)
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", chip.module)
    return chip


def measure(chip: Chip, device: Device):
    sampler = Scripted(chip)
    meter = AppleMeter(sampler, lambda: MAC)
    meter.start(device)
    sampler.run(0.3)
    start_ns = chip.ns
    sampler.run(5.02)
    end_ns = chip.ns
    sampler.run(0.24)
    return meter.stop(EnergyWindow(((start_ns, end_ns),), step_s=0.001)), meter


@pytest.mark.parametrize(
    ("device", "machine"),
    [
        (MPS, ("Linux", "aarch64")),
        (CPU, ("Linux", "arm64")),
        (CPU, ("Darwin", "x86_64")),
        (MPS, ("Darwin", "x86_64")),
        (Device(id="cuda:0", backend="torch", kind="cuda", name="any"), MAC),
    ],
)
def test_is_for_apple_silicon_only(chip, device, machine):
    answer = AppleMeter(machine=lambda: machine).probe(device)
    assert not answer.applies
    assert answer.reason == "reads Apple silicon only"


def test_package_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)
    answer = AppleMeter(machine=lambda: MAC).probe(MPS)
    assert answer.applies
    assert answer.reason.startswith("zeus_apple_silicon cannot be used: ")
    assert answer.remedy == 'pip install "chipmark[apple]"'


@pytest.mark.parametrize(("device", "scopes"), [(MPS, ["gpu", "cpu", "dram", "ane"]), (CPU, ["cpu", "dram"])])
def test_main_scope_is_what_computes(chip, device, scopes):
    answer = AppleMeter(machine=lambda: MAC).probe(device)
    assert (answer.reason, answer.scope, list(answer.beside)) == ("", scopes[0], scopes[1:])
    assert set(scopes) <= set(SCOPES)
    assert answer.resolution_j == 1e-3
    assert any("neural engine" in note for note in answer.notes) == ("ane" in scopes)


def test_each_part_is_a_reading_of_its_own(chip):
    readings, meter = measure(chip, MPS)
    found = {reading.scope: reading for reading in readings}
    assert list(found) == ["gpu", "cpu", "dram", "ane"]
    assert found["gpu"].average_power_w == pytest.approx(15.5, rel=0.005)
    assert found["gpu"].source == "zeus_apple_silicon get_cumulative_energy gpu_mj"
    assert found["cpu"].average_power_w == pytest.approx(4.0, rel=0.005)
    assert found["dram"].average_power_w == pytest.approx(1.25, rel=0.005)
    # An engine that did nothing is not said to take 0 J.
    assert found["ane"].energy_j is None
    assert "did not move" in found["ane"].reason
    assert (found["gpu"].u_sensor, found["gpu"].u_total) == (None, None)
    assert found["gpu"].u_window is not None
    assert set(meter.traces) == {"gpu_uj", "cpu_uj", "dram_uj", "ane_uj"}


def test_old_name_of_the_cpu_field(chip):
    chip.watts = {"cpu_mj": 4.0, "gpu_mj": None, "dram_mj": None, "ane_mj": None}
    readings, _ = measure(chip, CPU)
    assert [reading.source for reading in readings] == ["zeus_apple_silicon get_cumulative_energy cpu_mj"]
    assert readings[0].average_power_w == pytest.approx(4.0, rel=0.005)


def test_chip_without_the_main_field(chip):
    chip.watts["gpu_mj"] = None
    answer = AppleMeter(machine=lambda: MAC).probe(MPS)
    assert answer.reason == "this chip tells no energy of its GPU"
    assert AppleMeter(machine=lambda: MAC).probe(CPU).reason == ""


def test_monitor_that_cannot_be_made(chip):
    chip.problem = "Failed to create IOReport subscription."
    answer = AppleMeter(machine=lambda: MAC).probe(MPS)
    assert answer.reason == "IOReport cannot be read: Failed to create IOReport subscription."


def test_field_that_goes_missing(chip):
    sampler = Scripted(chip)
    meter = AppleMeter(sampler, lambda: MAC)
    meter.start(MPS)
    sampler.run(2)
    chip.watts["gpu_mj"] = None
    sampler.run(2)
    gpu, cpu, *_ = meter.stop(EnergyWindow(((300_000_000, 3_700_000_000),)))
    assert gpu.energy_j is None
    assert "gpu_mj is not told any more" in gpu.reason
    assert cpu.energy_j is not None
