"""Where a case ran, from the fact ``placement`` of its replicates: shares on the execution provider asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from results.records import Measurement

# Field of a case's summary -> key of the fact.
SHARES = {
    "provider_time_share": "share_of_time",
    "provider_node_share": "share_of_nodes",
    "provider_work_share": "share_of_work",
}
NO_PLACEMENT = "the backend does not tell where its kernels ran"
# Nothing else is there to run on, so there is nothing to be said.
PLAIN_PROVIDER = "CPUExecutionProvider"

Fields = dict[str, Any]


def placement_fields(replicates: Sequence[Measurement]) -> Fields:
    """The least share of any replicate, and what that of the least share of time left on the CPU."""
    found = list(_placements(replicates))
    if not found:
        return {f"{name}_reason": NO_PLACEMENT for name in SHARES}
    fields: Fields = {"execution_provider": str(found[0].get("asked", "")) or None}
    for name, key in SHARES.items():
        shares = [share for placement in found if (share := _share(placement, key)) is not None]
        whole = len(shares) == len(replicates)
        fields[name] = min(shares) if whole else None
        fields[f"{name}_reason"] = "" if whole else "not told by ONNX Runtime in every process"
    worst = min(found, key=lambda placement: _least(placement))
    fields["left_on_cpu"] = _listed(worst.get("left_on_cpu"))
    return fields


def _placements(replicates: Sequence[Measurement]) -> Iterator[Mapping[str, object]]:
    for measurement in replicates:
        placement = measurement.facts.get("placement")
        if isinstance(placement, Mapping):
            yield placement


def _share(placement: Mapping[str, object], key: str) -> float | None:
    value = placement.get(key)
    return float(value) if isinstance(value, int | float) else None


def _least(placement: Mapping[str, object]) -> float:
    return min((share for key in SHARES.values() if (share := _share(placement, key)) is not None), default=1.0)


def _listed(ops: object) -> str:
    """``MatMul 2, Relu 1``."""
    return ", ".join(f"{op} {number}" for op, number in ops.items()) if isinstance(ops, Mapping) else ""
