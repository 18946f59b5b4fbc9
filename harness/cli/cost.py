"""``chipmark cost``: a stored run in dollars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from results.case_summary import RunSummary


@click.command("cost")
@click.argument("run")
@click.option(
    "--instance",
    required=True,
    metavar="PROVIDER:TYPE",
    help="What would be rented, for example aws:g6.xlarge.",
)
@click.option("--region", metavar="NAME", help="Region of the price. Default: a main one, which is named.")
@click.option(
    "--pricing",
    type=click.Choice(["on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block"]),
    default="on_demand",
    show_default=True,
    help="Which kind of price.",
)
@click.option(
    "--prices",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="CSV",
    help="Another price table than the shipped one, with the same columns.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "markdown", "json", "csv"]),
    default="table",
    show_default=True,
    help="As in `chipmark show`.",
)
def command(run: str, instance: str, region: str | None, pricing: str, prices: Path | None, output_format: str) -> None:
    """Price the stored RUN (a run's folder, or `latest`) as if it had been made on an instance.

    The price comes from a dated table, never from the network. Only cases that ended ok have a
    cost. Prices are for the speed that was measured: price a run on the machine it was made on.
    """
    from datetime import date

    from harness.cli.output import write_result
    from harness.cli.run_argument import resolve_run
    from results.cost import cost_report
    from results.errors import PriceError
    from results.pricing import find, load_prices
    from results.render import terminal_color, terminal_width
    from results.render_cost import render_cost
    from results.store import open_run
    from results.summary import run_summary

    provider, colon, instance_type = instance.partition(":")
    if not (provider and colon and instance_type):
        raise PriceError(f"--instance {instance!r}: write PROVIDER:TYPE, for example aws:g6.xlarge")
    table = load_prices(prices)
    summary = run_summary(open_run(resolve_run(run)))
    price = find(table, provider, instance_type, region, pricing, _accelerator_memory_gib(summary))
    report = cost_report(summary, price, date.today())
    write_result(render_cost(report, output_format, terminal_width(), terminal_color()))


def _accelerator_memory_gib(summary: RunSummary) -> float | None:
    """Memory of the accelerator the run used, if it was one and says so."""
    from results.cost_warnings import used_accelerators

    sizes = {device.memory_bytes for device in used_accelerators(summary)}
    size = sizes.pop() if len(sizes) == 1 else None
    return size / 2**30 if size else None
