"""The workflows that docs/ci.md offers: they parse, and chipmark takes every command in them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # comes with transformers

from harness.cli.main import cli
from harness.suite import suite_names
from results.errors import ChipmarkError, ExitCode

DOCS = Path(__file__).resolve().parent.parent / "docs"
CI = (DOCS / "ci.md").read_text()
WORKFLOWS = sorted((DOCS / "examples").glob("*.yml"))
# What ends a command in a shell, or starts another.
ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "2>", "<"}


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    content = yaml.safe_load(workflow.read_text())
    return [step for job in content["jobs"].values() for step in job["steps"]]


def commands_in(script: str) -> list[list[str]]:
    """The words of every chipmark command of a shell script or a document's code lines."""
    found = []
    for line in re.sub(r"\\\n", " ", script).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] | None = None
        for word in [*lexer, ";"] if "chipmark " in line else []:
            if word in ENDS:
                if words:
                    found.append(words)
                words = None
            elif words is not None:
                words.append(word)
            elif word == "chipmark":
                words = []
    return found


def parse(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Run a command line through the real parser, down to its command; nothing is executed.

    Returns the command's whole name and its parameters.
    """
    command: click.Command = cli
    context = command.make_context("chipmark", list(words))
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, name
        command = found
        context = command.make_context(name, rest, parent=context)
    return context.command_path, context.params


def all_commands() -> list[list[str]]:
    scripts = [step["run"] for workflow in WORKFLOWS for step in steps_of(workflow) if "run" in step]
    scripts.append("\n".join(re.findall(r"^ {4}(chipmark .*)", CI, re.MULTILINE)))
    return [words for script in scripts for words in commands_in(script)]


def test_there_are_the_two_workflows_and_the_document_links_them() -> None:
    assert [path.name for path in WORKFLOWS] == ["cpu-smoke.yml", "gpu-baseline.yml"]
    assert all(f"(examples/{path.name})" in CI for path in WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_what_github_asks_of_it(workflow: Path) -> None:
    content = yaml.safe_load(workflow.read_text())
    assert {"name", True, "permissions", "jobs"} <= set(content)  # YAML 1.1 reads a bare `on` as true
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 360
        assert job["runs-on"]
    for step in steps_of(workflow):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_chipmark_takes_every_command(words: list[str]) -> None:
    name, params = parse(words)
    if name == "chipmark run":
        assert params["suite"] in suite_names()


def test_the_commands_are_found_and_the_parser_minds() -> None:
    names = {parse(words)[0] for words in all_commands()}
    assert {"chipmark run", "chipmark show", "chipmark compare", "chipmark baseline create"} <= names
    assert commands_in('x=0\nchipmark compare a --store "$S" > b || x=$? # chipmark run') == [
        ["compare", "a", "--store", "$S"]
    ]
    with pytest.raises(click.NoSuchOption):
        parse(["run", "smoke", "--chekc"])
    with pytest.raises(click.BadParameter):
        parse(["show", "x", "--format", "junitt"])
    with pytest.raises(ChipmarkError):
        parse(["comprae"])


def test_the_workflow_and_the_document_handle_every_exit_code_of_compare() -> None:
    (script,) = (s["run"] for s in steps_of(DOCS / "examples" / "gpu-baseline.yml") if "case" in s.get("run", ""))
    named = {int(code) for code in re.findall(r"^ +(\d)\) ", script, re.MULTILINE)}
    assert named == {ExitCode.DONE, ExitCode.CASE_FAILED, ExitCode.SLOWER, ExitCode.NOT_COMPARABLE}
    assert script.rstrip().endswith('exit "$code"')
    assert [int(code) for code in re.findall(r"^\| (\d) \|", CI, re.MULTILINE)] == [0, 1, 2, 3, 4, 5]


def run_shell(tmp_path: Path, code: int) -> int:
    """The comparison step of the workflow, with a chipmark that only ends with ``code``."""
    (script,) = (s["run"] for s in steps_of(DOCS / "examples" / "gpu-baseline.yml") if "case" in s.get("run", ""))
    fake = tmp_path / "chipmark"
    fake.write_text(f"#!/bin/sh\nexit {code}\n")
    fake.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(tmp_path / "page"), "STORE": "s",
    }  # fmt: skip
    # As GitHub starts it.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 130])
def test_the_step_ends_as_compare_does(tmp_path: Path, code: int) -> None:
    assert run_shell(tmp_path, code) == code
