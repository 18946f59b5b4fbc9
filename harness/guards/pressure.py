"""Guard ``cpu_pressure``: pressure stall information of the CPUs (Linux 4.20)."""

from __future__ import annotations

import re

from harness.guards.base import Unreadable, Watch, elapsed_ns, judge, read_text
from results.records import Guard


class CpuPressure(Watch):
    """The share of time in which some task waited for a CPU, from the running total, in microseconds."""

    name = "cpu_pressure"

    def start(self) -> None:
        """See ``Watch``."""
        self._start_us, self._start_ns = self._read(), self.scene.now_ns()

    def stop(self) -> Guard:
        """See ``Watch``."""
        wall_ns = elapsed_ns(self._start_ns, self.scene.now_ns())
        share = (self._read() - self._start_us) * 1000 / wall_ns
        if share < 0:
            raise Unreadable("the total of /proc/pressure/cpu went back")
        return judge(self.name, share, f"some task of the machine waited for a CPU in {share:.1%} of the time")

    def _read(self) -> int:
        path = self.scene.roots.proc / "pressure" / "cpu"
        found = re.search(r"^some .*\btotal=(\d+)", read_text(path), re.MULTILINE)
        if found is None:
            raise Unreadable(f"{path} has no total of 'some'")
        return int(found[1])
