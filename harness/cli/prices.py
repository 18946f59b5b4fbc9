"""``chipmark prices``: the table of prices itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import date

    from results.price_check import TableCheck

# name -> (attribute of harness.cli.prices_import, one-line help)
LATE_COMMANDS = {
    "import": ("import_command", "Take the prices of another tool's catalogue into a table."),
    "refresh": ("refresh_command", "Fetch today's prices; the only command that asks the network."),
}
PRICES_OPTION = click.option(
    "--prices",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="A table laid over the shipped one and your own.",
)


class PricesGroup(click.Group):
    """A group of which some commands are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names."""
        return sorted([*self.commands, *LATE_COMMANDS])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported if need be, or None if there is none of this name."""
        if name not in LATE_COMMANDS:
            return self.commands.get(name)
        import importlib

        found: click.Command = getattr(importlib.import_module("harness.cli.prices_import"), LATE_COMMANDS[name][0])
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        texts = {name: found.get_short_help_str(75) for name, found in self.commands.items()}
        texts |= {name: text for name, (_, text) in LATE_COMMANDS.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(texts.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with close matches for a mistyped name."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from results.errors import UnknownNameError

            raise UnknownNameError("command", args[0], self.list_commands(ctx), "prices")
        return super().resolve_command(ctx, args)


@click.group("prices", cls=PricesGroup)
def command() -> None:
    """Prices of cloud instances: what the table holds, and whether a table is right.

    The shipped table and imported catalogues (chipmark/imported-prices.csv in the folder for
    settings; of both the newer price counts) lie under your own table ($CHIPMARK_PRICES, else
    chipmark/prices.csv there), and all under --prices.
    """


@command.command("list")
@click.option("--provider", metavar="NAME", help="Only this provider's.")
@click.option("--accelerator", metavar="NAME", help="Only of this accelerator, for example H100; none: without one.")
@click.option("--region", metavar="NAME", help="Only in this region.")
@click.option(
    "--pricing",
    type=click.Choice(["on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block"]),
    help="Only of this kind.",
)
@PRICES_OPTION
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="csv and json hold every row and field.",
)
@click.option("--all", "show_all", is_flag=True, help="All lines of the table.")
def list_command(
    provider: str | None,
    accelerator: str | None,
    region: str | None,
    pricing: str | None,
    prices: Path | None,
    output_format: str,
    show_all: bool,
) -> None:
    """List prices, the cheapest accelerator-hour first."""
    from harness.cli.output import write_result
    from results.price_layers import load_layers
    from results.price_listing import MAX_LINES, Choice, choose, listing_csv, listing_json, listing_table
    from results.render import terminal_color, terminal_width

    listing = choose(load_layers(prices), Choice(provider, accelerator, region, pricing))
    if output_format == "table":
        limit = None if show_all else MAX_LINES
        write_result(listing_table(listing, limit, terminal_width(), terminal_color()))
    else:
        write_result(listing_json(listing) if output_format == "json" else listing_csv(listing))


@command.command("show")
@click.argument("instance", metavar="PROVIDER:TYPE")
@click.option("--region", metavar="NAME", help="Only in this region.")
@PRICES_OPTION
def show_command(instance: str, region: str | None, prices: Path | None) -> None:
    """Show every price of one instance type: region, kind, age, layer, source."""
    from datetime import date

    from harness.cli.output import write_result
    from results.errors import PriceError
    from results.price_layers import load_layers
    from results.price_listing import detail_table, rows_of
    from results.render import terminal_color, terminal_width

    provider, _, instance_type = instance.partition(":")
    if not (provider and instance_type):
        raise PriceError(f"{instance!r}: write PROVIDER:TYPE, for example aws:g6.xlarge")
    listing = rows_of(load_layers(prices), provider, instance_type, region)
    write_result(detail_table(listing, date.today(), terminal_width(), terminal_color()))


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check_command(file: Path | None) -> int:
    """Check a table, or the shipped one and your own.

    Exit code 2 if something is wrong; the rows and columns are named on standard error.
    """
    from datetime import date

    from harness.cli.output import say, write_result
    from results.errors import ExitCode
    from results.notes import one_line

    today = date.today()
    found = [(file, _checked(file, today, False))] if file else _check_layers(today)
    for path, check in found:
        lines = [f"{path}: right rows: {check.num_rows}, errors: {check.num_errors}", *check.remarks]
        write_result("".join(f"{one_line(line)}\n" for line in lines))
        for error in check.errors:
            say(one_line(error))
        if check.num_errors > len(check.errors):
            say(f"and {check.num_errors - len(check.errors)} more errors")
    return int(ExitCode.USAGE if any(check.errors for _, check in found) else ExitCode.DONE)


def _checked(file: Path, today: date, shipped: bool) -> TableCheck:
    from results.price_check import check_file

    return check_file(file, today, shipped)


def _check_layers(today: date) -> list[tuple[Path, TableCheck]]:
    from results.configs import config_path
    from results.price_layers import existing_layers

    found = [(config_path("prices.csv"), True), *((path, False) for path, _ in existing_layers())]
    return [(path, _checked(path, today, shipped)) for path, shipped in found]
