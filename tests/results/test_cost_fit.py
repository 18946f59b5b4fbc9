"""Which prices go with the device that a case was measured on."""

from __future__ import annotations

import msgspec
import pytest

from tests.results.costed import cpu_row, on_cpu, on_h100, price_row, report
from tests.results.example_run import H100


def one(summary, price, basis="given"):
    (cost,) = report(summary, price, basis=basis).cases
    return cost


def on_device(name: str, gib: float | None = 79.0, **fields):
    summary = on_h100(1000)
    memory = int(gib * 2**30) if gib else None
    device = msgspec.structs.replace(H100, name=name, memory_bytes=memory, **fields)
    return msgspec.structs.replace(summary, run=msgspec.structs.replace(summary.run, devices=(device,)))


L4 = {"accelerator": "L4", "accelerator_memory_gib": 24.0}
FORM = "the price does not say which form of H100 it is for (SXM, PCIe or NVL)"


@pytest.mark.parametrize("basis", ["given", "rented_here", "what_if"])
@pytest.mark.parametrize(("summary", "row", "reason"), [
    (on_h100(1000), price_row(**L4), "the run used NVIDIA H100 80GB HBM3, but sxm-big holds L4: another chip's price"),
    (on_h100(1000), price_row(accelerator_memory_gib=141.0), "79.0 GiB, but sxm-big holds H100 with 141 GiB"),
    (on_device("NVIDIA H100 PCIe"), price_row(accelerator="H100-NVL", accelerator_memory_gib=None), "another chip"),
    (on_device("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9.8), price_row(), "9.8 GiB, but sxm-big holds H100 with 80 GiB"),
    (on_h100(1000), price_row(instance_type="H100 NVL", accelerator_memory_gib=None), "H100-NVL, not H100): another version"),
    (on_device("Odd Chip 3"), price_row(), "the run used Odd Chip 3, but sxm-big holds H100: another chip's price"),
])  # fmt: skip
def test_a_speed_of_one_chip_has_no_dollars_at_the_price_of_another(summary, row, reason, basis):
    cost = one(summary, row, basis=basis)
    assert reason in cost.reason
    assert (cost.headline, cost.usd_per_hour_billed, cost.usd_per_1m_tokens_billed) == (None, None, None)


@pytest.mark.parametrize("basis", ["given", "what_if"])
@pytest.mark.parametrize("device", ["NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe"])
def test_a_form_that_is_not_stated_leaves_a_doubt(device, basis):
    found = report(on_device(device), price_row(instance_type="plain"), basis=basis)
    assert found.cases[0].headline == "attributed"
    assert found.cases[0].notes[0].startswith(FORM)
    assert any(FORM in warning for warning in found.warnings)
    assert not one(on_h100(1000), price_row(), basis=basis).notes  # SXM is said


@pytest.mark.parametrize("name", ["NVIDIA H100 MIG 7g.80gb", "NVIDIA H100 Max-Q", "NVIDIA H100 Laptop GPU", "GRID H100",
                                  "NVIDIA H100 D", "NVIDIA H100 of tomorrow"])  # fmt: skip
def test_what_is_not_known_to_be_the_same_accelerator_has_no_dollars_elsewhere(name):
    cost = one(on_device(name, None), price_row(), basis="what_if")
    assert cost.headline is None
    assert name in cost.reason
    given_doubt = "tomorrow" not in name
    assert (
        any("another or lesser part" in note for note in one(on_device(name, None), price_row()).notes) is given_doubt
    )


@pytest.mark.parametrize("unit", ["accelerator", "chip"])
def test_the_price_of_an_accelerator_is_no_price_of_a_cpu(unit):
    cost = one(on_cpu(1000), price_row(unit=unit, accelerator_count=1))
    assert cost.reason == "this price is for an accelerator; the host's CPU is not in it"
    assert cost.usd_per_hour_billed is None


def test_a_cpu_is_another_one_elsewhere():
    cost = one(on_cpu(1000), cpu_row(), basis="what_if")
    assert cost.reason == "measured on a CPU: what another machine's CPU does was not measured"
