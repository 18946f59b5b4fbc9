"""The pages on devices: all there, all of one shape, and nothing in them that does not exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from backends.onnx_providers import ROWS
from harness.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "devices"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
INDEX = (FOLDER / "README.md").read_text()
SECTIONS = ["What can be measured", "Install", "Run", "Power", "Known to be wrong", "Did it run there?", "Mark"]
MARKS = ["measured on hardware", "run on the vendor's CPU device or simulator", "tested against a stub", "not yet"]


def mark_of(text: str) -> str:
    (mark,) = re.findall(r"^\*\*([^*]+)\*\*", text.partition("## Mark")[2].strip(), re.MULTILINE)
    return mark


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_the_sections_one_mark_and_sources(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert mark_of(text) in MARKS
    assert "\nSources: " in text
    assert len(text.splitlines()) <= 80


def test_the_index_names_every_page_with_its_mark_and_no_other() -> None:
    rows = re.findall(r"^\| \[[^\]]+\]\(([\w-]+)\.md\) \|.*\| ([^|]+) \|$", INDEX, re.MULTILINE)
    assert len(PAGES) >= 12
    assert sorted(name for name, _ in rows) == [page.stem for page in PAGES]
    for name, mark in rows:
        assert mark == mark_of((FOLDER / f"{name}.md").read_text()), name


def test_extras_options_and_commands_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    commands = {name: cli.get_command(None, name) for name in COMMANDS}  # type: ignore[arg-type]
    for page in PAGES:
        text = page.read_text()
        for names in re.findall(r"chipmark\[([\w,-]+)\]", text):
            assert set(names.split(",")) <= extras.keys(), page.name
        code = "\n".join(re.findall(r"^    .*$|`chipmark [^`]+`", text, re.MULTILINE))
        for name, rest in re.findall(r"(?:^ +|`)chipmark ([a-z]+)([^\n`#]*)", code, re.MULTILINE):
            assert name in commands, (page.name, name)
            command = commands[name]
            if isinstance(command, click.Group):
                inner = command.get_command(None, rest.split()[0])  # type: ignore[arg-type]
                assert inner is not None, (page.name, rest)
                command = inner
            known = {option for param in command.params for option in param.opts}  # type: ignore[union-attr]
            assert set(re.findall(r" (--?[a-z][a-z-]*)", rest)) <= known, (page.name, name, rest)


def test_every_execution_provider_is_on_a_page() -> None:
    everything = "\n".join(page.read_text() for page in PAGES)
    for row in ROWS:
        for target in row.targets:
            suffix = f":{target.suffix}" if target.suffix else ""
            device = f"`{row.short}{suffix}`".replace(":N`", ":0`")
            assert device in everything, row.name
    assert {row.short for row in ROWS} >= {"cpu", "openvino", "qnn", "coreml"}


def test_links_lead_somewhere() -> None:
    for page in (*PAGES, FOLDER / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)
