"""Guard ``thread_count``: more threads than CPUs make threads wait for each other (CPU devices)."""

from __future__ import annotations

from collections.abc import Mapping

from harness.guards.base import Unreadable, Watch, judge
from harness.guards.cgroups import cpu_groups, quota_cpus
from results.records import Guard


class ThreadCount(Watch):
    """Threads within one operator over the CPUs that affinity and control groups leave."""

    name = "thread_count"

    def stop(self) -> Guard:
        """See ``Watch``."""
        threads = num_threads(self.scene.facts)
        if threads is None:
            raise Unreadable("the backend does not tell how many threads it uses")
        allowed = self.scene.affinity()
        if allowed is None:
            raise Unreadable("this system does not tell on which CPUs a process may run")
        try:
            groups = cpu_groups(self.scene.roots)
        except Unreadable:  # no control groups: no quota
            groups = []
        usable = min(float(len(allowed)), quota_cpus(groups))
        self.facts |= {"num_threads": threads, "num_usable_cpus": usable}
        return judge(self.name, threads / usable, f"{threads} threads on {usable:g} usable CPUs")


def num_threads(facts: Mapping[str, object]) -> int | None:
    """Threads within one operator, the calling one included, as the step's facts tell; None if they do not.

    torch tells the number; of ONNX Runtime's pool it is counted how many threads it started beside
    the calling one.
    """
    threads, started = facts.get("threads"), facts.get("threads_started")
    if isinstance(threads, int) and threads > 0:
        return threads
    return started + 1 if isinstance(started, int) else None
