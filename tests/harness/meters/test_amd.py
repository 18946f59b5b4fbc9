"""AMD meter over a module ``amdsmi`` that misbehaves as the real one was seen to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from harness.meters.amd import AmdMeter
from harness.meters.base import EnergyWindow
from results.records import Device, EnergyReading
from tests.harness.meters.fake_amdsmi import Card, fake_amdsmi
from tests.harness.meters.scripted import Scripted, Time


@pytest.fixture
def time() -> Time:
    return Time()


def rocm(**details: object) -> Device:
    return Device(id="cuda:0", backend="torch", kind="rocm", name="AMD Instinct MI300X", details=details)


BY_BUS = rocm(pci_bus_id="0000:03:00.0")


def install(monkeypatch: pytest.MonkeyPatch, module: ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", module)


def load(time: Time, watts: float = 500.0) -> Callable[[], float]:
    """Joules of a card that draws ``watts``, counted in steps of 100 ms."""
    return lambda: 1000.0 + watts * (time.ns // 100_000_000) * 0.1


def measure(time: Time, device: Device = BY_BUS, seconds: float = 5.03) -> tuple[EnergyReading, AmdMeter]:
    sampler = Scripted(time)
    meter = AmdMeter(sampler)
    meter.start(device)
    sampler.run(0.3)
    start_ns = time.ns
    sampler.run(seconds)
    window = EnergyWindow(((start_ns, time.ns),), step_s=0.001, loaded_before_s=0.3)
    sampler.run(0.25)
    (reading,) = meter.stop(window)
    return reading, meter


def mi300(time: Time, **changes: object) -> Card:
    values = {"joules": load(time), "power": {"current_socket_power": 500, "average_socket_power": "N/A"}, **changes}
    return Card(**values)  # type: ignore[arg-type]


# Import and kind


def test_is_for_rocm_only(monkeypatch):
    install(monkeypatch, None)
    answer = AmdMeter().probe(Device(id="cuda:0", backend="torch", kind="cuda", name="H100"))
    assert not answer.applies
    assert answer.reason


def test_missing_library_raises_key_error_at_import(monkeypatch, tmp_path):
    (tmp_path / "amdsmi.py").write_text("import os\nos.environ['ROCM_HOME_THAT_IS_NOT_SET']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    answer = AmdMeter().probe(BY_BUS)
    assert answer.applies
    assert answer.reason == "amdsmi cannot be used: KeyError: 'ROCM_HOME_THAT_IS_NOT_SET'"
    assert "pip install" in answer.remedy


def test_missing_package(monkeypatch):
    install(monkeypatch, None)
    answer = AmdMeter().probe(BY_BUS)
    assert answer.reason.startswith("amdsmi cannot be used: ModuleNotFoundError")


# Counter


def test_good_counter_is_used_and_checked(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time)))
    answer = AmdMeter().probe(BY_BUS)
    assert (answer.reason, answer.source, answer.scope) == ("", "amdsmi_get_energy_count", "gpu_board")
    assert answer.averaging_s is None
    assert answer.update_s is None
    reading, meter = measure(time)
    assert (reading.source, reading.remark) == ("amdsmi_get_energy_count", "")
    assert reading.method == "counter_tick"
    assert reading.average_power_w == pytest.approx(500, rel=0.01)
    assert reading.crosscheck_ratio == pytest.approx(1, abs=0.01)
    assert reading.crosscheck_source == "amdsmi_get_power_info current_socket_power"
    assert reading.power_limit_w == reading.power_limit_default_w == 750
    assert reading.driver == "6.12.12"
    assert reading.trace in meter.traces


def test_old_versions_call_the_counter_power(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time, counter_key="power")))
    reading, _ = measure(time)
    assert reading.method == "counter_tick"
    assert reading.average_power_w == pytest.approx(500, rel=0.01)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda time: lambda: 1000.0, "did not move"),
        (lambda time: lambda: 1e6 - 500 * time.s, "went back"),
        (lambda time: lambda: 1000.0 + 500 * (time.s % 4.1), "went back"),
        (lambda time: load(time, 50_000.0), "100 times the socket power"),
        (lambda time: load(time, 350.0), "0.7 times the socket power"),
    ],
    ids=["frozen", "backward", "reset", "x100", "x0.7"],
)
def test_bad_counter_is_replaced_by_the_power(monkeypatch, time, fault, told):
    install(monkeypatch, fake_amdsmi(mi300(time, joules=fault(time))))
    reading, meter = measure(time)
    assert reading.method == "integral"
    assert reading.average_power_w == pytest.approx(500)
    assert reading.energy_j == pytest.approx(500 * reading.duration_s)
    assert reading.source == "amdsmi_get_power_info current_socket_power"  # without what was measured
    assert reading.remark.startswith("energy counter not used: ")
    assert told in reading.remark
    assert reading.crosscheck_ratio is None
    assert list(meter.traces) == [reading.trace] == ["gpu_board_uw"]


@pytest.mark.parametrize(("watts", "is_used"), [(395.0, False), (405.0, True), (595.0, True), (605.0, False)])
def test_bounds_of_the_check(monkeypatch, time, watts, is_used):
    install(monkeypatch, fake_amdsmi(mi300(time, joules=load(time, watts))))
    reading, _ = measure(time, seconds=10.03)
    assert (reading.source == "amdsmi_get_energy_count") is is_used


def test_short_window_cannot_check_the_counter(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time)))
    reading, _ = measure(time, seconds=2.5)
    assert reading.method == "integral"
    assert reading.source == "amdsmi_get_power_info current_socket_power"
    assert "too short to check it" in reading.remark


def test_counter_without_power_is_not_believed(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time, power={"current_socket_power": "N/A"})))
    answer = AmdMeter().probe(BY_BUS)
    assert answer.reason == "amdsmi tells no socket power of this card"


def test_card_without_counter(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time, joules=None)))
    answer = AmdMeter().probe(BY_BUS)
    assert answer.source == "amdsmi_get_power_info current_socket_power"
    reading, _ = measure(time)
    assert reading.method == "integral"
    assert reading.source == "amdsmi_get_power_info current_socket_power"


def test_card_lost_in_the_middle(monkeypatch, time):
    card = mi300(time)
    install(monkeypatch, fake_amdsmi(card))
    sampler = Scripted(time)
    meter = AmdMeter(sampler)
    meter.start(BY_BUS)
    sampler.run(2.0)
    card.lost = True
    sampler.run(3.0)
    (reading,) = meter.stop(EnergyWindow(((300_000_000, 4_900_000_000),)))
    assert reading.energy_j is None
    assert "AMDSMI_STATUS_NO_DATA" in reading.reason  # not the first line of the error only


# Power


@pytest.mark.parametrize(
    ("power", "key"),
    [
        ({"current_socket_power": 500, "average_socket_power": 0xFFFF}, "current_socket_power"),
        ({"current_socket_power": "N/A", "average_socket_power": 500}, "average_socket_power"),
        ({"current_socket_power": 0xFFFF, "average_socket_power": 500}, "average_socket_power"),
        ({"current_socket_power": 0xFFFFFFFF, "average_socket_power": 500}, "average_socket_power"),
        ({"current_socket_power": 0, "average_socket_power": 500}, "average_socket_power"),
        ({"socket_power": 500, "current_socket_power": "N/A", "average_socket_power": "N/A"}, "socket_power"),
    ],
)
def test_power_is_read_where_it_is(monkeypatch, time, power, key):
    install(monkeypatch, fake_amdsmi(mi300(time, power=power, joules=None)))
    reading, _ = measure(time)
    assert reading.source == f"amdsmi_get_power_info {key}"
    assert reading.average_power_w == pytest.approx(500)


def test_power_that_goes_missing_is_no_zero(monkeypatch, time):
    card = mi300(time, joules=None)
    install(monkeypatch, fake_amdsmi(card))
    sampler = Scripted(time)
    meter = AmdMeter(sampler)
    meter.start(BY_BUS)
    for missing in ("N/A", 0xFFFF, 0):
        sampler.run(1.0)
        card.power = {"current_socket_power": missing}
        sampler.run(0.1)
        card.power = {"current_socket_power": 500}
    sampler.run(1.0)
    (reading,) = meter.stop(EnergyWindow(((100_000_000, 4_200_000_000),)))
    assert reading.average_power_w == pytest.approx(500)


def test_zero_watts_of_a_card_with_one_die(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time, power={"current_socket_power": 0})))
    assert AmdMeter().probe(BY_BUS).reason == "amdsmi tells a socket power of 0 W, which cannot be"


def mi250(time: Time, bus: int, watts: object) -> Card:
    return mi300(
        time, bdf=f"0000:{bus:02x}:00.0", market_name="AMD INSTINCT MI250X", power={"average_socket_power": watts}
    )


def test_dies_of_mi250(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi250(time, 1, 500), mi250(time, 2, 0), mi250(time, 3, 90), mi250(time, 4, 0)))
    odd = AmdMeter().probe(rocm(pci_bus_id="0000:02:00.0"))
    assert odd.reason.startswith("shared_device: this die tells 0 W")
    even = AmdMeter().probe(rocm(pci_bus_id="0000:01:00.0"))
    assert not even.reason
    assert even.notes[-1] == "covers both dies of the card, whichever works"
    reading, _ = measure(time, rocm(pci_bus_id="0000:01:00.0"))
    assert "both dies" in reading.source
    assert reading.scope == "gpu_board"


@pytest.mark.parametrize("other", [480, "N/A"])
def test_dies_that_cannot_be_told_apart(monkeypatch, time, other):
    cards = [mi250(time, 1, 500), mi250(time, 2, other), mi250(time, 3, 500)]
    install(monkeypatch, fake_amdsmi(*cards))
    assert AmdMeter().probe(rocm(pci_bus_id="0000:01:00.0")).reason.startswith("shared_device: the card has two dies")


def test_cards_without_partitions_or_caps(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time, partition=None, power_cap="N/A", driver="N/A")))
    reading, _ = measure(time)
    assert reading.energy_j
    assert (reading.power_limit_w, reading.power_limit_default_w, reading.driver) == (None, None, None)
