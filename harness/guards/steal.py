"""Guard ``steal``: CPU time that the hypervisor gave to other machines."""

from __future__ import annotations

from harness.guards.base import Unreadable, Watch, judge
from harness.guards.proc_stat import read_cpu_ticks, ticks_per_second
from harness.guards.table import GUARD
from results.records import Guard


class Steal(Watch):
    """Reads ``/proc/stat``; also notes how many CPUs other processes kept busy during the passes."""

    name = "steal"

    def start(self) -> None:
        """See ``Watch``."""
        self.facts["other_cpu_share"] = None
        self._start = read_cpu_ticks(self.scene.roots.proc)
        self._own_start_ns = self.scene.process_time_ns()

    def stop(self) -> Guard:
        """See ``Watch``."""
        own_s = (self.scene.process_time_ns() - self._own_start_ns) / 1e9
        end = read_cpu_ticks(self.scene.roots.proc)
        total, steal = end.total - self._start.total, end.steal - self._start.steal
        if total <= 0 or steal < 0:
            raise Unreadable("the CPU times of /proc/stat did not advance")
        others = (end.busy - self._start.busy) / ticks_per_second() - own_s
        # Of the CPU time there was; ticks and nanoseconds do not agree to the last digit.
        self.facts["other_cpu_share"] = max(0.0, others * ticks_per_second() / total)
        share = steal / total
        guard = judge(self.name, share, f"{share:.2%} of {total} ticks of CPU time were stolen")
        limit = GUARD[self.name].warn or 0.0
        if guard.verdict == "PASS" and 1 / total > limit:
            raise Unreadable(f"{total} ticks of CPU time are too few to see a share of {limit:.1%}")
        return guard
