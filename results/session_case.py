"""One case in one session, as comparisons see it: processes, and what must match.

A session is one ``chipmark run`` (or one session of a stored baseline): its processes share a
boot, a machine and an hour. Comparisons replicate over sessions and processes, never over steps.
"""

from __future__ import annotations

from typing import Literal

from results.record import Record, Scalar
from results.records import CaseSpec, Scenario, Status
from results.selfcheck_record import SelfCheck


class StepEnergy(Record, frozen=True, kw_only=True):
    """What stands behind the energy of a process's step, or why it has none.

    ``why_not`` holds ``name: reason`` of each guard or gap that takes it away; it is empty where
    nothing does. Uncertainties are relative half-widths of 95 % intervals.
    """

    scenario: Scenario | None = None  # the pass that was metered
    scope: str | None = None
    source: str | None = None
    method: str | None = None
    device_id: str | None = None
    u_window: float | None = None
    u_sensor: float | None = None
    why_not: tuple[str, ...] = ()


class Process(Record, frozen=True, kw_only=True):
    """One process. Times in seconds; None where that scenario was not measured.

    ``step_j`` is the energy of a step in joules, None where it is no evidence (``energy`` says why).
    """

    replicate: int
    mean_step_s: float | None = None  # of the throughput windows
    median_s: float | None = None  # of single synced steps, steady part
    p99_s: float | None = None
    step_j: float | None = None
    energy: StepEnergy | None = None  # None: nobody asked for it
    failed_guards: tuple[str, ...] = ()  # "name: reason" of each guard on the machine that FAILed


class SessionCase(Record, frozen=True, kw_only=True):
    """One case in one session.

    ``keys`` must be equal for two of these to be comparable; a difference in ``context`` is
    told beside the verdict. ``problem`` says why there is nothing to compare, if so; ``left_out``
    says it of single processes ("replicate 2: why"). ``status`` is that of the worst process.
    """

    case: CaseSpec
    session_id: str
    created_at: str  # ISO 8601, UTC
    host_id: str
    device_kind: str
    keys: dict[str, Scalar]
    context: dict[str, Scalar]
    processes: tuple[Process, ...]
    problem: str = ""
    status: Status | Literal["missing"] = "ok"
    ended_well: bool = False  # whether any process did, evidence or not
    left_out: tuple[str, ...] = ()
    functional_only: str = ""  # why the times are not those of a chip, if so: there is no verdict on them
    # Metrics that count for the exit code, as the baseline declares them; None: the default.
    gating: tuple[str, ...] | None = None
    selfcheck: SelfCheck | None = None
