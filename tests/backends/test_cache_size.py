"""The last-level cache, over a made-up /sys and made-up device properties."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.cache_size import accelerator_cache_bytes, cpu_cache_bytes

KIB, MIB = 2**10, 2**20


def add(folder: Path, cpu: int, index: int, level: int, size: str, shared: str) -> None:
    cache = folder / f"cpu{cpu}" / "cache" / f"index{index}"
    cache.mkdir(parents=True)
    for name, value in (("level", level), ("size", size), ("shared_cpu_list", shared)):
        (cache / name).write_text(f"{value}\n")


def test_each_last_level_cache_counts_once(tmp_path: Path) -> None:
    for cpu in range(4):
        add(tmp_path, cpu, 0, 1, "48K", str(cpu))
        add(tmp_path, cpu, 1, 2, "1024K", str(cpu))
        add(tmp_path, cpu, 2, 3, "32768K", "0-1" if cpu < 2 else "2-3")
    assert cpu_cache_bytes(tmp_path) == 64 * MIB


def test_without_a_third_level_the_second_is_the_last(tmp_path: Path) -> None:
    for cpu in range(4):
        add(tmp_path, cpu, 0, 1, "32K", str(cpu))
        add(tmp_path, cpu, 1, 2, "2M", "0-3")
    assert cpu_cache_bytes(tmp_path) == 2 * MIB


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert cpu_cache_bytes(tmp_path / "absent") is None
    add(tmp_path, 0, 0, 3, "lots", "0")
    (tmp_path / "cpu1" / "cache" / "index0").mkdir(parents=True)
    assert cpu_cache_bytes(tmp_path) is None
    add(tmp_path, 2, 0, 2, "512K", "2")
    assert cpu_cache_bytes(tmp_path) == 512 * KIB


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("cuda", SimpleNamespace(L2_cache_size=50 * MIB), 50 * MIB),
        ("cuda", SimpleNamespace(L2_cache_size=0), None),
        ("xpu", SimpleNamespace(last_level_cache_size=192 * MIB), 192 * MIB),
        ("mps", None, None),
        # Its L2 is not its last: the Infinity Cache is.
        ("rocm", SimpleNamespace(gcnArchName="gfx942:sramecc+:xnack-", L2_cache_size=4 * MIB), 256 * MIB),
        ("rocm", SimpleNamespace(gcnArchName="gfx1100", L2_cache_size=6 * MIB), None),
    ],
)
def test_accelerators(kind: str, properties: object, expected: int | None) -> None:
    assert accelerator_cache_bytes(kind, properties) == expected
