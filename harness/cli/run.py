"""``chipmark run``: measure a suite on this machine and store the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.session import Session
    from results.store import StoredRun


def _names(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Comma-separated names as a tuple."""
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command("run")
@click.argument("suite", required=False)
@click.option("--device", default="auto", metavar="ID", help="cpu, cuda, cuda:1, ... Default: each backend's best.")
@click.option("--backend", callback=_names, metavar="NAMES", help="Only these backends, comma-separated.")
@click.option("--workload", callback=_names, metavar="GLOBS", help="Only these workloads, for example 'llm-*'.")
@click.option("--phase", callback=_names, metavar="NAMES", help="Only these: train, infer, prefill, decode.")
@click.option("--precision", callback=_names, metavar="NAMES",
              help="These instead of the suite's: fp32, fp16, bf16, fp8, int8.")  # fmt: skip
@click.option("--replicates", type=click.IntRange(1), help="Measure each case in so many fresh processes.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder for the run. Default: chipmark-runs/<time>-<suite>.")  # fmt: skip
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
              help="Go on with a stored run: measure only what is missing or failed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
def command(
    suite: str | None, device: str, backend: tuple[str, ...], workload: tuple[str, ...], phase: tuple[str, ...],
    precision: tuple[str, ...], replicates: int | None, out: Path | None, resume: Path | None,
    as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Measure SUITE (smoke, edge, standard, or a TOML file) on this machine and store the run.

    Without SUITE: standard for an accelerator with 32 GiB or more, edge for a smaller one, smoke
    for a CPU. Progress goes to stderr, the table (or JSON) to stdout. Every finished measurement
    is on disk before the next begins; Ctrl-C keeps them and tells how to go on.
    """
    from harness.plan import Filters
    from harness.progress import progress_for
    from harness.session import Session

    filters = Filters(
        device=device, backends=backend, workloads=workload, phases=phase, precisions=precision,
        replicates=replicates,
    )  # fmt: skip
    session = Session(lambda total: progress_for(total, quiet), lambda text: _say(text, quiet))
    if resume is not None:
        _refuse_with_resume(suite, filters, out)
        stored = session.resume(resume)
    else:
        stored = session.start(suite, filters, out)
    return _report(session, stored, as_json)


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)


def _refuse_with_resume(suite: str | None, filters: object, out: Path | None) -> None:
    from harness.plan import Filters
    from results.errors import UsageError

    if suite is not None or out is not None or filters != Filters():
        raise UsageError("--resume goes on with a run as it was planned: give no suite, filter or --out with it")


def _report(session: Session, stored: StoredRun, as_json: bool) -> int:
    """Print the result on stdout, where it is and what to do next on stderr; the exit code."""
    from results.errors import ExitCode
    from results.records import GOOD_STATUSES
    from results.render import render_summary, terminal_color, terminal_width
    from results.summary import run_summary

    summary = run_summary(stored)
    text = render_summary(summary, "json" if as_json else "table", terminal_width(), terminal_color())
    click.echo(text, nl=False)
    click.echo(f"stored in {stored.path}; again: chipmark show {stored.path}", err=True)
    statuses = {(m.case_id, m.replicate): m.status for m in stored.measurements}
    planned = sum(p.replicates for p in stored.info.plan)
    bad = planned - sum(status in GOOD_STATUSES for status in statuses.values())
    if session.interrupted:
        click.echo(f"interrupted by {session.interrupted}; {len(statuses)} of {planned} measurements are stored; "
                   f"go on with: chipmark run --resume {stored.path}", err=True)  # fmt: skip
        return ExitCode.INTERRUPTED
    if bad:
        click.echo(f"{bad} of {planned} measurements did not end well; "
                   f"measure them again with: chipmark run --resume {stored.path}", err=True)  # fmt: skip
        return ExitCode.CASE_FAILED
    return ExitCode.DONE
