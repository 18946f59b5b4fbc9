"""The ``chipmark`` command: finds subcommands late, prints errors on one line, sets exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from harness.cli.output import open_standard_streams, say
from harness.origin import foreign_package

# name -> (module, one-line help); a module is imported only when its command is used.
COMMANDS = {
    "baseline": ("harness.cli.baseline", "Stored results to compare with: create, list, show, supersede."),
    "compare": ("harness.cli.compare", "Slower, faster or the same as a baseline, or nobody could know."),
    "cost": ("harness.cli.cost", "Dollars of a stored run on a cloud instance."),
    "devices": ("harness.cli.devices", "What is here, what can be measured on it, and what not and why."),
    "export": ("harness.cli.export", "Cases as a bundle, for a device that has no torch."),
    "import": ("harness.cli.import_results", "Results measured elsewhere: MLPerf, or another tool; show."),
    "list": ("harness.cli.list", "Workloads, suites, backends, precisions and meters."),
    "prices": ("harness.cli.prices", "Prices of cloud instances: list, show, check, import, refresh."),
    "run": ("harness.cli.run", "Measure a suite on this machine and store the run."),
    "schema": ("harness.cli.schema", "JSON Schema of everything chipmark stores."),
    "selfcheck": ("harness.cli.selfcheck", "What this machine and this harness can resolve."),
    "show": ("harness.cli.show", "A stored run again, as a table, Markdown, JSON or CSV."),
}


class LateGroup(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command, or None if there is none of this name."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with close matches for a mistyped name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from results.errors import UnknownNameError

            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, option, value: _version(ctx, value),
    help="Show the version and exit.",
)
def cli(debug: bool) -> None:
    """Measure what an AI chip does on standard training steps and inference passes.

    Exit codes: 0 done (compare: same or faster); 1 some case failed, timed out, was killed, ran
    out of memory or is invalid (run --check: or a count differs); 2 bad input or usage; 3 slower
    than the baseline; 4 inconclusive; 5 not comparable; 130 interrupted.
    """


def _version(ctx: click.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"chipmark {version('chipmark')}")
        ctx.exit()


def main() -> None:
    """Entry point of the ``chipmark`` console script."""
    open_standard_streams()
    foreign = foreign_package()
    if foreign:
        sys.exit(fail(foreign, 2))
    # Accepted anywhere, because one adds it to a command line that has just failed.
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(_run(arguments, debug))


def _run(arguments: list[str], debug: bool) -> int:
    """Run the command line and turn whatever it raises into one line and an exit code."""
    from results.errors import ChipmarkError, ExitCode

    try:
        return int(cli.main(arguments, standalone_mode=False, prog_name="chipmark") or 0)
    except ChipmarkError as error:
        if debug:
            raise
        return fail(str(error), error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return fail("interrupted", ExitCode.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        return fail(_click_message(error), ExitCode.USAGE)
    except Exception as error:
        if debug:
            raise
        return fail(f"unexpected {type(error).__name__}: {error}; --debug shows where", ExitCode.CASE_FAILED)


def _click_message(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f"; see: {context.command_path} --help" if context else ""
    return f"{error.format_message().rstrip('.')}{hint}"


def fail(message: str, code: int) -> int:
    """Print one error line to stderr and hand back ``code``."""
    # Files and paths may hold characters that a terminal would obey.
    plain = "".join(c for c in " ".join(message.split()) if c.isprintable())
    say(f"chipmark: error: {plain}")
    return int(code)
