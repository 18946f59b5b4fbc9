"""``chipmark show``: a stored run again."""

from __future__ import annotations

import click


@click.command("show")
@click.argument("run")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "markdown", "json", "csv", "counts"]),
    default="table",
    show_default=True,
    help="table for terminals; markdown for pages; json and csv hold every number, in SI units; "
    "counts are what `run --check` expects.",
)
@click.option(
    "--explain",
    "explained",
    metavar="CASE",
    help="Say in words how the numbers of one case came about, and whether computing or memory bounds it; "
    "CASE is the start of its id or a part of its label.",
)
@click.option(
    "--tariff",
    type=float,
    metavar="USD_PER_KWH",
    help="Also show what the metered energy costs at this price of electricity; energy only.",
)
@click.option(
    "--pue",
    type=float,
    metavar="X",
    help="Power usage effectiveness of the building: the cost of energy times this.  [default: 1.0]",
)
def command(run: str, output_format: str, explained: str | None, tariff: float | None, pue: float | None) -> None:
    """Show the stored RUN: a run's folder, or `latest` for the newest below chipmark-runs.

    Everything is computed again from what was stored; nothing is measured.
    """
    from harness.cli.output import write_result
    from harness.cli.run_argument import resolve_run
    from results.electricity import checked_tariff, with_electricity
    from results.errors import UsageError
    from results.render import render_summary, terminal_color, terminal_width
    from results.store import open_run
    from results.summary import run_summary

    price = checked_tariff(tariff, pue)
    if price and (explained is not None or output_format == "counts"):
        other = "--explain" if explained is not None else "--format counts"
        raise UsageError(f"--tariff does not go with {other}: leave one of them out")
    if explained is not None:
        from results.explain import explain

        if output_format != "table":
            raise UsageError("--explain is text only: leave --format out")
        write_result(explain(open_run(resolve_run(run)), explained))
        return
    if output_format == "counts":
        from results.counts import counts_of
        from results.render_counts import counts_text

        write_result(counts_text(counts_of(open_run(resolve_run(run)))))
        return
    summary = run_summary(open_run(resolve_run(run)))
    if price:
        summary = with_electricity(summary, price)
    write_result(render_summary(summary, output_format, terminal_width(), terminal_color()))
