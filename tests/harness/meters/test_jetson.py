"""Jetson modules over fake trees, in both layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.meters.base import EnergyWindow, Meter
from harness.meters.jetson import JetsonMeter, Rail, find, is_jetson
from results.records import Device
from tests.harness.meters.sysfs_trees import POLL_NS, HandSampler, deny, metered, write

CUDA = Device(id="cuda:0", backend="torch", kind="cuda", name="Orin")
TEGRA = {"proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0"}
CHIP = "sys/class/hwmon/hwmon3"
IIO = "sys/bus/i2c/devices/6-0040/iio:device0"


def hwmon(root: Path, names: tuple[str | None, ...], folder: str = CHIP, address: str | None = "1-0040") -> Path:
    """A chip as the kernel shows it: three rails, their shunts, and the sum."""
    chip = root / "sys/devices/platform/bus@0/c240000.i2c/i2c-1" / (address or "")
    chip.mkdir(parents=True, exist_ok=True)
    if address and not (root / folder).exists():
        (root / folder).mkdir(parents=True)
        (root / folder / "device").symlink_to(chip)
    write(root, TEGRA)
    write(
        root, {f"{folder}/name": "ina3221", f"{folder}/in7_label": "sum of shunt voltages", f"{folder}/in7_input": 99}
    )
    for n, name in enumerate(names, 1):
        files = {f"in{n}_input": 5000, f"curr{n}_input": 1000 * n, f"in{n + 3}_input": 7, f"shunt{n}_resistor": 5000}
        write(root, {f"{folder}/{file}": text for file, text in files.items()})
        if name is not None:
            write(root, {f"{folder}/in{n}_label": name})
    return root


def iio(root: Path, names: tuple[str, ...], folder: str = IIO) -> Path:
    write(root, {"etc/nv_tegra_release": "# R32 (release), REVISION: 7.1"})
    for n, name in enumerate(names):
        write(root, {f"{folder}/rail_name_{n}": name, f"{folder}/in_power{n}_input": 2000 + n})
        write(root, {f"{folder}/in_voltage{n}_input": 5000, f"{folder}/in_current{n}_input": 400})
    return root


def test_hwmon(tmp_path):
    found = JetsonMeter(hwmon(tmp_path, ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"))).probe(CUDA)
    assert found.reason == ""
    assert (found.scope, found.source) == ("module", "INA3221 in1_input x curr1_input (VDD_IN)")
    assert found.device_id == "1-0040"
    assert found.resolution_w == pytest.approx(0.040)  # 40 uV / 5 mOhm = 8 mA, at 5 V
    assert found.part_time
    assert found.beside == ()
    assert isinstance(JetsonMeter(), Meter)


@pytest.mark.parametrize("folder", [IIO, "sys/bus/i2c/devices/0-0041/iio_device"])
def test_iio(tmp_path, folder):
    root = iio(tmp_path, ("POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"), folder)
    found = JetsonMeter(root).probe(CUDA)
    assert found.reason == ""
    assert (found.scope, found.resolution_w) == ("module", None)
    assert found.source == "INA3221 in_power0_input (POM_5V_IN)"
    assert found.device_id == folder.split("/")[-2]
    assert find(root)[0].read_uw() == 2_000_000


def test_the_total_rail_wherever_it_is(tmp_path):
    rail, _, _ = find(hwmon(tmp_path, ("VDD_GPU", "NC", "VDD_IN")))
    assert (rail.name, rail.number, rail.read_uw()) == ("VDD_IN", 3, 15_000_000)


def test_the_total_rail_on_a_second_chip(tmp_path):
    root = hwmon(tmp_path, ("VDD_GPU_SOC", "NC", "NC"))
    rail, _, _ = find(hwmon(root, ("NC", "VDD_IN", "NC"), "sys/class/hwmon/hwmon10", "1-0041"))
    assert (rail.folder.name, rail.number) == ("hwmon10", 2)


def test_both_layouts_at_once_are_read_once(tmp_path):
    root = iio(hwmon(tmp_path, ("VDD_IN", "NC", "NC"), address="6-0040"), ("VDD_IN",))
    domains = JetsonMeter(root).domains(CUDA)
    assert [len(domain.parts) for domain in domains] == [1]
    assert "curr1_input" in domains[0].parts[0].source


def test_the_next_boot_numbers_chips_anew_and_the_rail_stays_the_same(tmp_path):
    names = ("VDD_IN", "NC", "NC")
    one, other = JetsonMeter(hwmon(tmp_path / "1", names)), JetsonMeter(hwmon(tmp_path / "2", names, CHIP[:-1] + "4"))
    assert one.probe(CUDA) == other.probe(CUDA)
    assert [d.device_id for d in one.domains(CUDA)] == [d.device_id for d in other.domains(CUDA)] == ["1-0040"]
    assert one.domains(CUDA)[0].parts[0].source == other.domains(CUDA)[0].parts[0].source


def test_a_chip_at_no_address_is_known_by_its_rail(tmp_path):
    assert JetsonMeter(hwmon(tmp_path, ("VDD_IN", "NC", "NC"), address=None)).probe(CUDA).device_id == "VDD_IN"


def test_two_inputs_of_a_module_are_none(tmp_path):
    root = hwmon(tmp_path, ("NC", "VDD_IN", "NC"), CHIP[:-1] + "10", "1-0041")
    found = JetsonMeter(hwmon(root, ("VDD_IN", "NC", "NC"))).probe(CUDA)
    assert "not known: VDD_IN at 1-0040, VDD_IN at 1-0041" in found.reason


@given(mv=st.integers(0, 26_000), ma=st.integers(-40_000, 40_000))
def test_power_is_exact(tmp_path_factory, mv, ma):
    folder = write(tmp_path_factory.mktemp("rail"), {"in1_input": mv, "curr1_input": ma})
    assert Rail("VDD_IN", folder, 1, True).read_uw() == mv * ma


def test_a_reading(tmp_path):
    root = hwmon(tmp_path, ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"))
    sampler = HandSampler()

    def draw(seconds):
        write(root / CHIP, {"in1_input": 4976, "curr1_input": 2000 + round(seconds / 0.02) % 2 * 8})

    (reading,) = metered(JetsonMeter(root, sampler), sampler, CUDA, draw)
    assert reading.average_power_w == pytest.approx(4.976 * 2.004, rel=1e-4)
    assert (reading.scope, reading.method, reading.part_time) == ("module", "integral", True)
    assert reading.peak_power_w == pytest.approx(4.976 * 2.008)
    assert reading.u_total is None  # one phase of a sensor that looks part of the time tells no interval


def test_phases_give_an_interval(tmp_path):
    root = hwmon(tmp_path, ("VDD_IN", "NC", "NC"))
    sampler = HandSampler()
    meter = JetsonMeter(root, sampler)
    meter.start(CUDA)
    start_ns = sampler.ns
    for i in range(100):
        write(root / CHIP, {"curr1_input": 2000 + i % 3})
        sampler.ns += POLL_NS
        sampler.look()
    half_ns = (start_ns + sampler.ns) // 2
    spans = ((start_ns + 1, half_ns - 10 * POLL_NS), (half_ns, sampler.ns))
    (reading,) = meter.stop(EnergyWindow(spans, step_s=0.001, loaded_before_s=1.0))
    assert reading.num_windows == 2
    assert reading.u_total > reading.u_sensor


def test_the_period_of_the_chip_is_what_each_value_averages(tmp_path):
    root = write(hwmon(tmp_path, ("VDD_IN", "NC", "NC")), {f"{CHIP}/update_interval": 105})
    found = JetsonMeter(root).probe(CUDA)
    assert (found.update_s, found.averaging_s) == (0.105, 0.105)
    assert JetsonMeter(root).domains(CUDA)[0].parts[0].averaging_s == 0.105


@pytest.mark.parametrize(
    "names", [("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), ("GPU", "CPU", "SOC"), ("VDD_CPU_GPU_CV", "NC", "VDD_SOC")]
)
def test_rails_without_a_total_are_not_added_up(tmp_path, names):
    root = hwmon(tmp_path, names)
    found = JetsonMeter(root).probe(CUDA)
    assert ", ".join(name for name in names if name != "NC") in found.reason
    assert "NC" not in found.reason
    assert "sum of shunt" not in found.reason
    assert found.applies
    with pytest.raises(OSError, match="no rail of this Jetson"):
        JetsonMeter(root).domains(CUDA)


def test_the_sum_channel_is_no_rail_whatever_it_is_called(tmp_path):
    root = write(hwmon(tmp_path, ("VDD_GPU", "NC", "NC")), {f"{CHIP}/in7_label": "VDD_IN", f"{CHIP}/curr7_input": 3})
    assert find(root)[0] is None


def test_a_rail_without_a_label_is_not_guessed(tmp_path):
    reason = JetsonMeter(hwmon(tmp_path, (None, "VDD_GPU", "NC"))).probe(CUDA).reason
    assert "it has VDD_GPU, and" in reason


def test_no_chip(tmp_path):
    found = JetsonMeter(write(tmp_path, TEGRA)).probe(CUDA)
    assert (found.reason, found.applies) == ("this Jetson shows no INA3221 power monitor", True)


def test_other_chips_are_not_read(tmp_path):
    root = write(hwmon(tmp_path, ("VDD_IN", "NC", "NC")), {f"{CHIP}/name": "ina238"})
    assert "shows no INA3221" in JetsonMeter(root).probe(CUDA).reason


def test_a_chip_on_another_board_is_no_jetson(tmp_path):
    root = write(hwmon(tmp_path, ("VDD_IN", "NC", "NC")), {"proc/device-tree/compatible": "raspberrypi,5\0"})
    assert not is_jetson(root)
    assert not JetsonMeter(root).probe(CUDA).applies


@pytest.mark.parametrize("kind", ["cpu", "rocm", "xpu"])
def test_it_is_for_cuda_only(tmp_path, kind):
    device = Device(id=kind, backend="torch", kind=kind, name="x")
    assert not JetsonMeter(hwmon(tmp_path, ("VDD_IN", "NC", "NC"))).probe(device).applies


def test_no_permission(tmp_path, monkeypatch):
    root = hwmon(tmp_path, ("VDD_IN", "NC", "NC"))
    deny(monkeypatch, "curr1_input")
    found = JetsonMeter(root).probe(CUDA)
    assert "no permission" in found.reason
    assert found.remedy == f"sudo chmod a+r {root / CHIP}/in1_input {root / CHIP}/curr1_input"


def test_a_rail_that_cannot_be_read(tmp_path):
    root = hwmon(tmp_path, ("VDD_IN", "NC", "NC"))
    (root / CHIP / "curr1_input").unlink()
    assert "cannot be read" in JetsonMeter(root).probe(CUDA).reason


def test_a_rail_that_is_lost_half_way(tmp_path):
    root = hwmon(tmp_path, ("VDD_IN", "NC", "NC"))
    sampler = HandSampler()

    def lose(seconds):
        if seconds > 1:
            (root / CHIP / "in1_input").unlink(missing_ok=True)

    (reading,) = metered(JetsonMeter(root, sampler), sampler, CUDA, lose)
    assert reading.energy_j is None
    assert reading.reason.startswith("the meter was lost")


def test_a_discrete_gpu_is_not_behind_the_module(tmp_path):
    root = hwmon(tmp_path, ("VDD_IN", "NC", "NC"))
    bridge = "sys/bus/pci/devices/0005:00:00.0"
    write(root, {f"{bridge}/vendor": "0x10de", f"{bridge}/class": "0x060400"})
    assert JetsonMeter(root).probe(CUDA).reason == ""
    card = "sys/bus/pci/devices/0005:09:00.0"
    write(root, {f"{card}/vendor": "0x10de", f"{card}/class": "0x030000"})
    found = JetsonMeter(root).probe(CUDA)
    assert "discrete GPU" in found.reason
    assert found.applies
