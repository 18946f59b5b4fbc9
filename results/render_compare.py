"""A comparison as text: the formats, and the ones that are short enough to stand here."""

from __future__ import annotations

import re

from results.comparison import ComparisonReport
from results.render import TABLE_WIDTH, json_text

FORMATS = ("table", "markdown", "json", "junit", "github")


def render_comparison(
    report: ComparisonReport, output_format: str, width: int = TABLE_WIDTH, color: bool = False
) -> str:
    """A comparison as text in one of :data:`FORMATS`, ending in a newline."""
    if output_format == "json":
        # JSON may hold these as they are, but a terminal would obey them.
        return re.sub("[\x7f-\x9f]", lambda match: f"\\u{ord(match.group()):04x}", json_text(report))
    if output_format == "junit":
        from results.junit import junit

        return junit(report)
    if output_format == "github":
        from results.github_annotations import github_annotations

        return github_annotations(report)
    if output_format == "markdown":
        from results.render_compare_markdown import markdown

        return markdown(report)
    from results.render_compare_table import table

    return table(report, width, color)
