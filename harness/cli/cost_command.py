"""Help in sections: a command whose options are many is read by what they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click


class SectionedCommand(click.Command):
    """A command whose options are listed under headings.

    Set :attr:`sections` to heading -> names of parameters; what is in none of them comes last, under "Options".
    """

    sections: Mapping[str, Sequence[str]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section that has options."""
        records = {
            param.name: record
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None
        }
        placed = {name for names in self.sections.values() for name in names}
        rest = [name for name in records if name not in placed]
        for heading, names in [*self.sections.items(), ("Options", rest)]:
            listed = [records[name] for name in names if name in records]
            if listed:
                with formatter.section(heading):
                    formatter.write_dl(listed)
