"""``chipmark schema``: the stored format, for other programs."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of everything that chipmark stores, or prints as JSON."""
    from harness.cli.output import write_result
    from results.schema import schema_text

    write_result(schema_text())
