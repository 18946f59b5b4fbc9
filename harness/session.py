"""A run from its first check to its last stored result: start a new one, or resume one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends import REGISTRY as BACKENDS
from harness import environment, plan
from harness.discovery import BackendReport, discover
from harness.runner import Interrupted, interruptible, measure_all
from harness.suite import Suite, load_suite
from harness.supervisor import Supervisor
from results.errors import OutputError, UsageError
from results.records import GOOD_STATUSES, CaseSpec, MeasureSpec, RunInfo
from results.store import LOG_FILE, RUN_FILE, StoredRun, open_run
from results.store_writer import RunWriter, check_free_space
from workloads import REGISTRY as WORKLOADS

DEFAULT_PARENT = Path("chipmark-runs")
# An accelerator with at least this much memory gets the standard suite, a smaller one edge.
STANDARD_MEMORY_BYTES = 32 * 2**30

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

    def start(self, suite_name: str | None, filters: plan.Filters, out: Path | None) -> StoredRun:
        """Plan and measure a new run.

        Raises:
            UsageError: anything wrong with the request; found before measuring where possible.
        """
        plan.check_filters(filters)
        suite = load_suite(suite_name) if suite_name else None
        folder = prepare_folder(out, suite_name or "run")
        try:
            with interruptible():
                return self._start(suite, filters, folder)
        except Interrupted as signal_name:
            self.interrupted = str(signal_name)
            if (folder / RUN_FILE).exists():
                return open_run(folder)
            raise KeyboardInterrupt from None
        finally:
            remove_if_unused(folder)

    def _start(self, suite: Suite | None, filters: plan.Filters, folder: Path) -> StoredRun:
        asked = plan.suite_backends(suite, filters) if suite else BACKENDS.names()
        log_path = str(folder / LOG_FILE)
        self._say(f"loading {', '.join(asked)} and looking for devices")
        supervisor = Supervisor(preload_modules(asked), log_path)
        reports = discover(supervisor, asked, log_path)
        suite = suite or self._default_suite(reports, filters)
        cases = plan.expand(suite, filters, reports)
        self._tell_missing(reports, {p.case.backend for p in cases})
        now = datetime.now(UTC)
        info = RunInfo(
            run_id=folder.name,
            suite=suite.suite.name,
            command=" ".join(sys.argv[1:]),
            created_at=now.isoformat(timespec="seconds"),
            order_seed=int(now.timestamp()),
            measure=suite.measure,
            environment=environment.describe(),
            devices=tuple(device for report in reports for device in report.devices),
            plan=tuple(cases),
            notes=tuple(f"{r.name}: {r.reason}" for r in reports if not r.devices),
        )
        order = plan.schedule(cases, info.order_seed)
        with RunWriter.create(folder, info) as writer:
            self._measure(order, info.measure, writer, supervisor)
        return open_run(folder)

    def resume(self, folder: Path) -> StoredRun:
        """Measure what is missing or did not end well in a stored run.

        Raises:
            RunFolderError: it is no run, or another process is writing it.
            UsageError: this is not the machine and software that the run was made with.
        """
        stored = open_run(folder)
        check_same_setting(stored.info)
        done = {(m.case_id, m.replicate) for m in stored.measurements if m.status in GOOD_STATUSES}
        order = plan.schedule(stored.info.plan, stored.info.order_seed)
        left = [(case, replicate) for case, replicate in order if (case.id, replicate) not in done]
        self._say(f"{len(order) - len(left)} of {len(order)} measurements are done; {len(left)} to measure")
        if left:
            names = sorted({case.backend for case, _ in left})
            supervisor = Supervisor(preload_modules(names), str(folder / LOG_FILE))
            try:
                with interruptible(), RunWriter(folder) as writer:
                    self._measure(left, stored.info.measure, writer, supervisor)
            except Interrupted as signal_name:
                self.interrupted = str(signal_name)
        return open_run(folder)

    def _measure(
        self,
        order: Sequence[tuple[CaseSpec, int]],
        spec: MeasureSpec,
        writer: RunWriter,
        supervisor: Supervisor,
    ) -> None:
        with self._progress(len(order)) as progress:
            measure_all(order, spec, writer, supervisor, progress)

    def _default_suite(self, reports: Sequence[BackendReport], filters: plan.Filters) -> Suite:
        name, reason = default_suite(reports, filters.device)
        self._say(f"suite {name}: {reason}; name another one to change that")
        return load_suite(name)

    def _tell_missing(self, reports: Sequence[BackendReport], needed: set[str]) -> None:
        for report in reports:
            if report.name in needed and not report.devices:
                hint = f"; {report.install_hint}" if report.install_hint else ""
                self._say(f"backend {report.name} does not work here: {report.reason}{hint}")


def default_suite(reports: Sequence[BackendReport], device: str) -> tuple[str, str]:
    """The suite that fits the device to be measured, and why."""
    found = [d for report in reports for d in report.devices if device in ("auto", d.id, d.kind)]
    accelerators = [d for d in found if d.kind != "cpu"]
    if not accelerators:
        return "smoke", "no accelerator is to be measured"
    best = accelerators[0]
    if (best.memory_bytes or 0) >= STANDARD_MEMORY_BYTES:
        return "standard", f"{best.name} has {(best.memory_bytes or 0) / 2**30:.0f} GiB"
    return "edge", f"{best.name} has less than {STANDARD_MEMORY_BYTES / 2**30:.0f} GiB of its own"


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


def prepare_folder(out: Path | None, name: str) -> Path:
    """Make the run folder now, so that a bad place is found before anything is measured."""
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        base = DEFAULT_PARENT / f"{stamp}-{Path(name).stem}"
        out, number = base, 2
        while out.exists():
            out, number = base.with_name(f"{base.name}-{number}"), number + 1
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_bytes(b"chipmark")
        probe.unlink()
        check_free_space(out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot write results: {error.strerror or error}; choose another place with --out"
        ) from error
    if (out / RUN_FILE).exists():
        raise OutputError(f"{out}: already holds a run; give another --out, or go on with --resume {out}")
    return out


def remove_if_unused(folder: Path) -> None:
    """Leave no empty run folder behind when planning failed."""
    if (folder / RUN_FILE).exists():
        return
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOG_FILE]:
            (folder / LOG_FILE).unlink()
        folder.rmdir()
        folder.parent.rmdir() if folder.parent == DEFAULT_PARENT else None
