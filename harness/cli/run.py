"""``chipmark run``: measure a suite on this machine and store the run."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.expected_counts import Expectation
    from harness.plan import Filters
    from harness.session import Session
    from results.count_check import CountReport
    from results.store import StoredRun

NO_ENERGY = -1.0
MAX_ENERGY_SECONDS = 86_400.0


def names(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Comma-separated names as a tuple."""
    found = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    if value is not None and not found:
        raise click.BadParameter("is empty; leave the option out to have all")
    return found


def given(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A value that must not be empty: an unset shell variable is no choice."""
    if value is not None and not value.strip():
        raise click.BadParameter("is empty")
    return value


def _wall(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A file name that workers can open wherever they are."""
    path = given(ctx, option, value)
    return str(Path(path).absolute()) if path is not None else None


def _energy(ctx: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Seconds, :data:`NO_ENERGY` for ``off``, None if the suite decides."""
    if value is None or value.lower() == "off":
        return None if value is None else NO_ENERGY
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_ENERGY_SECONDS:
        raise click.BadParameter(f"{value!r}: give seconds from 0 to {MAX_ENERGY_SECONDS:g}, or off")
    return seconds


@click.command("run")
@click.argument("suite", required=False, callback=given)
@click.option(
    "--device",
    default="auto",
    callback=given,
    metavar="ID",
    help="cpu, cuda, cuda:1, ... Default: each backend's best.",
)
@click.option("--backend", callback=names, metavar="NAMES", help="Only these backends, comma-separated.")
@click.option("--workload", callback=names, metavar="GLOBS", help="Only these workloads, for example 'llm-*'.")
@click.option("--phase", callback=names, metavar="NAMES", help="Only these: train, infer, prefill, decode.")
@click.option("--precision", callback=names, metavar="NAMES",
              help="These instead of the suite's: fp32, fp16, bf16, fp8, int8.")  # fmt: skip
@click.option("--replicates", type=click.IntRange(1, 10_000), help="Measure each case in so many fresh processes.")
@click.option("--out", callback=given, metavar="DIR",
              help="Folder for the run. Default: chipmark-runs/<time>-<suite>.")  # fmt: skip
@click.option("--resume", callback=given, metavar="RUN",
              help="Go on with a stored run: measure only what is missing or failed.")  # fmt: skip
@click.option("--bundle", callback=given, metavar="DIR",
              help="Cases that `chipmark export` wrote elsewhere: needs ONNX Runtime, no torch.")  # fmt: skip
@click.option("--energy", callback=_energy, metavar="SECONDS|off",
              help="Least window for energy, where a meter reads the device; off asks no meter.")  # fmt: skip
@click.option("--wall-meter", callback=_wall, metavar="CSV",
              help="Times and watts that a logger appends to this file: the main power meter of the run.")  # fmt: skip
@click.option("--instance", callback=given, metavar="PROVIDER:TYPE",
              help="Which rented instance this is: PROVIDER:TYPE[@REGION][/PRICING].")  # fmt: skip
@click.option("--no-metadata", is_flag=True, help="Do not ask the cloud's metadata service which instance this is.")
@click.option("--check", is_flag=True,
              help="Fail unless cases, work, parameters, peak memory and numerics are as expected.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
def command(
    suite: str | None, device: str, backend: tuple[str, ...], workload: tuple[str, ...], phase: tuple[str, ...],
    precision: tuple[str, ...], replicates: int | None, out: str | None, resume: str | None,
    bundle: str | None, energy: float | None, wall_meter: str | None, instance: str | None, no_metadata: bool,
    check: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Measure SUITE (smoke, edge, standard, or a TOML file) on this machine and store the run.

    Without SUITE: standard for an accelerator with 32 GiB or more, edge for a smaller one, smoke
    for a CPU. Progress goes to stderr, the table (or JSON) to stdout. Every finished measurement
    is on disk before the next begins; Ctrl-C keeps them and tells how to go on.

    --check is for shared CI runners: speed is not checked. What is expected lies in
    configs/checks/SUITE.json, or beside a suite file my.toml in my.counts.json; taken by: chipmark
    show RUN --format counts.
    """
    from harness.cli.output import say
    from harness.cli.run_argument import resolve_run
    from harness.expected_counts import expectation, expectation_of_run
    from harness.plan import Filters
    from harness.progress import progress_for
    from harness.session import Session

    filters = Filters(
        device=device, backends=backend, workloads=workload, phases=phase, precisions=precision,
        replicates=replicates, energy=energy != NO_ENERGY,
        energy_seconds=None if energy == NO_ENERGY else energy,
    )  # fmt: skip
    tell = (lambda text: None) if quiet else say
    _attach_wall_meter(wall_meter, energy, tell)
    if bundle is not None:
        suite, filters = open_given_bundle(bundle, suite, filters, resume is not None)
    session = Session(lambda total: progress_for(total, quiet), tell)
    if resume is not None:
        _refuse_with_resume(suite, filters, out, instance is not None or no_metadata)
        expected = expectation_of_run(resolve_run(resume)) if check else None
        stored = session.resume(resolve_run(resume))
    else:
        expected = expectation(suite, filters) if check else None
        _tell_unknown_instance(instance, tell)
        stored = session.start(suite, filters, Path(out) if out is not None else None, instance, not no_metadata)
    return _report(session, stored, as_json, expected)


def open_given_bundle(folder: str, suite: str | None, filters: Filters, resumed: bool) -> tuple[str | None, Filters]:
    """Check a bundle whole, before anything is measured, and tell workers of it; its own suite is the default.

    Raises:
        BundleError: it is missing, of another format, damaged or altered.
    """
    import msgspec

    from backends.bundle_check import check_description
    from backends.bundle_format import BUNDLE_FILE, BUNDLE_VARIABLE, open_bundle
    from harness.bundle_export import BACKEND

    path = Path(folder).absolute()
    if path.name == BUNDLE_FILE and path.is_file():
        path = path.parent
    opened = open_bundle(path)
    check_description(opened)
    opened.check()
    os.environ[BUNDLE_VARIABLE] = str(path)
    if resumed:
        return suite, filters
    return suite or str(path / opened.bundle.suite_file), msgspec.structs.replace(
        filters, backends=filters.backends or (BACKEND,)
    )


def _attach_wall_meter(file: str | None, energy: float | None, tell: Callable[[str], None]) -> None:
    """Workers are told of the file by their environment, as if the user had set the variable."""
    from harness.guards.table import GUARD
    from harness.meters.wall_file import WALL_METER_VARIABLE, check_running, check_wall_file
    from results.errors import UsageError

    if file is not None and energy == NO_ENERGY:
        raise UsageError("--wall-meter measures energy, and --energy off does not: leave one of them out")
    if file is not None:
        os.environ[WALL_METER_VARIABLE] = file
    path = os.environ.get(WALL_METER_VARIABLE)
    if not path or energy == NO_ENERGY:
        return
    check_wall_file(Path(path))
    interval_s = check_running(Path(path), time.time())
    if interval_s is not None:
        needed_s = math.ceil((GUARD["energy_window"].fail or 0.0) * interval_s)
        tell(
            f"wall meter: a row every {interval_s:.3g} s; energy needs windows of {needed_s} s, to be quoted 30 s: "
            f"--energy {max(needed_s, 30)}"
        )


def _refuse_with_resume(suite: str | None, filters: object, out: str | None, instance_asked: bool) -> None:
    from harness.plan import Filters
    from results.errors import UsageError

    if instance_asked:
        raise UsageError("--resume keeps the instance that the run has stored: leave --instance and --no-metadata out")
    if suite is not None or out is not None or filters != Filters():
        raise UsageError(
            "--resume goes on with a run as it was planned: give no suite, filter, energy option or --out with it"
        )


def _tell_unknown_instance(option: str | None, tell: Callable[[str], None]) -> None:
    """A line where no price has the instance that the user names; it may be right, so measuring goes on.

    Raises:
        UsageError: what is given has not the shape of a name.
    """
    from harness.instance.identify import given_instance
    from harness.instance.price_note import price_note

    note = price_note(given_instance(option))
    if note:
        tell(f"note: {note}")


def _report(session: Session, stored: StoredRun, as_json: bool, expected: Expectation | None) -> int:
    """Print the result on stdout, where it is and what to do next on stderr; the exit code."""
    from harness.cli.output import say
    from results.completeness import endings, planned_slots
    from results.errors import ExitCode
    from results.records import GOOD_STATUSES

    checked = _check(stored, expected) if expected and not session.interrupted else None
    _write(stored, as_json, checked)
    folder = shlex.quote(str(stored.path))
    say(f"stored in {stored.path}; again: chipmark show {folder}")
    found, planned = endings(stored), len(planned_slots(stored))
    bad = planned - sum(status in GOOD_STATUSES for status in found.values())
    if session.interrupted:
        say(
            f"interrupted by {session.interrupted}; {len(found)} of {planned} measurements are stored; "
            f"go on with: chipmark run --resume {folder}{_wall_meter_again()}"
        )
        return ExitCode.INTERRUPTED
    if bad:
        say(
            f"{bad} of {planned} measurements did not end well; measure them again with: chipmark run --resume {folder}"
            f"{_wall_meter_again()}"
        )
    return ExitCode.CASE_FAILED if bad or (checked and not checked.passed) else ExitCode.DONE


def _wall_meter_again() -> str:
    """The option that a run on an external meter needs when it is resumed."""
    from harness.meters.wall_file import WALL_METER_VARIABLE

    file = os.environ.get(WALL_METER_VARIABLE)
    return f" --wall-meter {shlex.quote(file)}" if file else ""


def _check(stored: StoredRun, expected: Expectation) -> CountReport:
    from results.count_check import check_counts

    return check_counts(stored, expected.counts, expected.source)


def _write(stored: StoredRun, as_json: bool, checked: CountReport | None) -> None:
    """The result as a table or JSON, with the outcome of the check at its end."""
    from harness.cli.output import write_result
    from results.render import render_summary, terminal_color, terminal_width
    from results.summary import run_summary

    summary = run_summary(stored)
    if checked is None:
        write_result(render_summary(summary, "json" if as_json else "table", terminal_width(), terminal_color()))
        return
    from results.render_counts import check_text, checked_json

    if as_json:
        write_result(checked_json(summary, checked))
    else:
        table = render_summary(summary, "table", terminal_width(), terminal_color())
        write_result(f"{table}\n{check_text(checked)}")
