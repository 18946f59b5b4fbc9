"""A run from its first check to its last stored result: start a new one, or resume one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends import REGISTRY as BACKENDS
from harness import environment, plan
from harness.discovery import BackendReport, discover
from harness.guards.before import before
from harness.instance.identify import Identified, given_instance, identify
from harness.run_folder import RunFolder
from harness.runner import Interrupted, Interrupts, interruptible, measure_all
from harness.selfcheck import cache as selfcheck_cache
from harness.suite import Suite, load_suite
from harness.supervisor import Supervisor
from results.completeness import endings
from results.errors import UsageError
from results.functional_only import functional_only
from results.records import GOOD_STATUSES, CaseSpec, RunInfo
from results.store import LOG_FILE, StoredRun, open_run
from results.store_writer import RunWriter
from workloads import REGISTRY as WORKLOADS

# An accelerator with at least this much memory gets the standard suite, a smaller one edge.
STANDARD_MEMORY_BYTES = 32 * 2**30
# Set for both halves of a pair by ``compare --ab``.
ORDER_SEED_VARIABLE = "CHIPMARK_ORDER_SEED"
MAX_SEED_DIGITS = 18  # of a 64-bit integer, which is what other readers of the run can hold

Slots = Sequence[tuple[CaseSpec, int]]
ProgressFactory = Callable[[int], AbstractContextManager[Any]]


class Session:
    """One call of ``chipmark run``.

    Args:
        progress: makes the display for a number of cases.
        say: prints one line for the user.
    """

    def __init__(self, progress: ProgressFactory, say: Callable[[str], None]) -> None:
        self._progress, self._say = progress, say
        self.interrupted: str | None = None

    def start(
        self, suite_name: str | None, filters: plan.Filters, out: Path | None,
        instance: str | None = None, metadata: bool = True,
    ) -> StoredRun:  # fmt: skip
        """Plan and measure a new run.

        Args:
            suite_name: None: the one that fits the device.
            filters: what of it to measure.
            out: folder for the run.
            instance: which rented instance this is, as the user names it.
            metadata: whether the cloud's metadata service may be asked for it.

        Raises:
            UsageError: anything wrong with the request; found before measuring where possible.
        """
        plan.check_filters(filters)
        given = given_instance(instance)
        before()  # now, while nothing of ours is running
        suite = load_suite(suite_name) if suite_name else None
        cases = plan.combine(suite, filters) if suite else []
        here = identify(given, metadata)
        with RunFolder(out, suite_name or "run") as folder:
            try:
                with interruptible() as interrupts:
                    return self._start(suite, cases, filters, folder.path, interrupts, here)
            except Interrupted as signal_name:
                self.interrupted = str(signal_name)
                if folder.has_run:
                    return open_run(folder.path)
                raise KeyboardInterrupt from None

    def _start(
        self, suite: Suite | None, cases: list[CaseSpec], filters: plan.Filters, folder: Path,
        interrupts: Interrupts, here: Identified,
    ) -> StoredRun:  # fmt: skip
        asked = sorted({case.backend for case in cases}) or BACKENDS.names()
        log_path = str(folder / LOG_FILE)
        self._say(f"loading {', '.join(asked)} and looking for devices")
        supervisor = Supervisor(preload_modules(asked), log_path)
        reports = discover(supervisor, asked, log_path)
        if suite is None:
            suite = self._default_suite(reports, filters)
            cases = plan.combine(suite, filters)
            reports = [report for report in reports if report.name in {case.backend for case in cases}]
        planned = plan.place(cases, suite, filters, reports)
        self._tell_missing(reports)
        now, checked = datetime.now(UTC), selfcheck_cache.for_run()
        info = RunInfo(
            run_id=storable(folder.resolve().name),
            suite=suite.suite.name,
            command=storable(" ".join(sys.argv[1:])),
            created_at=now.isoformat(timespec="seconds"),
            order_seed=order_seed(now),
            measure=plan.measure_spec(suite, filters),
            environment=environment.describe(),
            devices=tuple(device for report in reports for device in report.devices),
            plan=tuple(planned),
            selfcheck=checked.check,
            selfcheck_reason=storable(checked.reason),
            instance=here.instance,
            instance_reason=here.reason,
            notes=tuple(f"{r.name}: {r.reason}" for r in reports if not r.devices),
        )
        order = plan.schedule(planned, info.order_seed)
        with RunWriter.create(folder, info) as writer:
            self._measure(order, info, writer, supervisor, interrupts)
        return open_run(folder)

    def resume(self, folder: Path) -> StoredRun:
        """Measure what is missing or did not end well in a stored run.

        Raises:
            RunFolderError: it is no run, or another process is writing it.
            UsageError: this is not the machine and software that the run was made with.
        """
        before()
        stored = open_run(folder)
        check_same_setting(stored.info)
        done = {slot for slot, status in endings(stored).items() if status in GOOD_STATUSES}
        order = plan.schedule(stored.info.plan, stored.info.order_seed)
        left = [(case, replicate) for case, replicate in order if (case.id, replicate) not in done]
        self._say(f"{len(order) - len(left)} of {len(order)} measurements are done; {len(left)} to measure")
        if left:
            try:
                with interruptible() as interrupts, RunWriter(folder) as writer:
                    self._resume(left, stored.info, writer, interrupts)
            except Interrupted as signal_name:
                self.interrupted = str(signal_name)
        return open_run(folder)

    def _resume(self, left: Slots, info: RunInfo, writer: RunWriter, interrupts: Interrupts) -> None:
        names = sorted({case.backend for case, _ in left})
        log_path = str(writer.path / LOG_FILE)
        self._say(f"loading {', '.join(names)} and looking for devices")
        supervisor = Supervisor(preload_modules(names), log_path)
        check_same_devices(info, discover(supervisor, names, log_path))
        self._measure(left, info, writer, supervisor, interrupts)

    def _measure(
        self, order: Slots, info: RunInfo, writer: RunWriter, supervisor: Supervisor, interrupts: Interrupts
    ) -> None:
        own = {planned.case.id: planned.energy_seconds for planned in info.plan if planned.energy_seconds}
        with self._progress(len(order)) as progress:
            measure_all(order, info.measure, writer, supervisor, progress, interrupts, own)

    def _default_suite(self, reports: Sequence[BackendReport], filters: plan.Filters) -> Suite:
        name, reason = default_suite(reports, filters.device)
        self._say(f"suite {name}: {reason}; name another one to change that")
        return load_suite(name)

    def _tell_missing(self, reports: Sequence[BackendReport]) -> None:
        for report in reports:
            if not report.devices:
                hint = f"; {report.install_hint}" if report.install_hint else ""
                self._say(f"backend {report.name} does not work here: {report.reason}{hint}")


def default_suite(reports: Sequence[BackendReport], device: str) -> tuple[str, str]:
    """The suite that fits the device to be measured, and why."""
    found = [d for report in reports for d in report.devices if device in ("auto", d.id, d.kind)]
    accelerators = [d for d in found if d.kind != "cpu" and not functional_only(d)]
    if not accelerators:
        return "smoke", "no accelerator is to be measured"
    best = accelerators[0]
    if (best.memory_bytes or 0) >= STANDARD_MEMORY_BYTES:
        return "standard", f"{best.name} has {(best.memory_bytes or 0) / 2**30:.0f} GiB"
    return "edge", f"{best.name} has less than {STANDARD_MEMORY_BYTES / 2**30:.0f} GiB of its own"


def order_seed(now: datetime) -> int:
    """The seed of the order to measure in: the time, unless two runs are to measure in the same order."""
    wanted = os.environ.get(ORDER_SEED_VARIABLE, "")
    return int(wanted) if wanted.isdecimal() and len(wanted) <= MAX_SEED_DIGITS else int(now.timestamp())


def preload_modules(backends: Sequence[str]) -> list[str]:
    """What the fork server imports for these backends: ``PRELOAD`` of each backend's module."""
    modules: dict[str, None] = {}
    for name in backends:
        with contextlib.suppress(UsageError):  # a broken plugin is reported by discovery
            module = sys.modules[type(BACKENDS.get(name)).__module__]
            modules.update(dict.fromkeys(getattr(module, "PRELOAD", ())))
    return list(modules)


def check_same_setting(info: RunInfo) -> None:
    """Refuse to add measurements of another machine, software or workload version to a run."""
    found = environment.differences(info.environment, environment.describe())
    for planned in info.plan:
        version = WORKLOADS.get(planned.case.workload).spec.version
        if version != planned.case.workload_version:
            found.append(f"{planned.case.workload}: version {planned.case.workload_version} then, {version} now")
    if found:
        raise UsageError(
            f"run {info.run_id} cannot be resumed here, its measurements would not be comparable: "
            f"{'; '.join(dict.fromkeys(found))}; start a new run instead"
        )


def check_same_devices(info: RunInfo, reports: Sequence[BackendReport]) -> None:
    """Refuse to go on where a device that the run used is another one now (or gone)."""
    here = {(device.backend, device.id): device for report in reports for device in report.devices}
    used = {(planned.case.backend, planned.case.device) for planned in info.plan}
    asked = {report.name for report in reports}
    for device in info.devices:
        key = (device.backend, device.id)
        if key in used and device.backend in asked and here.get(key) != device:
            now = here[key].name if key in here else "no such device"
            raise UsageError(
                f"run {info.run_id} cannot be resumed here: {device.backend}@{device.id} was {device.name}, "
                f"now it is {now} or differs in its details; start a new run instead"
            )


def storable(text: str) -> str:
    """``text`` as UTF-8 can hold it: bytes that are none are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
