"""Guard ``cpu_time_share``: on CPU devices, did the measuring thread have a CPU all the time?

On a CPU, an eager step computes in the calling thread, so with one thread its CPU time is its
wall time; less means that something else had the CPU (or that the step waited for a disk). With
several threads the calling thread may rightly sleep until the slowest one is done, so a low share
is a WARN only.
"""

from __future__ import annotations

from harness.guards.base import Watch, elapsed_ns, judge
from harness.guards.table import GUARD
from harness.guards.thread_count import num_threads
from results.records import Guard


class CpuTimeShare(Watch):
    """CPU time over wall time of the thread that calls ``start`` and ``stop``."""

    name = "cpu_time_share"

    def start(self) -> None:
        """See ``Watch``."""
        self._start_ns, self._start_cpu_ns = self.scene.now_ns(), self.scene.thread_time_ns()

    def stop(self) -> Guard:
        """See ``Watch``."""
        cpu_ns = self.scene.thread_time_ns() - self._start_cpu_ns
        share = cpu_ns / elapsed_ns(self._start_ns, self.scene.now_ns())
        self.facts["cpu_time_share"] = share
        threads = num_threads(self.scene.facts)
        reason = f"the measuring thread had a CPU for {share:.1%} of the time"
        if threads != 1:
            several = f"{threads} threads" if threads else "an unknown number of threads"
            reason += f"; with {several} it may wait for others"
        elif share < (GUARD[self.name].fail or 0.0):
            reason += ": noisy host"
        return judge(self.name, share, reason, can_fail=threads == 1)
