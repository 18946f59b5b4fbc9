"""Names that drivers print, and names under which accelerators are sold: the row they are, or none."""

from __future__ import annotations

import pytest

from results.configs import config_path
from results.device_names import SHARED, accelerator_row, even, form_stated, shared_reason, sold_part
from results.device_table import DeviceTable, load_devices, match
from results.price_row import PriceRow

GIB = 2**30


@pytest.fixture(scope="module")
def table() -> DeviceTable:
    return load_devices()


@pytest.mark.parametrize(
    ("name", "kind", "memory_gib", "row"),
    [
        ("NVIDIA A100-PCIE-40GB", "cuda", 39.4, "A100-PCIe-40GB"),
        ("A100-PCIE-40GB", "cuda", 39.6, "A100-PCIe-40GB"),
        ("NVIDIA A100 80GB PCIe", "cuda", 79.2, "A100-PCIe-80GB"),
        ("NVIDIA A10", "cuda", 22.1, "A10"),
        ("NVIDIA A30", "cuda", 23.5, "A30"),
        ("NVIDIA L40", "cuda", 44.5, "L40"),
        ("NVIDIA T4G", "cuda", 14.6, "T4G"),
        ("NVIDIA GB300", "cuda", 275.0, "GB300"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "cuda", 95.0, "RTXPRO6000"),
        ("NVIDIA GeForce RTX 3090", "cuda", 23.6, "RTX3090"),
        ("AMD Instinct MI350X", "rocm", 288.0, "MI350X"),
        ("TPU v4", "tpu", 32.0, "TPU-v4"),
        ("TPU v5 lite", "tpu", 16.0, "TPU-v5e"),
        ("TPU v5p", "xla", 95.0, "TPU-v5p"),
        ("TPU v6 lite", "tpu", 32.0, "TPU-v6e"),
        ("Hailo-8", "npu", None, "Hailo-8"),
        ("HAILO8", "npu", None, "Hailo-8"),
        ("Hailo-8L", "npu", None, "Hailo-8L"),
        ("Hailo-10H", "npu", None, "Hailo-10H"),
    ],
)
def test_names_that_are_found(table: DeviceTable, name: str, kind: str, memory_gib: float | None, row: str) -> None:
    found = match(table, name, kind, None if memory_gib is None else round(memory_gib * GIB))
    assert found.row is not None, found.reason
    assert found.row.device == row


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("NVIDIA H100", "cuda", "does not say whether it is SXM, PCIe or NVL"),
        ("Intel(R) AI Boost", "npu", "NPUs of several generations share the name"),
        ("Orin", "cuda", "several Jetson boards share the name"),
        ("TPU v3", "tpu", "one core, not the chip"),
        ("TPU7x", "tpu", "one core, not the chip"),
        ("NC_v2", "neuron", "is no name of a part"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "cuda", "'Max-Q' in its name"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "cuda", "is no name of a part"),
        ("AMD Instinct MI300X HF", "rocm", "is no name of a part"),
        ("Tesla P100-PCIE-12GB", "cuda", "is no name of a part"),
    ],
)
def test_names_that_are_not_found_say_why(table: DeviceTable, name: str, kind: str, reason: str) -> None:
    found = match(table, name, kind, None)
    assert found.row is None
    assert reason in found.reason


def test_shared_names_are_spelt_evenly_and_are_no_rows_name(table: DeviceTable) -> None:
    for name in SHARED:
        assert name == even(name)
        assert match(table, name, "cuda", None).row is None
    assert shared_reason("NVIDIA H100 PCIe") is None


@pytest.mark.parametrize(
    ("accelerator", "memory_gib", "row"),
    [
        ("H100", 80, "H100"),
        ("h100", 80, "H100"),
        ("H100", None, "H100"),
        ("H100-PCIe", 80, "H100-PCIe"),
        ("H100-NVL", 94, "H100-NVL"),
        ("A100", 40, "A100-40GB"),
        ("A100", 80, "A100-80GB"),
        ("A100-80GB", 80, "A100-80GB"),
        ("V100", 16, "V100"),
        ("V100", 32, "V100"),
        ("V100-32GB", 32, "V100"),
        ("A10G", 22.4, "A10G"),  # what a program sees of 24
        ("B300", 268.6, "B300"),
        ("TPU-v5e", 16, "TPU-v5e"),
        ("GB200", None, "GB200"),
        ("TPU-v7x", 192, "TPU-v7x"),  # memory is not sourced: nothing to contradict
    ],
)
def test_accelerators_of_a_price_table(accelerator: str, memory_gib: float | None, row: str) -> None:
    assert accelerator_row(accelerator, memory_gib) == row


@pytest.mark.parametrize(
    ("accelerator", "memory_gib"),
    [
        ("A100", None),
        ("A100", 64),
        ("V100-32GB", None),
        ("H100", 94),
        ("H100-NVL", 80),
        ("B300", 180),
        ("L40", 40),
        ("Trainium2", 512),
        ("MI300X", 1536),  # of eight
        ("H800", 80),
        ("", None),
        ("", 80),
    ],
)
def test_accelerators_that_are_no_row(accelerator: str, memory_gib: float | None) -> None:
    assert accelerator_row(accelerator, memory_gib) is None


def test_every_accelerator_that_is_sold_has_a_row() -> None:
    import csv

    with config_path("prices.csv").open(newline="") as file:
        sold = {(r["accelerator"], r["accelerator_memory_gib"]) for r in csv.DictReader(file) if r["accelerator"]}
    without = {a for a in sold if accelerator_row(a[0], float(a[1]) if a[1] else None) is None}
    assert without == {("B300", "180"), ("H100-NVL", "80"), ("L40", "40")}  # memory that no such part has


@pytest.mark.parametrize(
    ("accelerator", "memory_gib", "instance_type", "part", "stated"),
    [
        ("A100-80GB", 80, "NVIDIA A100 PCIe (secure)", "A100-PCIe-80GB", True),
        ("A100", 40, "NVIDIA A100 PCIe", "A100-PCIe-40GB", True),
        ("A100-80GB", 80, "NVIDIA A100 SXM4", "A100-80GB", True),
        ("A100-80GB", 80, "NVIDIA A100 NVLink", "A100-80GB", False),  # both forms have NVLink
        ("A100-80GB", 80, "NVIDIA A100 NVL", None, True),  # there is no such part
        ("H100", 80, "gpu_h100_pcie", "H100-PCIe", True),
        ("H100", 94, "NVIDIA H100 NVL", "H100-NVL", True),
        ("H100", 80, "NVIDIA H100 NVL", None, True),
        ("H100-PCIe", 80, "NVIDIA H100 PCIe NVLink", "H100-PCIe", True),
        ("H100-PCIe", 80, "H100 SXM5", "H100", True),
        ("H100", 80, "p5.48xlarge", "H100", False),
        ("H100", 80, "H100 SXM or PCIe", "H100", False),
        ("H100-NVL", 94, "Standard_NC40ads_H100_v5", "H100-NVL", True),
        ("V100", 16, "Tesla V100 PCIe", None, True),  # the table has the SXM part alone
        ("V100-32GB", 32, "Tesla V100 SXM2", "V100", True),
        ("B200", None, "NVIDIA B200 NVL", "B200", True),
        (None, None, "c7i.4xlarge", None, True),
    ],
)
def test_the_part_that_a_price_is_for(accelerator, memory_gib, instance_type, part, stated) -> None:  # type: ignore[no-untyped-def]
    row = PriceRow(
        provider="a", region=None, instance_type=instance_type, accelerator=accelerator, accelerator_count=1,
        accelerator_memory_gib=memory_gib, vcpus=None, memory_gib=None, pricing="on_demand", price_usd_per_hour=1.0,
        unit="instance", as_of="unknown", source="x",
    )  # fmt: skip
    assert (sold_part(row), form_stated(row)) == (part, stated)
