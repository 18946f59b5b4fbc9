"""Which powercap zones are counted, and why others are not."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from harness.meters import rapl
from harness.meters.base import Meter
from harness.meters.rapl import RaplMeter, find
from results.records import Device
from tests.harness.meters.sysfs_trees import TWO_SOCKETS, deny, powercap, rapl_zone, write

CPU = Device(id="cpu", backend="torch", kind="cpu", name="a CPU")
GPU = Device(id="cuda:0", backend="torch", kind="cuda", name="a GPU")


def test_scopes_of_two_sockets(tmp_path):
    found = RaplMeter(powercap(tmp_path, TWO_SOCKETS)).probe(CPU)
    assert found.reason == ""
    assert (found.scope, found.beside) == ("cpu_package", ("dram", "platform"))
    assert found.device_id == "intel-rapl:0+intel-rapl:1"
    assert found.update_s == 0.001
    assert found.resolution_j == pytest.approx(61.035e-6)
    assert any("assumption" in note for note in found.notes)
    assert isinstance(RaplMeter(), Meter)


def test_it_is_for_every_device(tmp_path):
    meter = RaplMeter(powercap(tmp_path, TWO_SOCKETS))
    beside, main = meter.probe(GPU), meter.probe(CPU)
    assert beside.applies
    # The energy of the CPU is that of a CPU device, and is not that of a GPU.
    assert (beside.covers_device, main.covers_device) == (False, True)
    assert msgspec.structs.replace(beside, covers_device=True) == main


@pytest.mark.parametrize("make", [lambda root: root / "absent", lambda root: powercap(root, {})])
def test_no_powercap(tmp_path, make):
    found = RaplMeter(make(tmp_path)).probe(CPU)
    assert found.reason == "this system shows no energy counters of the CPU (usual in virtual machines)"
    assert found.applies
    with pytest.raises(OSError, match="no energy counters"):
        RaplMeter(tmp_path / "absent").domains(CPU)


def test_no_permission(tmp_path, monkeypatch):
    root = powercap(tmp_path, TWO_SOCKETS)
    deny(monkeypatch, "energy_uj")
    found = RaplMeter(root).probe(CPU)
    assert "no permission to read energy_uj of intel-rapl:0, intel-rapl:1" in found.reason
    assert found.remedy == f"sudo chmod a+r {root}/intel-rapl*:*/energy_uj"
    # The command reaches every zone, sub-zones too.
    assert len(list(root.glob("intel-rapl*:*/energy_uj"))) == len(TWO_SOCKETS)


def test_no_permission_for_memory_only(tmp_path, monkeypatch):
    root = powercap(tmp_path, TWO_SOCKETS)
    deny(monkeypatch, "intel-rapl:0:1/energy_uj", "intel-rapl:1:0/energy_uj")
    found = RaplMeter(root).probe(CPU)
    assert found.reason == ""
    assert found.beside == ("platform",)
    assert any("intel-rapl:0:1" in note for note in found.notes)


def test_a_counter_that_cannot_be_read_otherwise(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0")})
    (root / "intel-rapl:0/energy_uj").unlink()
    (root / "intel-rapl:0/energy_uj").mkdir()
    assert "cannot be read" in RaplMeter(root).probe(CPU).reason


def test_a_counter_at_0_is_not_0_joules(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0", 0)})
    found = RaplMeter(root).probe(CPU)
    assert "does not count: intel-rapl:0 reads 0" in found.reason


def test_a_counter_that_leaves_0_counts(tmp_path, monkeypatch):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0", 0)})
    monkeypatch.setattr(rapl.time, "sleep", lambda s: write(root / "intel-rapl:0", {"energy_uj": 4_000}))
    assert RaplMeter(root).probe(CPU).reason == ""


def test_one_package_of_two_at_0_spoils_the_sum(tmp_path):
    root = powercap(tmp_path, {"intel-rapl:0": rapl_zone("package-0"), "intel-rapl:1": rapl_zone("package-1", 0)})
    assert "intel-rapl:1 reads 0" in RaplMeter(root).probe(CPU).reason


def test_memory_of_one_package_only_is_not_the_memory(tmp_path):
    zones = {k: v for k, v in TWO_SOCKETS.items() if k != "intel-rapl:1:0"}
    found = RaplMeter(powercap(tmp_path, zones)).probe(CPU)
    assert found.beside == ("platform",)
    assert any("package-1 shows no counter" in note for note in found.notes)


def test_amd_has_neither_memory_nor_platform(tmp_path):
    zones = {"intel-rapl:0": rapl_zone("package-0", range_uj=65532610987), "intel-rapl:0:0": rapl_zone("core", 1)}
    found = RaplMeter(powercap(tmp_path, zones)).probe(CPU)
    assert (found.scope, found.beside, found.device_id) == ("cpu_package", (), "intel-rapl:0")


def test_the_mmio_tree_shows_the_same_package(tmp_path):
    zones = {"intel-rapl-mmio:0": rapl_zone("package-0", 1_000), "intel-rapl:0": rapl_zone("package-0")}
    scopes = find(powercap(tmp_path, zones)).scopes
    assert [z.path.name for z in scopes["cpu_package"]] == ["intel-rapl:0"]


def test_dies_that_show_one_counter_are_counted_once(tmp_path):
    zones = {f"intel-rapl:{i}": rapl_zone(f"package-0-die-{i}", 8_000_000_000 + 40 * i) for i in range(4)}
    found = RaplMeter(powercap(tmp_path, zones)).probe(CPU)
    assert found.device_id == "intel-rapl:0"
    assert any("counted once" in note for note in found.notes)


def test_dies_with_counters_of_their_own_add_up(tmp_path):
    zones = {f"intel-rapl:{i}": rapl_zone(f"package-0-die-{i}", 8_000_000_000 * (i + 1)) for i in range(2)}
    assert RaplMeter(powercap(tmp_path, zones)).probe(CPU).device_id == "intel-rapl:0+intel-rapl:1"


def test_packages_with_equal_counters_add_up(tmp_path):
    zones = {f"intel-rapl:{i}": rapl_zone(f"package-{i}") for i in range(2)}
    assert RaplMeter(powercap(tmp_path, zones)).probe(CPU).device_id == "intel-rapl:0+intel-rapl:1"


def test_of_several_platforms_the_one_that_counts(tmp_path):
    zones = {
        "intel-rapl:0": rapl_zone("package-0"),
        "intel-rapl:1": rapl_zone("psys", 0),
        "intel-rapl:2": rapl_zone("psys-1"),
    }
    scopes = find(powercap(tmp_path / "a", zones)).scopes
    assert [z.name for z in scopes["platform"]] == ["psys-1"]
    zones["intel-rapl:1"] = rapl_zone("psys")
    found = find(powercap(tmp_path / "b", zones))
    assert "platform" not in found.scopes
    assert any("2 counters say" in note for note in found.notes)


def test_twelve_packages_in_order(tmp_path):
    zones = {f"intel-rapl:{i}": rapl_zone(f"package-{i}") for i in range(12)}
    assert (
        RaplMeter(powercap(tmp_path, zones)).probe(CPU).device_id.endswith("intel-rapl:9+intel-rapl:10+intel-rapl:11")
    )


def test_zones_that_a_container_hides(tmp_path):
    root = powercap(tmp_path, TWO_SOCKETS)
    shutil.rmtree(tmp_path / "devices")
    found = RaplMeter(root).probe(CPU)
    assert "hidden" in found.reason
    assert "systempaths=unconfined" in found.remedy
