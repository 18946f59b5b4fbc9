"""Where the nodes of a session really are: as ONNX Runtime assigned them, before fusions."""

from __future__ import annotations

from collections import Counter
from typing import Any

RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"


def assignment(session: Any) -> dict[str, int] | str:
    """Nodes on each provider as partitioned (before fusions), or why that is unknown.

    The session must have been made with ``RECORD_ASSIGNMENT`` "1".
    """
    read = getattr(session, "get_provider_graph_assignment_info", None)
    if read is None:
        return "unknown: this version of ONNX Runtime does not tell (1.24 does)"
    counts: Counter[str] = Counter()
    for subgraph in read():
        counts[subgraph.ep_name] += len(subgraph.get_nodes())
    return dict(sorted(counts.items()))
