"""Blocks of tables as a GitHub-flavoured Markdown page: the same cells as on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results.notes import Notes
from results.render_markdown import escape
from results.render_table import Block


def markdown_blocks(
    header: Sequence[str], blocks: Sequence[Block], notes: Notes, general: Sequence[str], last_line: str
) -> str:
    """A page: header, a table for each block under its heading, numbered notes, general notes, a last line."""
    lines = [f"- {escape(line)}" for line in header]
    for block in blocks:
        lines += ["", block_markdown(block)]
    numbered = [f"{number}. {escape(text)}" for number, text in notes.lines()]
    lines += ["", *numbered] if numbered else []
    lines += ["", *(f"- {escape(text)}" for text in general)] if general else []
    return "\n".join([*lines, "", escape(last_line)]) + "\n"


def block_markdown(block: Block) -> str:
    """One heading and its table, without an end of line."""
    lines = [
        f"### {escape(block.heading)}",
        "",
        _line(escape(column.name) for column in block.columns),
        _line("---:" if column.numeric else "---" for column in block.columns),
    ]
    return "\n".join([*lines, *(_line(escape(cell) for cell in row) for row in block.rows)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
