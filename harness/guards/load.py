"""Guard ``load_before``: was the machine busy before chipmark came?

The load average during a run counts chipmark's own cases, so the parent's reading from before the
run is used for all of them. What others do later is seen by ``run_queue_wait`` and ``cpu_pressure``.
"""

from __future__ import annotations

import os

from harness.guards.base import Unreadable, Watch, judge
from results.records import Guard


class LoadBefore(Watch):
    """The load average over the number of CPUs of the machine."""

    name = "load_before"

    def stop(self) -> Guard:
        """See ``Watch``."""
        before = self.scene.before
        load = before.load_1min if before else None
        self.facts["load_before_1min"] = load
        if load is None:
            raise Unreadable("the load average before the run is not known")
        num_cpus = os.cpu_count()
        if not num_cpus:
            raise Unreadable("the number of CPUs is not known")
        return judge(self.name, load / num_cpus, f"load average {load:.2f} on {num_cpus} CPUs before the run")
