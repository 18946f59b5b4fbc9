"""How long each provider took in every profiled run of a session.

Sources: what ONNX Runtime's profiler writes (Chrome trace format, microseconds), seen in 1.24 and 1.32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Nodes that only run others: their time is that of the nodes in them, which have events of their own.
CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
# Nodes that ONNX Runtime puts in between providers. They are listed under the device's provider, which did not
# compute anything, and on a device that only enqueues their time is mostly waiting for what was enqueued before.
COPIES = frozenset({"MemcpyFromHost", "MemcpyToHost"})

Event = Mapping[str, Any]


@dataclass(frozen=True)
class RunTimes:
    """Time within the kernels of one run, in microseconds.

    Attributes:
        by_provider: provider -> sum over its nodes. A fused subgraph is one node.
        copies: sum over the nodes that copy between host and device.
    """

    by_provider: Mapping[str, int]
    copies: int

    def share(self, provider: str) -> float | None:
        """The part of ``provider`` in the time of all providers, copies left out; None where that is 0."""
        whole = sum(self.by_provider.values())
        return self.by_provider.get(provider, 0) / whole if whole else None


def split_runs(events: Sequence[Event]) -> list[list[Event]]:
    """The events of nodes, one list for each run, in the order of the runs."""
    runs: list[list[Event]] = [[]]
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            runs[-1].append(event)
        elif event.get("cat") == "Session" and name == "model_run":  # written when the run is over
            runs.append([])
    return [run for run in runs if run]


def run_times(run: Sequence[Event]) -> RunTimes:
    """The times of one run, from the events of its nodes."""
    times: Counter[str] = Counter()
    copies = 0
    for event in run:
        op, took = str(event["args"]["op_name"]), int(event.get("dur", 0))
        if op in COPIES:
            copies += took
        elif op not in CONTROL_FLOW:
            times[str(event["args"]["provider"])] += took
    return RunTimes(dict(sorted(times.items())), copies)
