"""Throttling by control groups: v1 and v2, in the own group or above it, and in containers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.guards.base import Roots, Unreadable
from harness.guards.cgroups import cpu_groups, quota_cpus
from harness.guards.throttling import CgroupThrottled
from tests.harness.guards.trees import scene, write

STAT = "nr_periods 10\nnr_throttled {}\nthrottled_time 0\n"
V1 = "9:name=systemd:/\n2:cpuacct:/\n1:cpu:/a/b\n0::/\n"
V1_JOINED = "4:memory:/x\n3:cpu,cpuacct:/a/b\n"
V2 = "0::/a/b\n"


def roots(folder: Path) -> Roots:
    return Roots(folder / "proc", folder / "sys", folder / "cgroup")


def tree(folder: Path, cgroup: str, stats: dict[str, str]) -> None:
    write(folder, {"proc/self/cgroup": cgroup, **{f"cgroup/{name}/cpu.stat": text for name, text in stats.items()}})


@pytest.mark.parametrize(
    ("cgroup", "extra", "own", "parent"),
    [
        (V1, {}, "cpu/a/b", "cpu/a"),
        (V1_JOINED, {}, "cpu,cpuacct/a/b", "cpu,cpuacct/a"),
        (V2, {"cgroup/cgroup.controllers": "cpu\n"}, "a/b", "a"),
        (V2, {}, "unified/a/b", "unified/a"),
    ],
    ids=["v1", "v1 joined", "v2", "v2 beside v1"],
)
@pytest.mark.parametrize("where", ["own", "parent", "nowhere"])
def test_throttling_in_the_own_group_or_above_fails(
    tmp_path: Path, cgroup: str, extra: dict[str, str], own: str, parent: str, where: str
) -> None:
    write(tmp_path, extra)
    tree(tmp_path, cgroup, {own: STAT.format(3), parent: STAT.format(8)})
    watch = CgroupThrottled(scene(tmp_path))
    watch.start()
    changed = {"own": {own: STAT.format(5)}, "parent": {parent: STAT.format(10)}, "nowhere": {}}[where]
    tree(tmp_path, cgroup, changed)
    guard = watch.stop()
    assert (guard.value, guard.verdict) == ((0, "PASS") if where == "nowhere" else (2, "FAIL"))


def test_in_a_container_the_hosts_path_does_not_exist_and_the_mount_is_the_own_group(tmp_path: Path) -> None:
    tree(tmp_path, "1:cpu:/docker/0123abc\n", {"cpu": STAT.format(0)})
    watch = CgroupThrottled(scene(tmp_path))
    watch.start()
    tree(tmp_path, "1:cpu:/docker/0123abc\n", {"cpu": STAT.format(1)})
    assert watch.stop().verdict == "FAIL"


def test_a_path_outside_of_the_namespace_ends_at_the_mount(tmp_path: Path) -> None:
    write(tmp_path, {"cgroup/cgroup.controllers": "cpu\n"})
    tree(tmp_path, "0::/../../elsewhere\n", {".": STAT.format(0)})
    assert cpu_groups(roots(tmp_path)) == [tmp_path / "cgroup"]


@pytest.mark.parametrize(
    ("cgroup", "stats", "reason"),
    [
        (None, {}, "self/cgroup cannot be read"),
        ("5:memory:/\n", {}, "names no group with a CPU controller"),
        (V2, {".": "usage_usec 5\n"}, "no control group that holds this process counts throttling"),
    ],
)
def test_unknown_where_nothing_counts(tmp_path: Path, cgroup: str | None, stats: dict[str, str], reason: str) -> None:
    write(tmp_path, {"cgroup/cgroup.controllers": "memory\n"})
    if cgroup is not None:
        tree(tmp_path, cgroup, stats)
    with pytest.raises(Unreadable, match=reason):
        CgroupThrottled(scene(tmp_path)).start()


def test_a_group_that_vanishes_meanwhile_is_unknown(tmp_path: Path) -> None:
    tree(tmp_path, V1, {"cpu/a/b": STAT.format(0)})
    watch = CgroupThrottled(scene(tmp_path))
    watch.start()
    (tmp_path / "cgroup/cpu/a/b/cpu.stat").unlink()
    with pytest.raises(Unreadable, match="at the start only"):
        watch.stop()


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.cfs_quota_us": "400000\n", "cpu.cfs_period_us": "100000\n"}, 4.0),
        ({}, math.inf),
    ],
)
def test_quotas(tmp_path: Path, files: dict[str, str], cpus: float) -> None:
    write(tmp_path, files)
    assert quota_cpus([tmp_path]) == cpus


@pytest.mark.parametrize(
    "files",
    [
        {"cpu.max": "nonsense"},
        {"cpu.max": "garbage here too"},
        {"cpu.max": ""},
        {"cpu.max": "50000 0"},
        {"cpu.cfs_quota_us": "400000\n"},
        {"cpu.cfs_quota_us": "many\n", "cpu.cfs_period_us": "100000\n"},
    ],
)
def test_a_quota_that_cannot_be_read_is_not_none(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    with pytest.raises(Unreadable, match=r"cpu\."):
        quota_cpus([tmp_path])
