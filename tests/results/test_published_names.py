"""Names as publishers write them: the row they are, or none with the reason."""

from __future__ import annotations

import msgspec
import pytest

from results.device_names import DRIVER_NAMES
from results.device_table import DeviceTable, load_devices
from results.published_names import ALIASES, BY_MEMORY, PARTS, match_published


@pytest.fixture(scope="module")
def table() -> DeviceTable:
    return load_devices()


FOUND = [
    # As in MLPerf Training 4.0 to 5.1 and MLPerf Inference 6.0.
    ("NVIDIA H100-SXM5-80GB", "H100"),
    ("NVIDIA H100 80GB HBM3", "H100"),
    ("NVIDIA H100-SXM-80GB", "H100"),
    ("NVIDIA H100-PCIe-80GB", "H100-PCIe"),
    ("NVIDIA H200-SXM-141GB", "H200"),
    ("NVIDIA H200-SXM5-141GB", "H200"),
    ("NVIDIA B200-SXM-180GB", "B200"),
    ("NVIDIA Blackwell GPU (B200-SXM-180GB)", "B200"),
    ("NVIDIA Blackwell GPU (GB200)", "GB200"),
    ("NVIDIA GB200", "GB200"),
    ("NVIDIA B300-SXM-270GB", "B300"),
    ("NVIDIA Blackwell Ultra GPU (B300-SXM-270GB)", "B300"),
    ("NVIDIA Blackwell Ultra GPU (GB300)", "GB300"),
    ("NVIDIA L4-PCIe-24GB", "L4"),
    ("NVIDIA L40S", "L40S"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTXPRO6000"),
    ("AMD Instinct MI300X 192GB HBM3", "MI300X"),
    ("AMD Instinct MI325X 256GB HBM3E", "MI325X"),
    ("AMD Instinct MI325X 256GB HBM3e", "MI325X"),
    ("AMD Instinct MI350X", "MI350X"),
    ("AMD Instinct MI355X 288GB HBM3e", "MI355X"),
    ("AMD Instinct MI355X 288GB HBM3e (x87)", "MI355X"),
    ("Intel(R) Gaudi(R) 2 AI Accelerator", "Gaudi2"),
    ("TPU-trillium", "TPU-v6e"),
    ("TPU-v5p", "TPU-v5p"),
    # As elsewhere.
    ("AMD Instinct MI300X-NPS1-SPX-192GB-750W", "MI300X"),
    ("8x NVIDIA H100-SXM-80GB", "H100"),
    ("NVIDIA H100-NVL-94GB", "H100-NVL"),
    ("NVIDIA A100-SXM-80GB", "A100-80GB"),
    ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
    ("NVIDIA A100-PCIe-80GB", "A100-PCIe-80GB"),
    ("NVIDIA A100 80GB PCIe", "A100-PCIe-80GB"),
    ("NVIDIA GH200 96GB", "GH200"),
    ("Intel Gaudi 2", "Gaudi2"),
    ("GB200", "GB200"),
    ("tpu-v5p", "TPU-v5p"),
    ("Google Cloud TPU v5e", "TPU-v5e"),
    ("Trillium/TPU v6e", "TPU-v6e"),
    ("AWS Trainium2", "Trainium2"),
]


@pytest.mark.parametrize(("name", "row"), FOUND)
def test_names_that_are_found(table: DeviceTable, name: str, row: str) -> None:
    found = match_published(table, name)
    assert found.row is not None, found.reason
    assert (found.row.device, found.reason) == (row, "")


NOT_FOUND = [
    ("N/A", "no accelerator is named"),
    ("", "no accelerator is named"),
    ("MI300X (x32), MI325X (x16)", "names several parts"),
    ("AMD Instinct MI300X 192GB HBM3 (x8) and AMD Instinct MI325X 256GB HBM3e (x8)", "names several parts"),
    ("NVIDIA H100", "does not say which version"),
    ("NVIDIA H100-SXM-96GB", "'96gb' is not in that row"),
    ("NVIDIA H100-PCIe-SXM-80GB", "several forms"),
    ("NVIDIA H100-SXM-80GB-400W", "'400w' is not in that row"),
    ("NVIDIA H100-SXM-80GB HBM2e", "'hbm2e' is not in that row"),
    ("NVIDIA H100-SXM-80GB MIG 1x1g.10gb", "'mig 1x1g.10gb' is not in that row"),
    ("NVIDIA H200-NVL-141GB", "'nvl' is another version"),
    # A custom thermal solution lets it draw more than the row's rated power.
    ("NVIDIA H200-SXM-141GB-CTS", "'cts' is not in that row"),
    ("NVIDIA A100-SXM4", "does not say both"),
    ("NVIDIA A100-80GB", "does not say both"),
    ("NVIDIA A100-PCIe-64GB", "does not say both"),
    ("NVIDIA GH200", "does not say both"),
    ("NVIDIA GH200 144GB", "does not say both"),
    ("NVIDIA Blackwell GPU (B300-SXM-270GB)", "is no name of a part"),
    ("NVIDIA L4-SXM-24GB", "'sxm' is another version"),
    ("NVIDIA V100-SXM3-32GB", "'sxm3' is another version"),
    ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "'Max-Q' in its name"),
    ("AMD Instinct MI355X 288GB HBM3e 1000W", "'1000w' is not in that row"),
    ("AMD Instinct MI325X 256GB HBM3e Power Cap 1000 W", "'power cap 1000 w' is not in that row"),
    ("AMD Instinct MI325X 256GB HBM3E DLC", "'dlc' is not in that row"),
    ("AMD Instinct MI300X-NPS4-CPX-192GB", "'nps4 cpx' is not in that row"),
    ("Intel(R) Arc Pro(R) B60", "is no name of a part"),
    ("TPU v5", "is no name of a part"),
    ("H800", "is no name of a part"),
]


@pytest.mark.parametrize(("name", "reason"), NOT_FOUND)
def test_names_that_are_not_found(table: DeviceTable, name: str, reason: str) -> None:
    found = match_published(table, name)
    assert found.row is None
    assert reason in found.reason


def test_every_name_here_leads_to_a_row_of_the_shipped_table(table: DeviceTable) -> None:
    named = {row for forms in PARTS.values() for row in forms.values()}
    named |= {row for forms in BY_MEMORY.values() for row in forms.values()} | set(ALIASES.values())
    assert named <= set(table.rows)


def test_a_drivers_name_is_the_same_part_in_a_publishers_table(table: DeviceTable) -> None:
    for row, names in DRIVER_NAMES.items():
        for name in names:
            found = match_published(table, name)
            assert found.row is table.rows[row], name


def test_a_part_that_is_not_in_the_table_is_none(table: DeviceTable) -> None:
    without = DeviceTable(table.path, table.sha256, {k: v for k, v in table.rows.items() if k != "H200"})
    assert match_published(without, "NVIDIA H200-SXM-141GB").row is None
    own = msgspec.structs.replace(table.rows["H200"], device="My chip 3")
    found = match_published(DeviceTable(table.path, "", {"My chip 3": own}), "my chip 3 (x4)")
    assert found.row is own
