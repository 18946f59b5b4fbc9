"""``chipmark schema``: the stored format, for other programs."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of run.json, measurements.jsonl and the JSON that show and cost print."""
    from harness.cli.output import write_result
    from results.schema import schema_text

    write_result(schema_text())
