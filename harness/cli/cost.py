"""``chipmark cost``: stored runs in dollars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.cost_command import SectionedCommand
from harness.cli.cost_values import Duration, Number

_SHARE = "a share above 0 and at most 1"
_FILE = click.Path(dir_okay=False, path_type=Path)


class CostCommand(SectionedCommand):
    """``chipmark cost`` with its options under headings."""

    sections = {
        "Which price": ("instance", "what_if", "region", "pricing", "prices"),
        "How it is used": ("utilisation", "lost_fraction"),
        "One training run": ("run_steps", "run_tokens", "startup", "checkpoints", "goodput"),
        "Another training, projected": ("training_tokens", "parameters", "chips", "efficiency"),
        "Cheapest first": ("rank", "max_latency", "latency_percentile", "min_throughput"),
        "Electricity, and owning": ("tariff", "pue", "owned"),
        "Output": ("scorecards", "imported", "output_format", "help"),
    }


@click.command("cost", cls=CostCommand)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--instance",
    multiple=True,
    metavar="PROVIDER:TYPE",
    help="What the runs were made on, for example aws:g6.xlarge or aws:g6.xlarge@us-east-1; several by commas. "
    "Default: what the run itself says.",
)
@click.option(
    "--what-if",
    multiple=True,
    metavar="PROVIDER:TYPE",
    help="Also the same accelerator rented elsewhere, for example oci:H100; several by commas.",
)
@click.option("--region", metavar="NAME", help="Region of the price. Default: the run's, else a main one, named.")
@click.option(
    "--pricing",
    type=click.Choice(["on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block"]),
    help="Which kind of price. Default: the run's, else on_demand.",
)
@click.option("--prices", type=_FILE, metavar="CSV", help="A price table that is laid over the shipped one and yours.")
@click.option(
    "--utilisation",
    type=Number(_SHARE, least=1e-6, most=1),
    metavar="U",
    help="Share of the rented time in which the measured rate is kept up.  [default: 1]",
)
@click.option(
    "--lost-fraction",
    type=Number("a share from 0 to below 1", least=0, most=1 - 1e-6),
    metavar="F",
    help="Share of spot time that is lost to interruptions.  [default: 0]",
)
@click.option("--run-steps", type=Number("a whole number of steps, 1 or more", least=1, whole=True), metavar="N",
              help="Time and dollars of one training run of so many steps.")  # fmt: skip
@click.option("--run-tokens", type=Number("a number of tokens, 1 or more", least=1, most=1e24), metavar="T",
              help="Likewise, of so many tokens.")  # fmt: skip
@click.option("--startup", type=Duration(zero=True), metavar="SECONDS", help="Of that run, spent before its steps.")
@click.option("--checkpoints", type=Duration(zero=True), metavar="SECONDS", help="Of that run, for all checkpoints.")
@click.option("--goodput", type=Number(_SHARE, least=1e-6, most=1), metavar="F",
              help="Share of that run's time that is not lost.  [default: 1]")  # fmt: skip
@click.option("--training-tokens", metavar="T",
              type=Number("a number of tokens, 1 or more, such as 140e9", least=1, most=1e24),
              help="Project a training on so many tokens, for example 140e9.")  # fmt: skip
@click.option("--parameters", metavar="P",
              type=Number("a number of parameters, 1 or more, such as 7e9", least=1, most=1e18),
              help="Of the projected model, for example 7e9.")  # fmt: skip
@click.option("--chips", type=Number("a whole number of chips, 1 or more", least=1, whole=True), metavar="C",
              help="Accelerators of the projection.")  # fmt: skip
@click.option("--efficiency", type=Number(_SHARE, least=1e-6, most=1), metavar="E",
              help="Of scaling to them: yours, not measured.  [default: 1]")  # fmt: skip
@click.option("--rank", is_flag=True, help="Sort the costs of one workload, cheapest first.")
@click.option("--max-latency", type=Duration(), metavar="TIME", help="Rank only what is at least so fast: 0.05, 50ms.")
@click.option("--latency-percentile", type=click.Choice(["p50", "p90", "p99"]),
              help="Of which percentile.  [default: p99]")  # fmt: skip
@click.option("--min-throughput", type=Number("a number of items a second above 0", above=0), metavar="X",
              help="Rank only what does so many items a second.")  # fmt: skip
@click.option("--tariff", type=Number("US dollars per kWh above 0, for example 0.12", above=0),
              metavar="USD_PER_KWH", help="Show what the metered energy costs, apart from the rent.")  # fmt: skip
@click.option("--pue", type=Number("a number from 1 to 3", least=1, most=3), metavar="X",
              help="Power usage effectiveness of the building.  [default: 1]")  # fmt: skip
@click.option("--owned", type=_FILE, metavar="TOML", help="Hardware that is bought: see docs/costs.md for its keys.")
@click.option("--scorecards", is_flag=True, help="A training and an inference scorecard for each device.")
@click.option("--imported", type=_FILE, multiple=True, metavar="FILE",
              help="Results measured elsewhere, stored by `chipmark import`; several times.")  # fmt: skip
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "markdown", "json", "csv"]),
    default="table",
    show_default=True,
    help="table and markdown to read; json holds everything; csv has one row for each cost, with its whole price "
    "(requests are in the tables and json only).",
)
def command(runs: tuple[str, ...], **options: Any) -> None:
    """Price stored RUNs (folders of runs, or `latest`, which is the default).

    The price is that of the instance a run says it was made on, or of the one that is named. It
    comes from a dated table, never from the network. Only cases that ended ok have a cost.
    """
    from harness.cli.cost_report import cost_text
    from harness.cli.output import write_result

    write_result(cost_text(runs, options))
