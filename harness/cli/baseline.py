"""``chipmark baseline``: stored results to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from results.store import StoredRun

_STORE_HELP = "Folder of the store. Default: chipmark-baselines."
_READ_HELP = "Folder of the store. Default: chipmark-baselines, and what is shipped."
_JSON_HELP = "Print as JSON on stdout."


def _metrics(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Comma-separated names of metrics as a tuple without repetitions."""
    names = tuple(dict.fromkeys(part.strip() for part in (value or "").split(",") if part.strip()))
    if value is not None and not names:
        raise click.BadParameter("is empty; leave the option out for the default")
    return names


def _text(ctx: click.Context, option: click.Parameter, value: str) -> str:
    """One line that says something."""
    text = " ".join(value.split())
    if not text:
        raise click.BadParameter("is empty")
    return text


def _folder(ctx: click.Context, option: click.Parameter, value: str | None) -> Path | None:
    """A folder; an empty name (an unset shell variable) is none."""
    if value is not None and not value.strip():
        raise click.BadParameter("is empty")
    from harness.cli.run_argument import named_path

    return named_path(value) if value is not None else None


@click.group("baseline")
def command() -> None:
    """Keep stored results to compare with.

    A baseline is one case on one device. Each run that is added to it is one session; three or more,
    an hour apart, make one that can be relied on. Nothing is ever changed or deleted.
    """


@command.command("create", short_help="Add runs, each as one session.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--store", callback=_folder, metavar="DIR", help=_STORE_HELP)
@click.option("--gating", callback=_metrics, metavar="METRICS",
              help="Metrics that decide, comma-separated: throughput, latency_p50, latency_p99, energy. "
              "Default: throughput, or latency_p50 where that was not measured.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def create_command(runs: tuple[str, ...], store: Path | None, gating: tuple[str, ...], as_json: bool) -> int:
    """Add each case of each RUN (a run's folder, or `latest`) as one session of its baseline.

    Cases that did not end ok, that a guard failed, whose numbers contradict each other or whose raw
    samples are missing are named with the reason; the others are added. Guards on the energy alone
    bar nothing: the energy is then not part of it. The exit code is 2 if nothing was added.
    """
    from harness.cli.output import say, write_result
    from harness.cli.run_argument import resolve_run
    from results.baseline_create import create
    from results.baseline_store import DEFAULT_STORE
    from results.baseline_writer import StoreWriter, check_gating
    from results.errors import ExitCode
    from results.render import json_text
    from results.render_baseline import create_text

    metrics = check_gating(gating)
    opened = _open_all([resolve_run(run) for run in runs])
    with StoreWriter(store or DEFAULT_STORE, _now(), _version()) as writer:
        report = create(opened, writer, metrics)
    write_result(json_text(report) if as_json else create_text(report))
    if not report.added:
        say("chipmark: error: nothing was added to the baseline; the reasons are above")
        return ExitCode.USAGE
    return ExitCode.DONE


@command.command("list", short_help="All entries, and what they lack.")
@click.option("--store", callback=_folder, metavar="DIR", help=_READ_HELP)
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def list_command(store: Path | None, as_json: bool) -> None:
    """List every entry with its sessions, what it lacks, and whether it is superseded."""
    from harness.cli.output import write_result
    from results.baseline_list import list_stores
    from results.baseline_store import default_stores
    from results.render import json_text
    from results.render_baseline import list_text

    listing = list_stores([store] if store is not None else default_stores())
    write_result(json_text(listing) if as_json else list_text(listing))


@command.command("show", short_help="One entry: conditions, sessions, times.")
@click.argument("entry")
@click.option("--store", callback=_folder, metavar="DIR", help=_READ_HELP)
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def show_command(entry: str, store: Path | None, as_json: bool) -> None:
    """Show an ENTRY as `list` names it (its end, or its hash, will do): conditions, sessions, times."""
    from harness.cli.output import write_result
    from results.baseline_list import describe
    from results.baseline_store import default_stores, find_entry
    from results.render import json_text
    from results.render_baseline import entry_text

    stores = [store] if store is not None else default_stores()
    described = describe(find_entry(stores, entry))
    write_result(json_text(described) if as_json else entry_text(described))


@command.command("supersede", short_help="Mark an entry as no longer used.")
@click.argument("entry")
@click.option("--reason", required=True, callback=_text, metavar="TEXT", help="Why; kept with the entry.")
@click.option("--store", callback=_folder, metavar="DIR", help=_STORE_HELP)
def supersede_command(entry: str, reason: str, store: Path | None) -> None:
    """Mark an ENTRY as no longer used.

    It is kept and listed. The next `create` for the same case and device begins another.
    """
    from harness.cli.output import write_result
    from results.baseline_store import DEFAULT_STORE, find_entry
    from results.baseline_writer import StoreWriter
    from results.notes import one_line

    found = find_entry([store or DEFAULT_STORE], entry)
    with StoreWriter(found.store, _now(), _version()) as writer:
        writer.supersede(found, reason)
    write_result(f"superseded {one_line(found.name)}: {one_line(reason)}\n")


def _open_all(folders: list[Path]) -> list[StoredRun]:
    """The runs that can be read; the others are named.

    Raises:
        RunFolderError: none can be read.
    """
    from harness.cli.output import say
    from results.errors import RunFolderError
    from results.store import open_run

    runs, errors = [], []
    for folder in folders:
        try:
            runs.append(open_run(folder))
        except RunFolderError as error:
            errors.append(error)
    if not runs:
        raise errors[0]
    for refused in errors:
        say(f"left out: {refused}")
    return runs


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("chipmark")
    except PackageNotFoundError:
        return "unknown"
