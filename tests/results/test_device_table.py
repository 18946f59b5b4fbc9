"""The device table: what it must hold, and that a device is found by its whole name or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.device_names import DRIVER_NAMES, even
from results.device_table import DeviceTable, bandwidth_per_s, load_devices, match, peak_per_s
from results.errors import DeviceTableError

GIB = 2**30


@pytest.fixture(scope="module")
def table() -> DeviceTable:
    return load_devices()


# Names as drivers print them, the memory such a device tells of, and the row it is.
FOUND = [
    ("Tesla T4", "cuda", 14.6, "T4"),
    ("Tesla V100-SXM2-16GB", "cuda", 15.8, "V100"),
    ("Tesla V100-SXM2-32GB", "cuda", 31.7, "V100"),
    ("NVIDIA A10G", "cuda", 22.1, "A10G"),
    ("NVIDIA L4", "cuda", 22.0, "L4"),
    ("NVIDIA L40S", "cuda", 44.4, "L40S"),
    ("NVIDIA A100-SXM4-40GB", "cuda", 39.4, "A100-40GB"),
    ("A100-SXM4-40GB", "cuda", 39.6, "A100-40GB"),
    ("NVIDIA A100-SXM4-80GB", "cuda", 79.2, "A100-80GB"),
    ("NVIDIA A100-SXM-80GB", "cuda", 79.2, "A100-80GB"),
    ("NVIDIA H100 80GB HBM3", "cuda", 79.1, "H100"),
    ("NVIDIA H100 PCIe", "cuda", 79.1, "H100-PCIe"),
    ("NVIDIA H100 NVL", "cuda", 93.1, "H100-NVL"),
    ("NVIDIA H200", "cuda", 139.8, "H200"),
    ("NVIDIA GH200 480GB", "cuda", 94.5, "GH200"),
    ("NVIDIA B200", "cuda", 178.4, "B200"),
    ("NVIDIA GB200", "cuda", 184.0, "GB200"),
    ("NVIDIA B300 SXM6 AC", "cuda", 268.6, "B300"),
    ("NVIDIA GeForce RTX 4090", "cuda", 23.5, "RTX4090"),
    ("nvidia  geforce rtx 4090 ", "cuda", None, "RTX4090"),
    ("NVIDIA GeForce RTX 5090", "cuda", 31.4, "RTX5090"),
    ("AMD Instinct MI300X", "rocm", 191.7, "MI300X"),
    ("AMD Instinct MI300X OAM", "rocm", 192.0, "MI300X"),
    ("AMD Instinct(TM) MI300X", "rocm", 192.0, "MI300X"),
    ("AMD Instinct MI325X", "rocm", 256.0, "MI325X"),
    ("AMD Instinct MI355X", "rocm", 288.0, "MI355X"),
    ("GAUDI2", "hpu", 94.6, "Gaudi2"),
]


@pytest.mark.parametrize(("name", "kind", "memory_gib", "row"), FOUND)
def test_names_that_are_found(table: DeviceTable, name: str, kind: str, memory_gib: float | None, row: str) -> None:
    memory_bytes = None if memory_gib is None else round(memory_gib * GIB)
    found = match(table, name, kind, memory_bytes)
    assert found.row is not None, found.reason
    assert (found.row.device, found.reason) == (row, "")


# Real names of parts that are not in the table, or only resemble one.
NOT_FOUND = [
    ("NVIDIA H100", "cuda"),  # which of them?
    ("H100", "cuda"),
    ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "cuda"),
    ("NVIDIA H100 80GB HBM2e", "cuda"),
    ("NVIDIA H100 64GB HBM2", "cuda"),
    ("NVIDIA H100 96GB HBM3", "cuda"),
    ("NVIDIA H800", "cuda"),
    ("NVIDIA H20", "cuda"),
    ("NVIDIA H200 NVL", "cuda"),
    ("NVIDIA GH200 144G HBM3e", "cuda"),
    ("NVIDIA A100-SXM-64GB", "cuda"),
    ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "cuda"),
    ("NVIDIA A100X", "cuda"),
    ("NVIDIA A800-SXM4-80GB", "cuda"),
    ("NVIDIA L40G", "cuda"),
    ("NVIDIA L20", "cuda"),
    ("GRID T4-16Q", "cuda"),
    ("GRID A100D-80C", "cuda"),
    ("NVIDIA A100-40C", "cuda"),
    ("T400 4GB", "cuda"),
    ("Tesla V100-PCIE-16GB", "cuda"),
    ("Tesla V100-SXM3-32GB", "cuda"),
    ("Tesla V100S-PCIE-32GB", "cuda"),
    ("NVIDIA GeForce RTX 4090 D", "cuda"),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", "cuda"),
    ("NVIDIA GeForce RTX 4080 SUPER", "cuda"),
    ("NVIDIA GeForce RTX 5090 D", "cuda"),
    ("NVIDIA GeForce RTX 5090 Laptop GPU", "cuda"),
    ("NVIDIA GeForce RTX 2080 with Max-Q Design", "cuda"),
    ("Orin", "cuda"),  # four boards call their GPU so
    ("AMD Instinct MI300A", "rocm"),
    ("AMD Instinct MI300X VF", "rocm"),
    ("AMD Instinct MI308X", "rocm"),
    ("AMD Instinct MI250X / MI250", "rocm"),
    ("AMD Instinct MI250", "rocm"),
    ("AMD Radeon RX 7900 XTX", "rocm"),
    ("Apple M3 Max", "mps"),
    ("Intel(R) Data Center GPU Max 1550", "xpu"),
    ("", "cuda"),
]


@pytest.mark.parametrize(("name", "kind"), NOT_FOUND)
def test_names_that_are_not_found(table: DeviceTable, name: str, kind: str) -> None:
    found = match(table, name, kind, None)
    assert found.row is None
    assert "is no name of a part in devices.csv" in found.reason


def test_the_word_that_makes_a_lesser_part_is_named(table: DeviceTable) -> None:
    assert "'MIG' in its name marks" in match(table, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "cuda", None).reason
    assert "'Laptop' in its name" in match(table, "NVIDIA GeForce RTX 4090 Laptop GPU", "cuda", None).reason
    assert "marks" not in match(table, "NVIDIA L20", "cuda", None).reason


@pytest.mark.parametrize(
    ("name", "kind", "memory_gib", "reason"),
    [
        # One of its two dies is what a program sees: half of the row's peaks.
        ("AMD Instinct MI250X", "rocm", 64.0, "'AMD Instinct MI250X' has 64.0 GiB, MI250X in devices.csv has 128"),
        ("NVIDIA H100 80GB HBM3", "cuda", 9.75, "'NVIDIA H100 80GB HBM3' has 9.8 GiB, H100 in devices.csv has 80"),
        ("NVIDIA GH200 480GB", "cuda", 141.0, "another version"),
        ("Tesla V100-SXM2-16GB", "cuda", 24.0, "V100 in devices.csv has 16 or 32: another version"),
        ("NVIDIA L4", "rocm", 22.0, "'NVIDIA L4' is a rocm device, but L4 is made by NVIDIA"),
        ("AMD EPYC 9654", "cpu", 400.0, "the device table holds no CPUs"),
        ("NVIDIA L4", "cpu", 22.0, "the device table holds no CPUs"),
    ],
)
def test_another_version_or_kind_is_not_the_part(
    table: DeviceTable, name: str, kind: str, memory_gib: float, reason: str
) -> None:
    found = match(table, name, kind, round(memory_gib * GIB))
    assert found.row is None
    assert reason in found.reason


def test_no_name_stands_for_two_rows_and_each_leads_to_its_own(table: DeviceTable) -> None:
    names = [even(name) for listed in DRIVER_NAMES.values() for name in listed]
    assert len(names) == len(set(names))
    for row, listed in DRIVER_NAMES.items():
        assert row in table.rows
        for name in listed:
            for kind in ("cuda", "rocm", "hpu"):
                found = match(table, name, kind, None).row
                assert found is None or found.device == row


@pytest.mark.parametrize("suffix", [" MIG 1g.5gb", " Laptop GPU", " D", "S", " VF", "-8C", " NVL", "0", " (vGPU)"])
@pytest.mark.parametrize("prefix", ["", "GRID "])
def test_one_word_more_is_another_device(table: DeviceTable, suffix: str, prefix: str) -> None:
    real = {even(name) for listed in DRIVER_NAMES.values() for name in listed}
    for row, listed in DRIVER_NAMES.items():
        for name in listed:
            longer = f"{prefix}{name}{suffix}"
            kind = {"NVIDIA": "cuda", "AMD": "rocm", "Intel": "hpu"}.get(table.rows[row].vendor, "xla")
            if even(longer) not in real:
                assert match(table, longer, kind, None).row is None, longer


def test_peaks_in_si_units_with_their_source(table: DeviceTable) -> None:
    found = match(table, "NVIDIA H100 80GB HBM3", "cuda", None)
    peaks = {p: peak_per_s(table, found, p).per_s for p in ("fp32", "tf32", "fp16", "bf16", "fp8", "int8")}
    assert peaks == {
        "fp32": 67e12, "tf32": 494.5e12, "fp16": 989e12, "bf16": 989e12, "fp8": 1979e12, "int8": 1979e12,
    }  # fmt: skip
    assert bandwidth_per_s(table, found).per_s == 3.35e12
    assert peak_per_s(table, found, "bf16").source.startswith("H100 bf16, confidence high: stas00/ml-engineering@")


@pytest.mark.parametrize(
    ("name", "precision", "reason"),
    [
        ("NVIDIA H100 NVL", "bf16", "peak not sourced: devices.csv has no bf16 figure for H100-NVL"),
        ("NVIDIA A100-SXM4-80GB", "fp8", "peak not sourced: devices.csv has no fp8 figure for A100-80GB"),
        ("NVIDIA B300", "int8", "peak not sourced: devices.csv has no int8 figure for B300"),
        ("NVIDIA A10G", "fp32", "peak not sourced: the row of A10G in devices.csv has confidence low"),
        ("NVIDIA L20", "bf16", "peak not sourced: 'NVIDIA L20' is no name of a part in devices.csv"),
        ("NVIDIA H100 PCIe", "mixed", "peak not sourced: devices.csv has no mixed figure for H100-PCIe"),
    ],
)
def test_a_peak_that_is_not_sourced_is_none_with_the_reason(
    table: DeviceTable, name: str, precision: str, reason: str
) -> None:
    figure = peak_per_s(table, match(table, name, "cuda", None), precision)
    assert (figure.per_s, figure.reason) == (None, reason)


HEADER = (
    "device,vendor,role,segment,fp32_tflops,tf32_tflops,fp16_tflops,bf16_tflops,fp8_tflops,int8_tops,fp4_tflops,"
    "int8_tops_sparse,memory_gib,memory_type,memory_bw_gb_s,interconnect_gb_s,tdp_w,confidence,source,note"
)
GOOD = "My Chip,Me,both,pc,1.5,,3,,,,,,16,,100,,,high,my sheet,"


def written(folder: Path, *lines: str) -> Path:
    file = folder / "devices.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_row_of_ones_own_is_found_by_its_name(tmp_path: Path) -> None:
    table = load_devices(written(tmp_path, HEADER, GOOD))
    found = match(table, "my chip", "npu", 16 * GIB)
    assert found.row is not None
    assert peak_per_s(table, found, "fp32") == (1.5e12, "My Chip fp32, confidence high: my sheet", "")
    assert match(table, "My Chip 2", "npu", None).row is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace(",tdp_w", ""), GOOD], "row 1: missing column tdp_w"),
        ([HEADER, GOOD.replace("1.5", "much")], "row 2: column fp32_tflops: 'much' is not a number"),
        ([HEADER, GOOD.replace("1.5", "0")], "row 2: column fp32_tflops: '0' is not a positive number; leave the"),
        ([HEADER, GOOD.replace("1.5", "nan")], "row 2: column fp32_tflops: 'nan' is not a positive number"),
        ([HEADER, GOOD.replace("high", "hihg")], "row 2: column confidence: 'hihg' is none of high, medium, low, none"),
        ([HEADER, GOOD.replace("both", "toast")], "row 2: column role: 'toast' is none of training"),
        ([HEADER, GOOD.replace("My Chip", "")], "row 2: column device: must not be empty"),
        ([HEADER, GOOD, GOOD], "row 3: column device: 'My Chip' is there twice"),
        ([HEADER, GOOD + ",more"], "row 2: has another number of cells than row 1"),
        ([HEADER, "My Chip,Me"], "row 2: has another number of cells than row 1"),
    ],
)
def test_a_wrong_table_is_named_by_row_and_column(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DeviceTableError) as caught:
        load_devices(written(tmp_path, *lines))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DeviceTableError, match="cannot be read"):
        load_devices(tmp_path / "absent.csv")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DeviceTableError, match="is not UTF-8"):
        load_devices(tmp_path / "bad.csv")
