"""Show how a run goes on: a bar on a terminal, one line a case elsewhere. Always on stderr.

Nothing refreshes by itself and nothing is drawn while a worker measures: on a small machine the
drawing would be measured too.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from harness.cli.output import say
from results.notes import one_line
from results.records import CaseSpec, Measurement, Stage

# Stages during which the display stays untouched.
SILENT_STAGES: frozenset[Stage] = frozenset(("warmup", "measure"))


class LineProgress:
    """One line per finished case, for logs and pipes."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def case_started(self, case: CaseSpec, replicate: int) -> None:
        """Nothing to say yet."""

    def stage_changed(self, case: CaseSpec, stage: Stage) -> None:
        """Not shown."""

    def case_finished(self, measurement: Measurement) -> None:
        """Print the outcome."""
        self.done += 1
        outcome: str = measurement.status
        if measurement.status != "ok":
            outcome += f" at {measurement.stage}: {measurement.reason}"
        say(one_line(f"[{self.done}/{self.total}] {measurement.case.label}: {outcome} ({measurement.elapsed_s:.1f} s)"))


class BarProgress:
    """A bar with cases done, the current case and stage, and the time left."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        # In a narrow terminal the case's name gives way, never the counter, the stage or the time left.
        whole, rest = (
            Column(no_wrap=True, min_width=2 * len(str(total)) + 1),
            Column(no_wrap=True, overflow="ellipsis", ratio=1),
        )
        self.total, self.done, self.started = total, 0, time.monotonic()
        self._bar: Any = Progress(
            MofNCompleteColumn(table_column=whole), BarColumn(bar_width=12), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", markup=False, table_column=rest),
            console=Console(stderr=True), auto_refresh=False, transient=True, expand=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=total, left="")

    def __enter__(self) -> BarProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def case_started(self, case: CaseSpec, replicate: int) -> None:
        """Show the case."""
        self._show(f"starting: {case.label}")

    def stage_changed(self, case: CaseSpec, stage: Stage) -> None:
        """Show the stage, unless it is one that must not be disturbed."""
        if stage in SILENT_STAGES:
            if stage == "warmup":
                self._show(f"warm-up and measuring: {case.label}")
            return
        self._show(f"{stage}: {case.label}")

    def case_finished(self, measurement: Measurement) -> None:
        """Advance; failures stay on the screen."""
        self.done += 1
        if measurement.status not in ("ok", "unsupported"):
            reason = f"{measurement.case.label}: {measurement.status} at {measurement.stage}: {measurement.reason}"
            self._bar.console.print(one_line(reason), markup=False, highlight=False)
        self._bar.advance(self._task)
        self._show(f"{measurement.status}: {measurement.case.label}")

    def _show(self, text: str) -> None:
        left = ""
        if self.done:
            seconds = (time.monotonic() - self.started) / self.done * (self.total - self.done)
            left = f"about {seconds:.0f} s left"
        self._bar.update(self._task, description=one_line(text), left=left)
        with contextlib.suppress(OSError):  # a terminal that has gone must not cost a measurement
            self._bar.refresh()


def progress_for(total: int, quiet: bool) -> LineProgress | BarProgress | SilentProgress:
    """The display that fits stderr."""
    if quiet:
        return SilentProgress(total)
    return BarProgress(total) if sys.stderr.isatty() else LineProgress(total)


class SilentProgress(LineProgress):
    """Says nothing."""

    def case_finished(self, measurement: Measurement) -> None:
        """Not shown."""
