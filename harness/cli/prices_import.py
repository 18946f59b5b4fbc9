"""``chipmark prices import`` and ``chipmark prices refresh``: prices from elsewhere into a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from results.price_import import Refusal
    from results.price_import_write import Merged

MAX_REASONS_SHOWN = 12
OUT_OPTION = click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="The table to write or add to.  [default: imported-prices.csv beside your own, see 'chipmark prices']",
)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "catalogue_format",
    type=click.Choice(["skypilot", "gpuhunt"]),
    help="Whose catalogue FILE is.  [default: told from its header]",
)
@click.option("--provider", metavar="NAME", help="Whose prices; SkyPilot's files do not say. Else: only this one's.")
@click.option(
    "--as-of",
    metavar="DATE",
    required=True,
    help="When FILE was fetched (YYYY-MM-DD): it holds no dates, and a price without one is worth little.",
)
@click.option("--source", metavar="TEXT", help="The source of the rows.  [default: the tool and the file's name]")
@OUT_OPTION
def import_command(
    file: Path, catalogue_format: str | None, provider: str | None, as_of: str, source: str | None, out: Path | None
) -> None:
    """Take the prices of a SkyPilot or gpuhunt catalogue into a table.

    Rows that cannot be true are refused and counted, with the reason. The table is replaced as a whole, or not at all.
    """
    from datetime import date

    from results.price_import import import_prices
    from results.price_import_write import merge_into
    from results.price_layers import table_to_write

    today = date.today()
    imported = import_prices(file, as_of, today, catalogue_format, provider, source)
    merged = merge_into(table_to_write(out), imported.rows, today)
    _report(merged, imported.refused)


@click.command("refresh")
@click.option(
    "--provider",
    "providers",
    metavar="NAME,...",
    default="",
    help="Only these; also vast and vultr, which are asked directly.  [default: all that publish a catalogue]",
)
@OUT_OPTION
def refresh_command(providers: str, out: Path | None) -> None:
    """Fetch prices through the gpuhunt package (pip install 'chipmark[prices]').

    The only command that asks the network for prices. A provider that fails is named and costs that provider alone.
    """
    from datetime import date

    from harness.cli.output import say
    from harness.price_refresh import fetch_prices
    from results.price_import_write import merge_into
    from results.price_layers import table_to_write

    today = date.today()
    fetched = fetch_prices([name for name in (part.strip() for part in providers.split(",")) if name], today)
    merged = merge_into(table_to_write(out), fetched.rows, today)
    _report(merged, fetched.refused)
    for failure in fetched.failed:
        say(f"nothing of {failure.provider}: {failure.reason}")


def _report(merged: Merged, refused: Sequence[Refusal]) -> None:
    from harness.cli.output import write_result
    from results.notes import one_line
    from results.price_import import refusal_text

    lines = [
        f"{merged.path}: added {merged.num_added}, replaced {merged.num_replaced}, "
        f"older than what is there (kept) {merged.num_older}, refused {sum(r.num for r in refused)}; "
        f"rows now: {merged.num_rows}"
    ]
    lines += [f"refused {refusal_text(refusal)}" for refusal in refused[:MAX_REASONS_SHOWN]]
    if len(refused) > MAX_REASONS_SHOWN:
        lines.append(f"and {sum(r.num for r in refused[MAX_REASONS_SHOWN:])} for other reasons")
    write_result("".join(f"{one_line(line)}\n" for line in lines))
