"""Where the nodes of a session are, as ONNX Runtime assigned them: before fusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

CPU_PROVIDER = "CPUExecutionProvider"
RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"

# Provider -> operator -> number of nodes; operators outside of ONNX's own domain as "domain.op".
Assignment = Mapping[str, Mapping[str, int]]


def assignment(session: Any) -> Assignment | str:
    """Nodes on each provider by operator, or why that is unknown.

    The session must have been made with ``RECORD_ASSIGNMENT`` "1". Nodes of subgraphs count beside the
    node that holds them.
    """
    read = getattr(session, "get_provider_graph_assignment_info", None)
    if read is None:
        return "this version of ONNX Runtime does not tell (1.24 does)"
    found: dict[str, Counter[str]] = {}
    for subgraph in read():
        ops = found.setdefault(subgraph.ep_name, Counter())
        ops.update(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in subgraph.get_nodes())
    if not found:
        return "ONNX Runtime lists no node"
    return {provider: dict(sorted(ops.items())) for provider, ops in sorted(found.items())}
