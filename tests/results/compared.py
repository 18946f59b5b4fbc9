"""Sessions built by hand, so that every comparison can be foreseen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from results.comparability import case_keys
from results.compare import CompareOptions, compare
from results.comparison import CaseComparison, ComparisonReport
from results.records import CaseSpec
from results.session_case import Process, SessionCase
from tests.results.example_run import case

SPEC = case("llm-decoder", "prefill", "bf16", device="cuda:0")
# Logs of processes within a session, and of sessions: sds near 0.3 %, so that 5 % is seen and 0 is "same".
PROCESSES = (-0.003, -0.001, 0.0, 0.001, 0.003)
SESSIONS = (0.0, 0.002, -0.002, 0.001)


def process(replicate: int, log_time: float, metrics: Sequence[str] = ("mean_step_s",), **changes: Any) -> Process:
    time_s = 0.01 * math.exp(log_time)
    return Process(replicate=replicate, **(dict.fromkeys(metrics, time_s) | changes))


def session(name: str, log_time: float = 0.0, spec: CaseSpec = SPEC, **changes: Any) -> SessionCase:
    """One session of five processes; ``keys``, ``context`` and ``metrics`` add to the usual ones."""
    kind = changes.pop("device_kind", "cuda")
    keys = case_keys(spec) | {"device_kind": kind, "device_name": "H100"} | changes.pop("keys", {})
    metrics = changes.pop("metrics", ("mean_step_s",))
    fields: dict[str, Any] = {
        "case": spec, "session_id": name, "created_at": "2026-01-01T00:00:00+00:00",
        "host_id": "h", "device_kind": kind, "keys": keys, "context": {"driver": "560", "host_id": "h"},
        "processes": tuple(process(i, log_time + y, metrics) for i, y in enumerate(PROCESSES)),
    }  # fmt: skip
    fields["context"] = fields["context"] | changes.pop("context", {})
    return SessionCase(**(fields | changes))


def base(number: int = 3, **changes: Any) -> list[SessionCase]:
    """A baseline of so many sessions, two hours apart."""
    times = [f"2026-01-01T{2 * i:02}:00:00+00:00" for i in range(number)]
    return [session(f"base{i}", SESSIONS[i], **({"created_at": times[i]} | changes)) for i in range(number)]


def new(change: float = 0.0, **changes: Any) -> list[SessionCase]:
    """A candidate of one session whose times are changed by this share."""
    return [session("new", math.log1p(change), **changes)]


def report(candidate: Sequence[SessionCase], baseline: Sequence[SessionCase], **options: Any) -> ComparisonReport:
    return compare(candidate, baseline, CompareOptions(**options))


def only(found: ComparisonReport) -> CaseComparison:
    (row,) = found.rows
    return row
