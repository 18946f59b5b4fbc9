"""The child process: measures one replicate of one case and streams what it finds.

Order of stages: open the device, ask for support, reference outputs, prepare, numerics gate
(its first step is the first call), idle power (once a device, where a meter reads it), warm up,
measure, finish. Each stage is announced before it begins, so that whatever ends the worker, the
parent knows where. Guards watch the timed passes; FLOPs are counted last, after the final status,
so that even a crash there costs nothing.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from backends import REGISTRY as BACKENDS
from backends.base import GATE_STEPS, Backend, Step, gate_is_enough
from harness import numerics
from harness.clock import Clock, HostClock
from harness.error_text import one_line
from harness.guards.base import Scene
from harness.guards.flops import flops_guard
from harness.guards.guard_set import GuardSet, attempt
from harness.isolation import isolate, peak_memory_bytes, reset_peak_memory
from harness.messages import Event, Task
from harness.meters.metered import DeviceMeters
from harness.passes import Passes, measure_idle
from harness.timed_loop import Position
from harness.warmup import warm_up
from results.energy_record import IdlePower
from results.errors import BackendUnavailable, ChipmarkError
from results.records import CaseSpec, Device, Guard, Memory, Numerics, Stage, Work
from workloads import REGISTRY as WORKLOADS
from workloads.base import Workload

RESERVED_FACTS = ("export_s", "peak_memory_bytes", "peak_memory_scope")
# Messages by which allocators say "out of memory" without raising a dedicated type.
OOM_TEXTS = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory",
    "failed to allocate memory", "bad_alloc", "unable to allocate",
    # QNN; OpenCL and Level Zero (OpenVINO's GPU); HIP and DirectML write the words as one.
    "mem_alloc", "cl_out_of_resources", "cl_mem_object_allocation_failure", "out_of_device_memory",
    "out_of_host_memory", "outofmemory",
)  # fmt: skip


def main(connection: Connection, task_bytes: bytes) -> None:
    """Entry point of the child process."""
    task = msgspec.msgpack.decode(task_bytes, type=Task)
    isolate(task.log_path)
    run_task(task, PipeReporter(connection), HostClock())
    connection.close()
    # Skip interpreter teardown: device runtimes are known to hang there, and all is reported.
    os._exit(0)


class PipeReporter:
    """Sends events to the parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, **news: Any) -> None:
        """Send an :class:`Event` with these fields."""
        self._connection.send_bytes(msgspec.msgpack.encode(Event(**news), enc_hook=_plain))


def run_task(task: Task, reporter: Any, clock: Clock) -> None:
    """Measure ``task.case``; every outcome, good or bad, ends in one event with a status."""
    try:
        CaseRun(task, reporter, clock).run()
    except CaseEnd as end:
        reporter.send(status=end.status, reason=end.reason)
    except BackendUnavailable as error:
        reporter.send(status="unsupported", reason=str(error))
    except MemoryError as error:
        reporter.send(status="out_of_memory", reason=one_line(error) or "MemoryError")
    except Exception as error:
        status = "out_of_memory" if _is_out_of_memory(error) else "failed"
        reason = str(error) if isinstance(error, ChipmarkError) else f"{type(error).__name__}: {one_line(error)}"
        reporter.send(status=status, reason=reason, detail=traceback.format_exc())


class CaseEnd(Exception):
    """The case ends here, as planned, with a status and a reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class CaseRun:
    """One replicate, stage by stage."""

    def __init__(self, task: Task, reporter: Any, clock: Clock) -> None:
        self.case, self.spec, self.clock, self.reporter = task.case, task.measure, clock, reporter
        self.workload: Workload = WORKLOADS.get(self.case.workload)
        self.backend: Backend = BACKENDS.get(self.case.backend)
        self.work: Work = self.workload.work(self.case.preset, self.case.phase, self.case.batch_size, self.case.shape)
        self.position = Position(self.work.steps)
        self.before, self.idle = task.before, task.idle
        self.guards: tuple[Guard, ...] = ()

    def run(self) -> None:
        """All stages; ends by returning after the final event, or by an exception."""
        self._stage("open", work=self.work, clock=self.clock.name)
        device = find_device(self.backend, self.case)
        self._stage("support")
        support = self.backend.supports(self.workload, self.case, device)
        self.reporter.send(support=support)
        if support.level == "unsupported":
            raise CaseEnd("unsupported", support.reason)
        self._stage("reference")
        reference = self.backend.reference(self.workload, self.case, device)
        step = self._prepare(device)
        verdict = self._gate(step, reference)
        self._measure(step, device)
        self._finish(step, verdict)
        self._count_flops(step)

    def _stage(self, stage: Stage, **news: Any) -> None:
        self.reporter.send(stage=stage, **news)

    def _prepare(self, device: Device) -> Step:
        self._stage("prepare")
        reset_peak_memory()
        start = self.clock.now_ns()
        step = self.backend.prepare(self.workload, self.case, device)
        step.sync()
        seconds = (self.clock.now_ns() - start) / 1e9
        self.reporter.send(prepare_s=seconds, export_s=step.facts.get("export_s"), facts=plain_facts(step))
        return step

    def _gate(self, step: Step, reference: tuple[str, Mapping[str, Any]] | None) -> Numerics:
        self._stage("numerics")
        outputs: list[dict[str, Any]] = []
        while len(outputs) < GATE_STEPS[self.case.phase] and not gate_is_enough(outputs):
            i = self.position.take(1)
            start = self.clock.now_ns()
            step.run(i)
            step.sync()
            if not outputs:
                self.reporter.send(first_step_s=(self.clock.now_ns() - start) / 1e9)
            outputs.append(dict(step.outputs()))
        verdict = numerics.judge(self.case, outputs, reference, self.workload.spec.has_top1)
        self.reporter.send(numerics=verdict)
        return verdict

    def _measure(self, step: Step, device: Device) -> None:
        meters = DeviceMeters(device, self.spec.energy, self.reporter.send)
        idle = self._idle_power(meters)
        watched = self._watch(step, device)  # may take long, and the device is to be warm afterwards
        self._stage("warmup")
        warm = warm_up(step, self.clock, self.position, self.spec)
        self.reporter.send(warmup=warm.record, warmup_ns=warm.samples.tobytes())
        self._stage("measure")
        passes = Passes(step, self.clock, self.position, self.spec, self.reporter.send, watched, meters, idle)
        passes.run(self.case.scenarios, warm.step_ns)
        self.guards = passes.guards()
        self.reporter.send(guards=self.guards, machine=watched.machine)

    def _idle_power(self, meters: DeviceMeters) -> tuple[IdlePower, ...]:
        """As an earlier worker found it on this device, else measured now, when the context is open."""
        if self.idle is None and meters.names and self.spec.energy_idle_seconds > 0:
            self._stage("idle")
            self.idle = measure_idle(meters, self.spec.energy_idle_seconds, self.clock, self.reporter.send)
            self.reporter.send(idle=self.idle)
        return self.idle or ()

    def _watch(self, step: Step, device: Device) -> GuardSet:
        def own_bytes() -> int | None:
            peak = step.facts.get("peak_memory_bytes")
            return peak if isinstance(peak, int) else None

        return GuardSet(Scene(device, step.facts, self.before, own_device_bytes=own_bytes))

    def _finish(self, step: Step, verdict: Numerics) -> None:
        self._stage("finish")
        facts = plain_facts(step)
        self.reporter.send(facts=facts, memory=peak_memory(step))
        placement = facts.get("placement")
        if isinstance(placement, Mapping) and placement.get("ok") is False:  # what comes first explains the others
            raise CaseEnd("invalid", f"fallback: {placement.get('evidence', '')}")
        if facts.get("precision_honoured") is False:
            evidence = facts.get("precision_evidence", "")
            raise CaseEnd("invalid", f"{self.case.precision} was asked for but not executed: {evidence}")
        if verdict.verdict == "fail":
            raise CaseEnd("invalid", f"numerics: {verdict.reason}")
        self.reporter.send(status="ok", reason="")

    def _count_flops(self, step: Step) -> None:
        """Last of all, when the result is in: it costs time and memory, and may change the weights."""
        if self.work.flops <= 0:
            return
        found: list[Guard] = []
        failed = attempt("flops", lambda: found.append(flops_guard(step, self.work, self.position)))
        self.reporter.send(guards=(*self.guards, failed or found[0]))


def find_device(backend: Backend, case: CaseSpec) -> Device:
    """The device ``case`` names.

    Raises:
        CaseEnd: the backend has no such device here (``unsupported``).
    """
    devices = backend.devices()
    for device in devices:
        if device.id == case.device:
            return device
    here = ", ".join(d.id for d in devices) or "none"
    raise CaseEnd("unsupported", f"backend {case.backend} has no device {case.device!r} here (it has: {here})")


def plain_facts(step: Step) -> dict[str, object]:
    """The step's facts without the reserved keys, as plain JSON-able data."""
    facts: dict[str, object] = msgspec.to_builtins(dict(step.facts), enc_hook=_plain)
    return {key: value for key, value in facts.items() if key not in RESERVED_FACTS}


def peak_memory(step: Step) -> Memory:
    """Peak memory as the backend tells it, else the process's, else None with the reason."""
    peak, scope = step.facts.get("peak_memory_bytes"), step.facts.get("peak_memory_scope")
    if isinstance(peak, int):
        return Memory(peak_bytes=peak, scope=str(scope))
    peak = peak_memory_bytes()
    if peak is not None:
        return Memory(peak_bytes=peak, scope="resident memory of the worker process, since prepare")
    return Memory(reason="this system does not tell the peak memory of a process")


def _is_out_of_memory(error: BaseException) -> bool:
    """By the error or by what it was raised from, for a plain reason may be cut before the words."""
    text = str(error).lower()
    named = isinstance(error, MemoryError) or "outofmemory" in type(error).__name__.lower()
    found = named or any(words in text for words in OOM_TEXTS)
    return found or (error.__cause__ is not None and _is_out_of_memory(error.__cause__))


def _plain(value: object) -> object:
    """Numpy scalars, dtypes and the like as JSON can hold them."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)
