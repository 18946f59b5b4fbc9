"""Whether an AMD card's power is that of the device alone, and what it covers."""

from __future__ import annotations

import msgspec
import pytest

from harness.meters.amd import AmdMeter
from tests.harness.meters.fake_amdsmi import AmdSmiVirtualizationMode, fake_amdsmi
from tests.harness.meters.scripted import Time
from tests.harness.meters.test_amd import BY_BUS, install, measure, mi300

NOT_TOLD = "amdsmi does not tell whether the card is virtual"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.mark.parametrize("mode", ["CPX", "DPX", "TPX", "QPX"])
def test_partitioned_card_is_shared(monkeypatch, time, mode):
    install(monkeypatch, fake_amdsmi(mi300(time, partition=mode)))
    assert AmdMeter().probe(BY_BUS).reason.startswith(f"shared_device: the card is partitioned ({mode})")


def test_parts_at_one_bus_id_are_shared(monkeypatch, time):
    install(monkeypatch, fake_amdsmi(*(mi300(time, bdf=f"0000:03:00.{n}") for n in range(8))))
    assert AmdMeter().probe(BY_BUS).reason.startswith("shared_device: 8 devices")


@pytest.mark.parametrize(
    ("partition", "told"),
    [
        (10, "cannot be read: AmdSmiLibraryException: Error code: 10 | AMDSMI_STATUS_NO_PERM - Permission Denied"),
        ("", "its compute partition says ''"),
        ("XPX", "its compute partition says 'XPX'"),
    ],
)
def test_card_that_does_not_tell_its_partition_may_be_shared(monkeypatch, time, partition, told):
    install(monkeypatch, fake_amdsmi(mi300(time, partition=partition)))
    answer = AmdMeter().probe(BY_BUS)
    assert answer.reason.startswith("not known whether the card is shared: ")
    assert answer.reason.endswith(told)


def test_amdsmi_that_cannot_ask_for_the_partition(monkeypatch, time):
    module = fake_amdsmi(mi300(time))
    del module.amdsmi_get_gpu_compute_partition
    install(monkeypatch, module)
    assert AmdMeter().probe(BY_BUS).reason.startswith("not known whether the card is shared: ")


@pytest.mark.parametrize("partition", [None, "N/A", "SPX"])
def test_card_without_partitions_is_read(monkeypatch, time, partition):
    install(monkeypatch, fake_amdsmi(mi300(time, partition=partition)))
    assert AmdMeter().probe(BY_BUS).reason == ""


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (AmdSmiVirtualizationMode.GUEST, "shared_device: the card is a virtual function"),
        (AmdSmiVirtualizationMode.HOST, "shared_device: the card is divided among guests"),
        (AmdSmiVirtualizationMode.PASSTHROUGH, ""),
        (AmdSmiVirtualizationMode.BAREMETAL, ""),
    ],
)
def test_virtual_functions_are_shared_and_cards_passed_through_are_not(monkeypatch, time, mode, told):
    install(monkeypatch, fake_amdsmi(mi300(time, virtualization=mode, partition=10 if told else "SPX")))
    answer = AmdMeter().probe(BY_BUS)
    assert answer.reason.startswith(told)
    assert bool(told) == bool(answer.reason)
    assert NOT_TOLD not in "".join(answer.notes)


@pytest.mark.parametrize("mode", [AmdSmiVirtualizationMode.UNKNOWN, 2, "absent"])
def test_virtualization_that_is_not_told_is_a_note(monkeypatch, time, mode):
    card = mi300(time, virtualization=1 if mode == "absent" else mode)
    install(monkeypatch, fake_amdsmi(card, enumeration=mode != "absent"))
    answer = AmdMeter().probe(BY_BUS)
    assert answer.reason == ""
    assert NOT_TOLD in "".join(answer.notes)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("AMD Instinct MI300X", "gpu_board"),
        ("AMD Instinct MI300A", "module"),
        ("AMD Radeon 8060S Graphics", "soc"),
        ("AMD Radeon(TM) 780M", "soc"),
        ("AMD Radeon RX 7900 XTX", "gpu_board"),
        ("AMD Radeon RX 7600M", "gpu_board"),
    ],
)
def test_a_socket_with_cpu_cores_is_no_board(monkeypatch, time, name, scope):
    install(monkeypatch, fake_amdsmi(mi300(time, market_name=name)))
    device = msgspec.structs.replace(BY_BUS, name="a GPU")
    assert AmdMeter().probe(device).scope == scope
    reading, _ = measure(time, device)
    assert reading.scope == scope
