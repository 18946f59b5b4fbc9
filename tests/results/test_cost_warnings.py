from __future__ import annotations

import msgspec
import pytest

from results.cost_warnings import WHAT_IF
from results.instance_record import Instance
from results.price_match import PriceMatch
from tests.results.costed import ONE_H100, changed, cpu_row, match, on_cpu, on_h100, price_row, report, run_of
from tests.results.example_run import CPU, H100, case


def on_device(name: str, kind: str = "cuda", gib: float = 79.0):
    device = msgspec.structs.replace(H100, name=name, kind=kind, memory_bytes=int(gib * 2**30))
    return msgspec.structs.replace(on_h100(1), run=msgspec.structs.replace(on_h100(1).run, devices=(device,)))


def of_layer(layer: str) -> PriceMatch:
    return msgspec.structs.replace(ONE_H100, layer=layer)


@pytest.mark.parametrize(("summary", "price", "warning"), [
    (on_cpu(1), price_row(), "cases on the CPU are priced on an instance whose price is for its accelerators (8 H100)"),
    (on_h100(1), price_row(vcpus=192), "the run saw 16 logical CPUs, but sxm-big has 192: another machine's speed"),
    (on_h100(1), price_row(accelerator="L4", accelerator_memory_gib=24.0), "but sxm-big holds L4: another chip's price"),
    (on_h100(1), price_row(accelerator_memory_gib=141.0), "with 79.0 GiB, but sxm-big holds H100 with 141 GiB"),
    (on_h100(1), cpu_row(), "the run used NVIDIA H100 80GB HBM3, but sxm-big holds no accelerator"),
    (on_device("NVIDIA H100 PCIe"), price_row(), "sxm-big holds H100 (by its name H100, not H100-PCIe): another version of it"),
    (on_device("Odd Chip 3"), price_row(), "the run used Odd Chip 3, but sxm-big holds H100: another chip's price"),
    (on_h100(1), price_row(as_of="2026-07-20"), "125 days ago (more than 90)"),
    (on_h100(1), price_row(as_of="unknown"), "the date of this price is unknown"),
    (on_h100(1), price_row(source="list (VM is extra)"), "the host is billed on top"),
    (on_h100(1), price_row(source="tardellirs/gpu-pricing@8f:src (MIT)"), "collected by a third party"),
    (on_h100(1), price_row(pricing="capacity_block"), "this one was asked at 2026-11-01"),
    (on_h100(1), of_layer("user"), "this price is from the user's own table"),
    (on_h100(1), of_layer("given"), "this price is from the table that was given"),
])  # fmt: skip
def test_warnings(summary, price, warning):
    (found,) = report(summary, price).warnings
    assert warning in found


@pytest.mark.parametrize(("summary", "row"), [
    (on_h100(1), price_row()),
    (on_h100(1), price_row(unit="accelerator", accelerator_count=1, vcpus=26)),  # the host is shared
    (on_device("Odd Chip 3"), price_row(accelerator="OddChip3", accelerator_memory_gib=80.0)),  # by its words
])  # fmt: skip
def test_what_fits_gives_no_warning(summary, row):
    assert report(summary, row).warnings == ()


def test_fewer_usable_cpus_than_are_paid_for_are_said():
    summary = on_h100(1)
    environment = msgspec.structs.replace(summary.run.environment, cpu_count_usable=2)
    summary = msgspec.structs.replace(summary, run=msgspec.structs.replace(summary.run, environment=environment))
    (found,) = report(summary, price_row()).warnings
    assert found == "the run could use 2 CPUs only, but the price is for all 16 of sxm-big"


CPU_MODEL = (
    "measured on Example CPU 8-Core: what CPU aws:sxm-big has is not in the table; another model or architecture has "
    "another speed"
)


def test_the_cpu_of_a_price_is_not_known_and_its_unused_share_is_said():
    assert report(on_cpu(1), cpu_row()).warnings == (CPU_MODEL,)
    assert report(on_cpu(1), cpu_row(vcpus=4)).warnings == (
        "the run saw 16 logical CPUs, but sxm-big has 4: another machine's speed", CPU_MODEL,
    )  # fmt: skip
    spec = case("resnet", "infer", "fp32", options={"threads": 1})
    assert report(run_of((spec, on_cpu_work(), 1), devices=(CPU,)), cpu_row()).warnings == (
        "the cases used at most 1 of the 16 vCPU of sxm-big, and all of them are paid for: what the rest could do was "
        "not measured", CPU_MODEL,
    )  # fmt: skip


def on_cpu_work():
    from results.records import Work

    return Work(items=1, item_unit="image", flops=1)


def test_what_if_always_says_what_may_differ_and_nothing_of_the_host():
    assert report(on_h100(1), price_row(vcpus=192), basis="what_if").warnings == (WHAT_IF,)


def test_the_note_of_the_price_comes_first():
    price = msgspec.structs.replace(ONE_H100, note="no --region was given")
    assert report(on_h100(1), price).warnings == ("no --region was given",)


def test_rates_of_one_process_are_counted():
    summary = changed(on_h100(1), {"step_half_width": 0.01})
    (found,) = report(summary, ONE_H100).warnings
    assert found == "+-: 1 of 1 rates are of one process: how processes differ is not known, and not in it"


def test_several_prices_are_told_apart():
    warnings = report(
        on_h100(1), match(price_row(as_of="unknown")), match(price_row(instance_type="b-sxm", as_of="unknown"))
    ).warnings
    assert [warning.split(": ")[0] for warning in warnings[:2]] == ["aws:sxm-big", "aws:b-sxm"]
    assert warnings[2:] == (
        "2 instances are named for one run, which was made on one at most: dollars of the others assume its speed",
    )


def test_each_cost_has_the_warnings_of_its_own_price():
    found = report(on_h100(1), match(price_row(as_of="unknown")), match(price_row(instance_type="b-sxm")))
    first, second = (cost.warnings for cost in found.cases)
    assert first[0].startswith("the date of this price is unknown")
    assert second == first[1:] != ()


@pytest.mark.parametrize(("region", "said"), [
    ("us-west-2", ("the run was made in us-east-1, but this price is of us-west-2",)), ("us-east-1", ()), (None, ()),
])  # fmt: skip
def test_a_price_of_another_region_than_the_runs_own_is_said(region, said):
    made = Instance(provider="aws", instance_type="sxm-big", region="us-east-1", evidence="DMI")
    summary = on_h100(1)
    summary = msgspec.structs.replace(summary, run=msgspec.structs.replace(summary.run, instance=made))
    assert report(summary, price_row(region=region)).warnings == said
