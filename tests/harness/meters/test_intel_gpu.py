"""Intel GPUs over fake trees of PCI devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.meters.base import Meter
from harness.meters.intel_gpu import IntelGpuMeter
from results.energy_record import SCOPES
from results.records import Device
from tests.harness.meters.sysfs_trees import HandSampler, deny, metered, write

BUS_ID = "0000:03:00.0"
HWMON = f"{BUS_ID}/hwmon/hwmon4"


def xpu(bus_id: str | None = None) -> Device:
    details = {"pci_bus_id": bus_id} if bus_id else {}
    return Device(id="xpu:0", backend="torch", kind="xpu", name="a GPU", details=details)


def card(root: Path, files: dict[str, object], bus_id: str = BUS_ID, driver: str = "xe") -> Path:
    write(root, {f"{bus_id}/vendor": "0x8086", f"{bus_id}/class": "0x030000"})
    if files:
        write(root, {f"{bus_id}/hwmon/hwmon4/name": driver})
    return write(root, {f"{bus_id}/hwmon/hwmon4/{name}": text for name, text in files.items()})


BOTH = {
    "energy1_input": 9_000_000, "energy1_label": "card", "energy2_input": 7_000_000, "energy2_label": "pkg",
    "power1_max": 190_000_000, "power1_rated_max": 200_000_000, "power2_max": 120_000_000,
}  # fmt: skip


def test_the_card_goes_before_its_package(tmp_path):
    found = IntelGpuMeter(card(tmp_path, BOTH)).probe(xpu(BUS_ID))
    assert found.reason == ""
    assert (found.scope, found.device_id) == ("gpu_board", BUS_ID)
    assert found.source == "xe hwmon energy1_input (card)"
    assert found.beside == ()
    assert any("energy2_input (pkg)" in note for note in found.notes)
    assert isinstance(IntelGpuMeter(), Meter)


def test_labels_go_before_numbers(tmp_path):
    swapped = {**BOTH, "energy1_label": "pkg", "energy2_label": "card"}
    found = IntelGpuMeter(card(tmp_path, swapped)).probe(xpu(BUS_ID))
    assert found.source == "xe hwmon energy2_input (card)"


def test_a_package_alone_is_not_the_board(tmp_path):
    found = IntelGpuMeter(card(tmp_path, {"energy2_input": 5, "energy2_label": "pkg"})).probe(xpu(BUS_ID))
    assert found.scope == "gpu_package"
    assert found.scope in SCOPES


def test_a_label_that_is_not_known_is_not_guessed(tmp_path):
    found = IntelGpuMeter(card(tmp_path, {"energy1_input": 5, "energy1_label": "vram"})).probe(xpu(BUS_ID))
    assert "has no energy counter" in found.reason


def test_i915_has_no_labels_and_counts_the_package(tmp_path):
    files = {"energy1_input": 5, "power1_max": 190_000_000}
    meter = IntelGpuMeter(card(tmp_path, files, driver="i915"))
    found = meter.probe(xpu(BUS_ID))
    assert (found.scope, found.source) == ("gpu_package", "i915 hwmon energy1_input (pkg)")
    assert any("of the package" in note for note in found.notes)
    (domain,) = meter.domains(xpu(BUS_ID))
    assert (domain.scope, domain.power_limit_w) == ("gpu_package", 190.0)


def test_tiles_and_other_chips_are_not_the_card(tmp_path):
    root = card(tmp_path, {"energy1_input": 5}, driver="i915_gt0")
    write(root, {f"{BUS_ID}/hwmon/hwmon5/name": "nvme", f"{BUS_ID}/hwmon/hwmon5/energy1_input": 5})
    assert "has no energy counter" in IntelGpuMeter(root).probe(xpu(BUS_ID)).reason


def test_a_reading(tmp_path):
    root = card(tmp_path, BOTH)
    sampler = HandSampler()

    def count(seconds):
        (root / HWMON / "energy1_input").write_text(f"{9_000_000 + round(seconds * 150e6)}\n")

    (reading,) = metered(IntelGpuMeter(root, sampler), sampler, xpu(BUS_ID), count)
    assert reading.average_power_w == pytest.approx(150.0, rel=1e-6)
    assert reading.energy_j == pytest.approx(150.0 * 1.9, rel=1e-6)
    assert (reading.scope, reading.device_id, reading.driver) == ("gpu_board", BUS_ID, "xe")
    assert (reading.power_limit_w, reading.power_limit_default_w) == (190.0, 200.0)
    assert reading.method == "counter_tick"


def test_limits_are_those_of_the_same_scope_and_0_is_none(tmp_path):
    files = {"energy2_input": 5, "energy2_label": "pkg", "power1_max": 190_000_000, "power2_max": 0}
    (domain,) = IntelGpuMeter(card(tmp_path, files)).domains(xpu(BUS_ID))
    assert (domain.power_limit_w, domain.power_limit_default_w) == (None, None)


def test_a_counter_that_goes_back_was_reset(tmp_path):
    root = card(tmp_path, BOTH)
    sampler = HandSampler()

    def count(seconds):
        (root / HWMON / "energy1_input").write_text(str(round((seconds % 1) * 1e8)))

    (reading,) = metered(IntelGpuMeter(root, sampler), sampler, xpu(BUS_ID), count)
    assert reading.energy_j is None
    assert "went back" in reading.reason


def test_a_card_that_is_lost_half_way(tmp_path):
    root = card(tmp_path, BOTH)
    sampler = HandSampler()

    def lose(seconds):
        file = root / HWMON / "energy1_input"
        if seconds < 1:
            file.write_text(str(round(seconds * 1e8)))
        else:
            file.unlink(missing_ok=True)

    (reading,) = metered(IntelGpuMeter(root, sampler), sampler, xpu(BUS_ID), lose)
    assert reading.energy_j is None
    assert reading.reason.startswith("the meter was lost")


def test_integrated_gpus_have_none(tmp_path):
    found = IntelGpuMeter(card(tmp_path, {}, "0000:00:02.0")).probe(xpu())
    assert "0000:00:02.0 has no energy counter: only discrete Intel GPUs" in found.reason
    assert found.applies


def test_it_is_for_xpu_only(tmp_path):
    cuda = Device(id="cuda:0", backend="torch", kind="cuda", name="a GPU", details={"pci_bus_id": BUS_ID})
    found = IntelGpuMeter(card(tmp_path, BOTH)).probe(cuda)
    assert found.reason == "reads Intel GPUs only"
    assert not found.applies


def test_without_a_bus_id_the_only_card_is_meant(tmp_path):
    root = card(tmp_path, BOTH)
    write(root, {"0000:01:00.0/vendor": "0x10de", "0000:01:00.0/class": "0x030200"})  # another maker's
    write(root, {"0000:00:1f.0/vendor": "0x8086", "0000:00:1f.0/class": "0x060100"})  # not a GPU
    assert IntelGpuMeter(root).probe(xpu()).device_id == BUS_ID


def test_without_a_bus_id_two_cards_cannot_be_told_apart(tmp_path):
    root = card(card(tmp_path, BOTH), BOTH, "0000:04:00.0")
    found = IntelGpuMeter(root).probe(xpu())
    assert "which of 0000:03:00.0, 0000:04:00.0" in found.reason
    with pytest.raises(OSError, match="which of"):
        IntelGpuMeter(root).domains(xpu())


def test_of_two_cards_the_one_that_is_named(tmp_path):
    root = card(card(tmp_path, BOTH), {"energy1_input": 1, "energy1_label": "card"}, "0000:0A:00.0".lower())
    assert IntelGpuMeter(root).probe(xpu("0000:0A:00.0")).device_id == "0000:0a:00.0"


@pytest.mark.parametrize(
    ("bus_id", "why"), [("0000:99:00.0", "no PCI device 0000:99:00.0"), ("0000:01:00.0", "not by Intel")]
)
def test_a_bus_id_of_something_else(tmp_path, bus_id, why):
    root = write(card(tmp_path, BOTH), {"0000:01:00.0/vendor": "0x10de"})
    assert why in IntelGpuMeter(root).probe(xpu(bus_id)).reason


def test_no_card_at_all(tmp_path):
    assert "no Intel GPU" in IntelGpuMeter(tmp_path / "absent").probe(xpu()).reason


def test_no_permission(tmp_path, monkeypatch):
    root = card(tmp_path, BOTH)
    deny(monkeypatch, "energy1_input")
    found = IntelGpuMeter(root).probe(xpu(BUS_ID))
    assert "no permission" in found.reason
    assert found.remedy == f"sudo chmod a+r {root / HWMON / 'energy1_input'}"


def test_a_file_that_says_no_number(tmp_path):
    root = card(tmp_path, {**BOTH, "energy1_input": "unknown"})
    assert "says 'unknown', not a number" in IntelGpuMeter(root).probe(xpu(BUS_ID)).reason


def test_tiles_share_the_counter_of_their_card(tmp_path, monkeypatch):
    root = card(tmp_path, BOTH)
    (root / BUS_ID / "tile1").mkdir()
    monkeypatch.delenv("ZE_FLAT_DEVICE_HIERARCHY", raising=False)
    assert IntelGpuMeter(root).probe(xpu(BUS_ID)).reason.startswith("shared_device")
    monkeypatch.setenv("ZE_FLAT_DEVICE_HIERARCHY", "COMPOSITE")
    assert IntelGpuMeter(root).probe(xpu(BUS_ID)).reason == ""


def test_without_labels_the_first_is_the_card_and_the_second_its_package(tmp_path):
    found = IntelGpuMeter(card(tmp_path, {"energy1_input": 9, "energy2_input": 7})).probe(xpu(BUS_ID))
    assert (found.scope, found.source) == ("gpu_board", "xe hwmon energy1_input (card)")
    assert any("energy2_input (pkg)" in note for note in found.notes)


def test_the_only_counter_of_an_old_xe_is_of_the_package(tmp_path):
    found = IntelGpuMeter(card(tmp_path, {"energy1_input": 9})).probe(xpu(BUS_ID))
    assert (found.scope, found.source) == ("gpu_package", "xe hwmon energy1_input (pkg)")
    assert any("of the package" in note for note in found.notes)


@pytest.mark.parametrize(("functions", "is_shared"), [(2, True), (0, False)])
def test_virtual_functions_share_the_counter_of_their_card(tmp_path, functions, is_shared):
    root = write(card(tmp_path, BOTH), {f"{BUS_ID}/sriov_numvfs": functions})
    assert IntelGpuMeter(root).probe(xpu(BUS_ID)).reason.startswith("shared_device") is is_shared
