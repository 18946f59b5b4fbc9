"""Which card ``cuda:N`` is, where torch tells neither UUID nor PCI bus id: proven, or refused."""

from __future__ import annotations

import itertools
import random

import pytest

from harness.guards.base import Unreadable
from harness.meters.visible_devices import ListedCard, visible_card
from tests.harness.meters.cards import bus, card, uuid, wave
from tests.nvml_stub.build import Machine

BY_BUS = [f"GPU-{uuid(n)}" for n in range(8)]
CARDS = [ListedCard(name, (0, 0x10 + n, 0)) for n, name in enumerate(BY_BUS)]
PCI = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
LISTED = "CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize("seed", range(3))
def test_integers_count_by_bus_in_whatever_order_the_cards_are_listed(seed: int) -> None:
    shuffled = random.Random(seed).sample(CARDS, 8)
    assert [visible_card(n, PCI, shuffled) for n in range(8)] == BY_BUS
    assert [visible_card(n, {**PCI, LISTED: "6,1, 4"}, shuffled) for n in range(3)] == [BY_BUS[n] for n in (6, 1, 4)]


@pytest.mark.parametrize("order", [{}, PCI, {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}])
def test_uuids_name_cards_in_any_order(order: dict[str, str]) -> None:
    for numbers in itertools.permutations(range(8), 2):
        listed = ",".join(BY_BUS[n] for n in numbers)
        assert [visible_card(n, {**order, LISTED: listed}, CARDS) for n in (0, 1)] == [BY_BUS[n] for n in numbers]
    assert visible_card(1, {LISTED: "GPU-00000007,GPU-00000003-1"}, CARDS) == BY_BUS[2]  # beginnings will do


def test_a_domain_comes_before_a_bus() -> None:
    cards = [ListedCard("GPU-b", (1, 0, 0)), ListedCard("GPU-a", (0, 0xF0, 0))]
    assert visible_card(0, PCI, cards) == "GPU-a"


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({}, 0),
        ({LISTED: "0,1"}, 0),
        ({LISTED: "3"}, 0),
        ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST", LISTED: "3"}, 0),
        (PCI, 8),
        ({**PCI, LISTED: ""}, 0),
        ({**PCI, LISTED: "2"}, 1),
        ({**PCI, LISTED: "1,-1,2"}, 1),
        ({**PCI, LISTED: "1,9,2"}, 1),
        ({**PCI, LISTED: "1,x,2"}, 1),
        ({**PCI, LISTED: "NoDevFiles"}, 0),
        ({**PCI, LISTED: "1,2,1"}, 0),
        ({**PCI, LISTED: f"1,{BY_BUS[2]}"}, 1),
        ({LISTED: f"{BY_BUS[2]},1"}, 1),
        ({LISTED: f"{BY_BUS[2]},{BY_BUS[2]}"}, 0),
        ({LISTED: f"{BY_BUS[2]},GPU-00000003"}, 0),
        ({LISTED: "GPU-0"}, 0),  # the beginning of all of them
        ({LISTED: "GPU-"}, 0),
        ({LISTED: f"GPU-ffff,{BY_BUS[2]}"}, 0),
        ({LISTED: uuid(3)}, 0),
    ],
)
def test_what_is_not_proven_is_refused_with_what_to_set(environment: dict[str, str], index: int) -> None:
    with pytest.raises(Unreadable) as error:
        visible_card(index, environment, CARDS)
    assert "PCI_BUS_ID" in str(error.value) or "twice" in str(error.value)


def test_entries_before_one_that_is_not_understood_are_visible() -> None:
    assert visible_card(0, {**PCI, LISTED: "5,-1,2"}, CARDS) == BY_BUS[5]
    assert visible_card(0, {LISTED: f"{BY_BUS[5]},GPU-ffff"}, CARDS) == BY_BUS[5]


def test_one_card_is_that_card() -> None:
    assert visible_card(0, {}, CARDS[3:4]) == BY_BUS[3]
    assert visible_card(0, {LISTED: "0"}, CARDS[3:4]) == BY_BUS[3]
    with pytest.raises(Unreadable, match="there is one NVIDIA card"):
        visible_card(1, {}, CARDS[3:4])
    assert visible_card(0, {LISTED: "MIG-1234"}, CARDS[3:4]) == "MIG-1234"


def eight(order: list[int]) -> dict[str, object]:
    """Eight cards, which NVML numbers in this order; each is of another power."""
    state: dict[str, object] = {}
    for place, number in enumerate(order):
        watts = 100.0 * (number + 1)
        # UUID and PCI bus id belong to the card, whatever NVML's number of it.
        state |= card(wave()._replace(high_w=watts, low_w=watts), place, uuid=f"GPU-{uuid(number)}", pci=bus(number))
    return state


@pytest.mark.parametrize("order", [list(range(8)), [3, 0, 7, 1, 6, 2, 5, 4]], ids=["bus", "other"])
@pytest.mark.parametrize(
    ("environment", "numbers"),
    [(PCI, [0, 4, 7]), ({**PCI, LISTED: "6,2"}, [6, 2]), ({LISTED: f"GPU-{uuid(4)},GPU-{uuid(1)}"}, [4, 1])],
    ids=["all", "integers", "uuids"],
)
def test_the_card_that_torch_means_is_read_by_nvml(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    order: list[int],
    environment: dict[str, str],
    numbers: list[int],
) -> None:
    for name in (LISTED, "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    machine = Machine(tmp_path_factory.mktemp("nvml"))
    probe = "tests.harness.meters.nvidia_probe:capability"
    try:
        for place, number in enumerate(numbers):
            index = place if LISTED in environment else number
            found = machine.call(probe, eight(order), details={}, name=f"cuda:{index}")
            assert (found["reason"], found["device_id"]) == ("", f"GPU-{uuid(number)}")
            # Torch counts otherwise, and tells who it is: by either name.
            for details in ({"uuid": uuid(number)}, {"uuid": f"GPU-{uuid(number)}"}, {"pci_bus_id": bus(number)}):
                assert machine.call(probe, eight(order), details=details)["device_id"] == f"GPU-{uuid(number)}"
        wrong = machine.call(probe, eight(order), details={"compute_capability": "7.0"})
        assert "the index names another card" in wrong["reason"]
    finally:
        machine.close()


def test_an_index_alone_reads_no_card_of_eight(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (LISTED, "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    machine = Machine(tmp_path_factory.mktemp("nvml"))
    try:
        found = machine.call("tests.harness.meters.nvidia_probe:capability", eight(list(range(8))), details={})
    finally:
        machine.close()
    assert "may name any card; set CUDA_DEVICE_ORDER=PCI_BUS_ID" in found["reason"]
