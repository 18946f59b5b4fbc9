"""Whether a case ran on the execution provider that it was asked for, by two sources that do not know of each other.

The provider list of a session is no evidence: a provider that cannot be created is left out of it with a warning,
and one that is in it may have taken no node. ONNX Runtime's own assignment says where each node was put; the
profile says which kernels ran, and how long. A case counts as run on its provider where both agree that it did.

Time alone would let through what a slow provider hides: half of the work done by the CPU in a hundredth of the
time. So the matrix work that is left elsewhere counts too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.onnxruntime_assignment import Assignment
from backends.onnxruntime_audit import Audit, multiplies
from backends.onnxruntime_run_times import RunTimes

# Least part of the time, and of the matrix work, on the provider that was asked for.
MIN_SHARE = 0.95
# More would not make a line easier to read; the facts hold all.
MAX_OPS_TOLD = 6


@dataclass(frozen=True)
class Placement:
    """What is known of where a case ran.

    Attributes:
        asked: the provider.
        opened_with: the providers of the timed session, as it lists them.
        assigned: where the timed session's nodes were put, or why that is not known.
        audit: what ran, from the profile of a session like it.
        flops: of one step by the workload's definition; None where it is not known.
        min_share: least part of time and of matrix work, 0 to 1.
    """

    asked: str
    opened_with: Sequence[str]
    assigned: Assignment | str
    audit: Audit
    flops: float | None = None
    min_share: float = MIN_SHARE

    def facts(self) -> dict[str, object]:
        """The fact ``placement``; shares are 0 to 1, None where neither source tells them."""
        nodes, run = self._nodes(), self._median_run()
        whole = (sum(run.by_provider.values()) + run.copies) if run else 0
        problem = self._problem()
        return {
            "placement": {
                "asked": self.asked,
                "ok": not problem,
                "evidence": f"{problem}: {self._evidence()}" if problem else self._evidence(),
                "min_share": self.min_share,
                "share_of_time": self._share_of_time(),
                "share_of_nodes": self._share_of_nodes(),
                "share_of_work": self._share_of_work(),
                "nodes_by_provider": dict(nodes) if nodes is not None else None,
                "time_by_provider": {name: t / whole for name, t in run.by_provider.items()} if run else None,
                "time_in_copies": run.copies / whole if run else None,
                "left_on_cpu": dict(self._left()),
                "num_profiled_runs": len(self.audit.runs),
                "disagreement": self._disagreement(),
            }
        }

    def _problem(self) -> str:
        """Why this may be another provider's speed, or ""."""
        time, nodes, work = self._share_of_time(), self._share_of_nodes(), self._share_of_work()
        if self.asked not in self.opened_with:
            return f"ONNX Runtime opened the session without {self.asked}"
        if time is None and nodes is None:
            # Nothing else was there to run anything.
            return "" if len(self.opened_with) == 1 else "cannot be excluded, for neither source tells where it ran"
        if nodes == 0:
            return f"no node is on {self.asked}"
        if time is None:
            return "" if nodes == 1 else "cannot be excluded, for the profile tells no times"
        if time < self.min_share:
            return f"less than {percent(self.min_share)} of the time"
        if work is not None and work < self.min_share:
            return f"less than {percent(self.min_share)} of the matrix work"
        return ""

    def _evidence(self) -> str:
        """Shares on the provider, what is left elsewhere, and by which source."""
        time, nodes, work = self._share_of_time(), self._nodes(), self._share_of_work()
        parts = []
        if time is not None:
            parts.append(f"{percent(time)} of the time")
        if nodes is not None:
            parts.append(f"{nodes.get(self.asked, 0)} of {sum(nodes.values())} nodes")
        if work is not None and work < 1:
            parts.append(f"{percent(work)} of the matrix work")
        text = f"{' and '.join(parts)} on {self.asked}" if parts else f"the session lists {', '.join(self.opened_with)}"
        if self._left():
            text += f"; left on the CPU: {told_ops(self._left())}"
        return "; ".join(filter(None, (text, *self._gaps(), self._disagreement())))

    def _gaps(self) -> list[str]:
        gaps = [f"graph assignment not known: {self.assigned}"] if isinstance(self.assigned, str) else []
        return gaps if self._median_run() else [*gaps, "times not known: the profile holds no kernel"]

    def _nodes(self) -> Mapping[str, int] | None:
        if isinstance(self.assigned, str):
            return None
        return {provider: sum(ops.values()) for provider, ops in self.assigned.items()}

    def _share_of_nodes(self) -> float | None:
        nodes = self._nodes()
        return nodes.get(self.asked, 0) / sum(nodes.values()) if nodes else None

    def _median_run(self) -> RunTimes | None:
        """Of the runs that took any time, the one whose share is the median: its parts add up."""
        runs = [(share, run) for run in self.audit.runs if (share := run.share(self.asked)) is not None]
        if not runs:
            return None
        return sorted(runs, key=lambda pair: pair[0])[len(runs) // 2][1]

    def _share_of_time(self) -> float | None:
        if self.audit.providers.keys() == {self.asked}:  # of one provider, also where all took less than the tick
            return 1.0
        run = self._median_run()
        return run.share(self.asked) if run else None

    def _share_of_work(self) -> float | None:
        """By the FLOPs of the matrix kernels that ran elsewhere; by the number of nodes where those are not known."""
        left = [kernel for kernel in self.audit.matrix_kernels if kernel.provider != self.asked]
        if self.audit.providers and not left:
            return 1.0
        known = sum(kernel.flops or 0 for kernel in left)
        if left and self.flops and all(kernel.flops is not None for kernel in left):
            return 1 - min(1.0, known / self.flops)
        if isinstance(self.assigned, str):
            return None
        products = {name: sum(n for op, n in ops.items() if multiplies(op)) for name, ops in self.assigned.items()}
        whole = sum(products.values())
        return products.get(self.asked, 0) / whole if whole else 1.0

    def _left(self) -> Mapping[str, int]:
        """Operator -> nodes that are not on the provider; with one asked for, they are on the CPU. Most first."""
        found: Counter[str] = Counter()
        placed = self.audit.ops_by_provider if isinstance(self.assigned, str) else self.assigned
        for provider, ops in placed.items():
            found.update(ops if provider != self.asked else {})
        return dict(found.most_common())

    def _disagreement(self) -> str:
        """Where one source has a provider run something, and the other does not."""
        nodes, ran = self._nodes(), self.audit.providers
        if nodes is None or not ran:
            return ""
        said = [
            f"{number} nodes are assigned to {provider}, but the profile shows none there"
            for provider, number in nodes.items()
            if provider not in ran
        ]
        said += [
            f"the profile shows {number} kernels on {provider}, but no node is assigned to it"
            for provider, number in ran.items()
            if provider not in nodes
        ]
        return "; ".join(said)


def told_ops(ops: Mapping[str, int]) -> str:
    """``MatMul 2, Relu 1``; of many, the first."""
    shown = ", ".join(f"{op} {number}" for op, number in list(ops.items())[:MAX_OPS_TOLD])
    return shown + (f" and {len(ops) - MAX_OPS_TOLD} more" if len(ops) > MAX_OPS_TOLD else "")


def percent(share: float) -> str:
    """In percent, rounded down: what is short of a limit never reads as if it reached it."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:g}%"
