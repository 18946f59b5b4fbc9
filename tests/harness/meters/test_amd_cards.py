"""Which card of amdsmi is meant, and what its numbers say."""

from __future__ import annotations

import pytest

from harness.meters.amd import AmdMeter
from harness.meters.amd_sensors import AmdError, counter_uj, number
from tests.harness.meters.fake_amdsmi import STEP_UJ, fake_amdsmi
from tests.harness.meters.scripted import Time
from tests.harness.meters.test_amd import BY_BUS, install, load, measure, mi300, rocm


@pytest.fixture
def time() -> Time:
    return Time()


# Which card


def test_card_is_found_by_bus_id_in_another_order(monkeypatch, time):
    cards = [
        mi300(time, bdf=f"0000:{bus:02X}:00.0", hip_id=7 - n, joules=load(time, 100.0 * (n + 1)),
              power={"current_socket_power": 100 * (n + 1)})
        for n, bus in enumerate((0xC3, 0x03, 0xE3, 0x23, 0x43, 0xA3, 0x63, 0x83))
    ]  # fmt: skip
    install(monkeypatch, fake_amdsmi(*cards))
    reading, _ = measure(time, rocm(pci_bus_id="0000:e3:00.0", uuid="other"))
    assert reading.device_id == "0000:E3:00.0"
    assert reading.average_power_w == pytest.approx(300, rel=0.01)


@pytest.mark.parametrize("uuid", ["64653832-3837-3330-3064-613337633732", "GPU-de8287300da37c72"])
def test_card_is_found_by_uuid_as_torch_writes_it(monkeypatch, time, uuid):
    other = mi300(time, hip_uuid="GPU-0000000000000001", bdf="0000:01:00.0")
    install(monkeypatch, fake_amdsmi(other, mi300(time)))
    assert AmdMeter().probe(rocm(uuid=uuid)).device_id == "0000:03:00.0"


def test_unknown_bus_id_is_refused(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(mi300(time)))
    answer = AmdMeter().probe(rocm(pci_bus_id="0000:99:00.0"))
    assert answer.reason == "amdsmi knows no card with PCI bus id 0000:99:00.0"


def test_without_bus_id_hip_index_is_used_but_not_amdsmi_order(monkeypatch, time):
    for name in ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"):
        monkeypatch.delenv(name, raising=False)
    first, second = mi300(time, bdf="0000:01:00.0", hip_id=1), mi300(time, bdf="0000:02:00.0", hip_id=0)
    install(monkeypatch, fake_amdsmi(first, second))
    assert AmdMeter().probe(rocm()).device_id == "0000:02:00.0"
    install(monkeypatch, fake_amdsmi(first, second, enumeration=False))
    assert "does not tell HIP's number" in AmdMeter().probe(rocm()).reason


@pytest.mark.parametrize("name", ["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"])
def test_without_bus_id_a_renumbered_index_is_refused(monkeypatch, time, name):
    monkeypatch.setenv(name, "1")
    install(monkeypatch, fake_amdsmi(mi300(time, hip_id=0)))
    assert name in AmdMeter().probe(rocm()).reason
    assert not AmdMeter().probe(BY_BUS).reason  # with a bus id it does not matter


# Numbers


def test_counter_is_exact_in_integers():
    for count in (1, 10**15 + 1, 2**62 // 16):
        assert counter_uj({"energy_accumulator": count, "counter_resolution": STEP_UJ}) == (count * 153 + 5) // 10


@pytest.mark.parametrize(
    "answer",
    [
        {"energy_accumulator": 0xFFFFFFFFFFFFFFFF, "counter_resolution": STEP_UJ},
        {"energy_accumulator": 2**63, "counter_resolution": STEP_UJ},
        {"energy_accumulator": "N/A", "counter_resolution": STEP_UJ},
        {"energy_accumulator": 1, "counter_resolution": "N/A"},
        {"energy_accumulator": 1, "counter_resolution": 0.0},
        {"energy_accumulator": 1, "counter_resolution": float("nan")},
        {},
    ],
)
def test_counters_that_are_none(answer):
    with pytest.raises(AmdError):
        counter_uj(answer)


@pytest.mark.parametrize("value", ["N/A", None, True, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, -1, 5.0])
def test_what_is_no_number(value):
    assert number(value) is None
