"""Guard ``load_before``: was the machine busy when chipmark came?

The load average during a run counts chipmark's own cases, so the parent's reading from before the
run is used for all of them. It still remembers a run that has just ended, chipmark's own included;
so the threads that were runnable at that moment are looked at too, and the smaller number counts. What
others do later is seen by ``run_queue_wait`` and ``cpu_pressure``.
"""

from __future__ import annotations

import os

from harness.guards.base import Unreadable, Watch, judge
from results.records import Guard


class LoadBefore(Watch):
    """The load over the number of CPUs of the machine."""

    name = "load_before"

    def stop(self) -> Guard:
        """See ``Watch``."""
        before = self.scene.before
        load, runnable = (before.load_1min, before.num_runnable) if before else (None, None)
        self.facts |= {"load_before_1min": load, "num_runnable_before": runnable}
        if load is None:
            raise Unreadable("the load average before the run is not known")
        num_cpus = os.cpu_count()
        if not num_cpus:
            raise Unreadable("the number of CPUs is not known")
        text = f"load average {load:.2f} on {num_cpus} CPUs before the run"
        if runnable is not None:
            text += f", {runnable:.1f} threads of others runnable"
        return judge(self.name, min(load, load if runnable is None else runnable) / num_cpus, text)
