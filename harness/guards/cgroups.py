"""The control groups that hold the worker, with their CPU controllers: cgroup v1 and v2.

``/proc/self/cgroup`` names the own group in each hierarchy. In a container without a cgroup
namespace it is a path of the host that does not exist inside; walking up from it ends at the mount,
which is then the container's own group.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

from harness.guards.base import Roots, Unreadable, read_text


def cpu_groups(roots: Roots) -> list[Path]:
    """Folders of the own group and its parents in every hierarchy that may limit CPU time, innermost first.

    Raises:
        Unreadable: the own groups cannot be found.
    """
    path = roots.proc / "self" / "cgroup"
    folders: list[Path] = []
    for line in read_text(path).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        for mount in _mounts(roots.cgroup, number, controllers.split(",")):
            folders += [folder for folder in _upwards(mount, group) if folder.is_dir()]
    if not folders:
        raise Unreadable(f"{path} names no group with a CPU controller under {roots.cgroup}")
    return list(dict.fromkeys(folders))


def _mounts(root: Path, number: str, controllers: list[str]) -> list[Path]:
    """Where a hierarchy is mounted, by the usual places."""
    if number == "0" and controllers == [""]:  # v2, alone or beside v1
        return [root] if (root / "cgroup.controllers").exists() else [root / "unified"]
    if "cpu" not in controllers:
        return []
    names = dict.fromkeys((",".join(controllers), "cpu", "cpu,cpuacct", "cpuacct,cpu"))
    return [next((root / name for name in names if (root / name).is_dir()), root / "cpu")]


def _upwards(mount: Path, group: str) -> list[Path]:
    inside = PurePosixPath(group.removesuffix(" (deleted)")).relative_to("/") if group.startswith("/") else None
    if inside is None or ".." in inside.parts:  # outside of what this cgroup namespace shows
        return [mount]
    return [mount / part for part in (inside, *inside.parents)]


def throttled_periods(folder: Path) -> int | None:
    """``nr_throttled`` of a group: periods in which it used up its quota; None if it has no quota to count."""
    try:
        text = (folder / "cpu.stat").read_text()
    except OSError:
        return None
    pairs = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(pairs["nr_throttled"]) if "nr_throttled" in pairs else None


def quota_cpus(folders: list[Path]) -> float:
    """The smallest CPU quota of these groups in CPUs; infinity where none is set.

    Raises:
        Unreadable: a group has a quota that cannot be read.
    """
    return min((_quota(folder) for folder in folders), default=math.inf)


def _quota(folder: Path) -> float:
    files = [folder / "cpu.max"]  # v2: "max 100000" or "<quota> <period>"
    if not files[0].exists():
        files = [folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"]
        if not files[0].exists():  # the root group, and groups without a CPU controller, have none
            return math.inf
    words = [word for file in files for word in read_text(file).split()]
    try:
        quota, period = words
        limit = math.inf if quota == "max" else int(quota) / int(period)
    except (ValueError, ArithmeticError) as error:
        raise Unreadable(f"{files[0]} holds no CPU quota: {' '.join(words)[:40]!r}") from error
    return limit if limit > 0 else math.inf  # v1: -1 is no quota
