"""Guard ``run_queue_wait``: time the worker's threads were ready to run, but had no CPU.

Steal and load miss a busy neighbour in the same machine; this sees it: 1.0 s of work that took
2.05 s had no steal at all, but 51 % run-queue wait. All threads count, and the worst one decides,
because a step of many threads ends when its last thread does.
"""

from __future__ import annotations

from harness.guards.base import Unreadable, Watch, elapsed_ns, judge
from results.records import Guard


class RunQueueWait(Watch):
    """Reads ``schedstat`` of every thread: nanoseconds on a CPU, nanoseconds waiting, time slices."""

    name = "run_queue_wait"

    def start(self) -> None:
        """See ``Watch``."""
        self._start, self._start_ns = self._read(), self.scene.now_ns()

    def stop(self) -> Guard:
        """See ``Watch``."""
        wall_ns = elapsed_ns(self._start_ns, self.scene.now_ns())
        end = self._read()
        if not any(on_cpu for on_cpu, _ in end.values()):
            raise Unreadable("the kernel keeps no schedstat: every thread's CPU time is 0")
        waits = {tid: wait - self._start.get(tid, (0, 0))[1] for tid, (_, wait) in end.items()}
        worst = max(waits, key=lambda tid: waits[tid])
        share = max(0.0, waits[worst] / wall_ns)
        reason = f"the worst of {len(end)} threads waited {share:.1%} of {wall_ns / 1e9:.3g} s for a CPU"
        return judge(self.name, share, reason)

    def _read(self) -> dict[str, tuple[int, int]]:
        """Thread id -> (CPU time, waiting time) in ns."""
        folder = self.scene.roots.proc / "self" / "task"
        found = {}
        for path in folder.glob("*/schedstat"):
            try:
                on_cpu, waiting = path.read_text().split()[:2]
                found[path.parent.name] = (int(on_cpu), int(waiting))
            except (OSError, ValueError):  # a thread that has just ended
                continue
        if not found:
            raise Unreadable(f"no schedstat under {folder}")
        return found
