"""Measure a plan: one worker per (case, replicate), each result stored before the next begins."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

import msgspec
import numpy as np

from harness import worker
from harness.guards.before import before
from harness.messages import Draft, Task
from harness.meters.energy_pass import CAP_FACTOR, JITTER
from harness.passes import IDLE_SETTLE_S
from harness.supervisor import Limits, Supervisor
from harness.timed_loop import NUM_CHUNKS
from results.energy_record import IdlePower
from results.process_summary import summarize_process
from results.records import CaseSpec, Measurement, MeasureSpec, Stage
from results.store import LOG_FILE
from results.store_writer import RunWriter

# (backend, device) -> its idle power, once a worker has measured it
IdleByDevice = dict[tuple[str, str], tuple[IdlePower, ...]]


class Interrupted(BaseException):
    """The user (or the machine's owner) asked to stop: SIGINT, SIGTERM or SIGHUP."""


class Progress(Protocol):
    """Told what happens; never asked for anything."""

    def case_started(self, case: CaseSpec, replicate: int) -> None:
        """A worker is about to start."""

    def stage_changed(self, case: CaseSpec, stage: Stage) -> None:
        """The worker entered ``stage``."""

    def case_finished(self, measurement: Measurement) -> None:
        """A result is stored."""


class Interrupts:
    """Turns signals into :class:`Interrupted`, except while a result is being stored."""

    def __init__(self) -> None:
        self._held, self._pending = False, ""

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self._pending = signal.Signals(number).name
        if not self._held:
            raise Interrupted(self._pending)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, signals wait; one that came is raised at the end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending:
            raise Interrupted(self._pending)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Turn SIGINT, SIGTERM and SIGHUP into :class:`Interrupted` inside the block.

    A signal that is ignored on entry stays ignored: that is what ``nohup`` is for.
    """
    interrupts = Interrupts()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    for number, handler in previous.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, interrupts.receive)
    try:
        yield interrupts
    finally:
        for number, handler in previous.items():
            if handler is not None:
                signal.signal(number, handler)


def measure_all(
    order: Sequence[tuple[CaseSpec, int]],
    measure: MeasureSpec,
    writer: RunWriter,
    supervisor: Supervisor,
    progress: Progress,
    interrupts: Interrupts,
    energy_seconds: Mapping[str, float] | None = None,
) -> list[Measurement]:
    """Measure everything in ``order`` and return what was stored.

    ``energy_seconds`` (case id -> seconds) goes before ``measure.energy_min_seconds``.

    Raises:
        Interrupted: from :func:`interruptible`; everything finished is stored.
        OutputError: a result could not be stored; everything before it is.
    """
    finished = []
    idle: IdleByDevice = {}
    for case, replicate in order:
        progress.case_started(case, replicate)
        on_stage = partial(progress.stage_changed, case)
        least = (energy_seconds or {}).get(case.id)
        own = measure if least is None else msgspec.structs.replace(measure, energy_min_seconds=least)
        measurement, samples = measure_one(case, replicate, own, writer.path, supervisor, on_stage, idle)
        with interrupts.held():  # a finished measurement must not be lost to Ctrl-C
            measurement = writer.append(measurement, samples)
        finished.append(measurement)
        progress.case_finished(measurement)
    return finished


def measure_one(
    case: CaseSpec,
    replicate: int,
    measure: MeasureSpec,
    folder: Path,
    supervisor: Supervisor,
    on_stage: Callable[[Stage], None] = lambda stage: None,
    idle: IdleByDevice | None = None,
) -> tuple[Measurement, Mapping[str, np.ndarray]]:
    """Measure one replicate in a worker; returns the record and its raw samples.

    ``idle`` is what is known of the devices' idle power; what the worker finds is added to it.
    """
    idle = {} if idle is None else idle
    place = (case.backend, case.device)
    log_path = str(folder / LOG_FILE)
    task = Task(case=case, measure=measure, log_path=log_path, before=before(), idle=idle.get(place))
    limits = limits_of(measure)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    start = time.monotonic()
    last: list[Stage] = []

    def follow(draft: Draft) -> None:
        if last[-1:] != [draft.stage]:
            last.append(draft.stage)
            on_stage(draft.stage)

    ending = supervisor.run(worker.main, msgspec.msgpack.encode(task), limits, follow)
    elapsed_s = time.monotonic() - start
    if "idle" in ending.draft.fields:  # empty where the meters failed: the next worker need not wait for them
        idle[place] = ending.draft.fields["idle"]  # type: ignore[assignment]
    record = ending.draft.measurement(case, replicate, ending.status, ending.reason, started_at, elapsed_s)
    arrays = {name: np.frombuffer(samples, np.int64) for name, samples in ending.draft.arrays.items()}
    return with_stats(record, arrays), arrays


def limits_of(measure: MeasureSpec) -> Limits:
    """The limits of a worker: those of the suite, and what energy may add where a meter reads the device."""
    if not measure.energy:
        return Limits(measure.timeout_seconds, measure.progress_timeout_seconds)
    least_s = CAP_FACTOR * (1 + JITTER) * measure.energy_min_seconds
    idle_s = measure.energy_idle_seconds + IDLE_SETTLE_S if measure.energy_idle_seconds else 0.0
    # A worker is silent for a window, of which there are NUM_CHUNKS.
    return Limits(
        # A quarter for steps that run in and out, which are whole cycles.
        (1.25 if least_s else 1.0) * measure.timeout_seconds + least_s + idle_s,
        measure.progress_timeout_seconds + least_s / NUM_CHUNKS,
        " and windows for energy" if least_s or idle_s else "",
    )


def with_stats(record: Measurement, arrays: Mapping[str, np.ndarray]) -> Measurement:
    """``record`` with the statistics of its samples.

    An ``ok`` result whose times cannot be true (the clock stepped) becomes ``invalid``. Samples are
    kept whatever happens here: what fails is told in ``detail``, and readers compute it again.
    """
    if record.timing is None:
        return record
    try:
        stats = summarize_process(record.timing, arrays, record.work.steps if record.work else 1)
    except Exception:
        detail = "\n".join(filter(None, [record.detail, traceback.format_exc()]))
        return msgspec.structs.replace(record, detail=detail)
    if stats.problem and record.status == "ok":
        return msgspec.structs.replace(record, stats=stats, status="invalid", stage="measure", reason=stats.problem)
    return msgspec.structs.replace(record, stats=stats)
