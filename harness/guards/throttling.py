"""Guard ``cgroup_throttled``: a CPU quota stopped the worker in the middle of its passes."""

from __future__ import annotations

from pathlib import Path

from harness.guards.base import Unreadable, Watch, judge
from harness.guards.cgroups import cpu_groups, throttled_periods
from results.records import Guard


class CgroupThrottled(Watch):
    """Compares ``nr_throttled`` of every group that holds the worker; any of them may stop it."""

    name = "cgroup_throttled"

    def start(self) -> None:
        """See ``Watch``."""
        counts = {folder: throttled_periods(folder) for folder in cpu_groups(self.scene.roots)}
        self._start = {folder: count for folder, count in counts.items() if count is not None}
        if not self._start:
            raise Unreadable("no control group that holds this process counts throttling (no CPU controller in sight)")

    def stop(self) -> Guard:
        """See ``Watch``."""
        counts = {folder: self._since(folder, before) for folder, before in self._start.items()}
        worst = max(counts, key=lambda folder: counts[folder])
        text = f"{counts[worst]} periods throttled (the own group and its parents: {len(counts)} count them)"
        return judge(self.name, counts[worst], text)

    def _since(self, folder: Path, before: int) -> int:
        now = throttled_periods(folder)
        if now is None or now < before:
            raise Unreadable(f"{folder / 'cpu.stat'} could be read at the start only")
        return now - before
