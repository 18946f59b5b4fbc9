"""``chipmark import``: results that were measured elsewhere, with another tool."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from results.imports.mlperf_inference import Imported

_FORMAT = Literal["mlperf-inference", "mlperf-training", "results"]
_FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that all imports share."""
    for option in (
        click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
                     help="Where to store it.  [default: chipmark-imports/NAME.json]"),
        click.option("--url", default="", metavar="URL", help="Where the file was found, for rows without a link."),
        click.option("--retrieved", metavar="DATE", help="When it was found there, YYYY-MM-DD.  [default: unknown]"),
    ):  # fmt: skip
        command = option(command)
    return command


class ImportGroup(click.Group):
    """A group that suggests a name for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with close matches."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from results.errors import UnknownNameError

            raise UnknownNameError("command", args[0], self.commands, "import")
        return super().resolve_command(ctx, args)


@click.group("import", cls=ImportGroup)
def command() -> None:
    """Take in results that others measured, each with its source.

    They are kept apart from chipmark's own measurements and never compared with them. `chipmark
    cost --imported FILE` derives their dollars.
    """


@command.command("mlperf-inference")
@_FILE
@_options
def mlperf_inference_command(file: Path, retrieved: str | None, url: str, out: Path | None) -> None:
    """Import a summary of MLPerf Inference: the CSV or summary_results.json of a round."""
    from results.imports.mlperf_inference import read_mlperf_inference

    _import("mlperf-inference", read_mlperf_inference, file, retrieved, url, "", out)


@command.command("mlperf-training")
@_FILE
@click.option("--round", "round_name", default="", metavar="NAME", help="Of the results, if the file has none: v5.1.")
@_options
def mlperf_training_command(file: Path, round_name: str, retrieved: str | None, url: str, out: Path | None) -> None:
    """Import scores of MLPerf Training: with the times of all runs, or one column for each benchmark."""
    from results.imports.mlperf_training import read_mlperf_training

    _import("mlperf-training", read_mlperf_training, file, retrieved, url, round_name, out)


@command.command("results")
@_FILE
@_options
def results_command(file: Path, retrieved: str | None, url: str, out: Path | None) -> None:
    """Import results of any other tool from a filled-in template (docs/importing-results.md)."""
    from results.imports.template import read_template

    _import("results", read_template, file, retrieved, url, "", out)


@command.command("show")
@_FILE
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "markdown", "json", "csv"]),
    default="table",
    show_default=True,
    help="json and csv hold every field.",
)
def show_command(file: Path, output_format: str) -> None:
    """Show a stored import with its citations."""
    from harness.cli.output import write_result
    from results.imported_store import read_imported
    from results.render import terminal_color, terminal_width
    from results.render_imported import render_imported

    write_result(render_imported(read_imported(file), output_format, terminal_width(), terminal_color()))


def _import(
    kind: _FORMAT,
    read: Callable[..., Imported],
    file: Path,
    retrieved: str | None,
    url: str,
    round_name: str,
    out: Path | None,
) -> None:
    from datetime import datetime
    from importlib.metadata import version

    from harness.cli.output import say
    from results.device_table import shipped_devices
    from results.imported_record import ImportedFile
    from results.imported_store import IMPORTS_FOLDER, write_imported
    from results.imports.mlperf_terms import Retrieval
    from results.imports.source_file import read_source

    cited = Retrieval(_day(retrieved), url.strip(), round_name.strip())
    source = read_source(file)
    found = read(source, cited, shipped_devices())
    imported = ImportedFile(
        format=kind,
        source=source.name,
        source_sha256=source.sha256,
        imported_at=datetime.now(UTC).isoformat(timespec="seconds"),
        chipmark_version=version("chipmark"),
        results=found.results,
        refused=found.refused,
    )
    path = out or IMPORTS_FOLDER / f"{file.stem}.json"
    new = write_imported(path, imported)
    for refusal in found.refused[:5]:
        say(f"chipmark: warning: row {refusal.row} not imported: {refusal.reason}")
    if len(found.refused) > 5:
        say(f"chipmark: warning: {len(found.refused) - 5} more rows not imported: `chipmark import show` lists them")
    doubted = sum(bool(result.doubts) for result in found.results)
    done = f"{len(found.results)} results, {doubted} with doubts, {len(found.refused)} rows not imported"
    click.echo(f"{path}: {done}" + ("" if new else " (was there already)"))


def _day(retrieved: str | None) -> str:
    """The date of retrieval, or ``unknown``.

    Raises:
        UsageError: it is not a date, or yet to come.
    """
    if retrieved is None:
        return "unknown"
    from datetime import date

    from results.errors import UsageError

    try:
        day = date.fromisoformat(retrieved)
    except ValueError:
        raise UsageError(f"--retrieved {retrieved!r} is not a date: write YYYY-MM-DD") from None
    if day > date.today():
        raise UsageError(f"--retrieved {retrieved} is yet to come")
    return day.isoformat()
