"""``chipmark run`` over the stub of NVML: energy of both passes, a card lost half-way, a card in parts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from results.records import EnergyReading, Measurement
from results.store import open_run
from tests.harness.meters.cards import bus, card, uuid, wave
from tests.nvml_stub.build import STATE_VARIABLE, build, write_state
from tests.plugins import Runner

SUITE = """
[suite]
name = "power"
[measure]
min_seconds = 0.1
max_seconds = 3.0
warmup_max_seconds = 0.3
timeout_seconds = 60
energy_min_seconds = 1.0
energy_idle_seconds = {idle}
[[case]]
workload = "example-counter"
backend = "stub-gpu"
"""
# The backend counts the other way round than NVML does.
TORCH_ORDER = (1, 0)
POWER_W = (150.0, 300.0)


class Ran(NamedTuple):
    measurement: Measurement
    samples: dict[str, object]

    def main(self, scenario: str) -> EnergyReading:
        """The first reading of a pass by the NVIDIA meter."""
        return next(r for r in self.measurement.energy if (r.meter, r.scenario) == ("nvidia", scenario))


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml")).parent


@pytest.fixture
def run(chipmark: Runner, plugin_environment: dict[str, str], library: Path, tmp_path: Path) -> Run:
    """Run the suite on ``device`` with the cards in this state."""

    def call(state: dict[str, object], device: str = "cuda:0", idle: float = 0.0) -> Ran:
        write_state(tmp_path / "state.txt", state)
        (tmp_path / "suite.toml").write_text(SUITE.format(idle=idle))
        environment = {
            **plugin_environment,
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, (str(library), os.environ.get("LD_LIBRARY_PATH")))),
            STATE_VARIABLE: str(tmp_path / "state.txt"),
            "EXAMPLE_STUB_GPUS": ",".join(f"{uuid(number)}/{bus(number)}" for number in TORCH_ORDER),
        }
        done = chipmark(
            "run", "suite.toml", "--backend", "stub-gpu", "--device", device, "--out", "out", env=environment
        )
        assert done.returncode == 0, done.stderr
        stored = open_run(tmp_path / "out")
        (measurement,) = stored.measurements
        return Ran(measurement, dict(stored.samples(measurement)))

    return call


def two_cards(**changes: object) -> dict[str, object]:
    """Two cards of other powers; the changes are of number 1."""
    return card(wave(POWER_W[0], 0.011)) | card(wave(POWER_W[1], 0.011), 1, **changes)


@pytest.mark.parametrize(("device", "number"), [("cuda:0", 1), ("cuda:1", 0)])
def test_both_passes_have_the_energy_of_the_right_card(run: Run, device: str, number: int) -> None:
    ran = run(two_cards(), device, idle=0.3)
    for scenario in ("throughput", "latency"):
        reading = ran.main(scenario)
        assert reading.reason == ""
        assert reading.device_id == f"GPU-{uuid(number)}"
        assert reading.energy_j == pytest.approx(reading.average_power_w * reading.duration_s)
        assert abs(reading.average_power_w / POWER_W[number] - 1) <= reading.u_total
        assert reading.steps > 0
        assert reading.idle_power_w == pytest.approx(POWER_W[number], rel=0.25)
        assert reading.net_energy_j is not None
        assert reading.trace in ran.samples
    main = ran.main("throughput")
    assert main.duration_s >= 1.0
    assert (main.method, main.scope) == ("counter_tick", "gpu_board")
    assert main.crosscheck_ratio == pytest.approx(1, abs=0.1)
    assert main.loaded_before_s > 0.2


def test_a_card_lost_half_way_costs_its_energy_and_nothing_else(run: Run) -> None:
    ran = run(two_cards(fail_after_reads="25:15"))
    assert ran.measurement.status == "ok"
    assert len(ran.samples["latency_ns"]) >= 30
    assert ran.measurement.timing.windows
    for scenario in ("throughput", "latency"):
        reading = ran.main(scenario)
        assert reading.energy_j is None
        assert reading.average_power_w is None
        assert "GPU is lost" in reading.reason
    assert ran.main("throughput").num_samples > 0


def test_a_card_in_parts_has_no_energy(run: Run) -> None:
    ran = run(two_cards(mig_mode=1))
    assert ran.measurement.status == "ok"
    told = [(reading.scenario, reading.energy_j) for reading in ran.measurement.energy]
    assert told == [("throughput", None), ("latency", None)]
    assert all("shared_device: MIG" in reading.reason for reading in ran.measurement.energy)
