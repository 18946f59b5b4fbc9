"""What a person sees while a run goes on: on a real pseudo-terminal, and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.progress import BarProgress
from tests.harness.fakes import make_case
from tests.plugins import Runner

WriteSuite = Callable[..., Path]
TWO = 'backend = "example"\nbatch_size = [1, 2]'


def in_terminal(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Everything the command wrote to its terminal, without control sequences."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "harness", *arguments], environment)
    output = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of a terminal so
            break
        if not part:
            break
        output += part
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_terminal_shows_cases_done_stage_and_time_left(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path, columns: int
) -> None:
    environment = plugin_environment | {"TERM": "xterm-256color", "COLUMNS": str(columns)}
    text = in_terminal(["run", str(write_suite(TWO)), "--out", "run"], tmp_path, environment)
    for part in (
        "loading example and looking for devices",
        "0/2",
        "1/2",
        "2/2",
        "prepare: ",
        "warm-up and measuring" if columns > 80 else "warm-up",
    ):
        assert part in text
    assert re.search(r"1/2 .*about \d+ s left \w+: ", text)
    shown, _, _ = text.partition("suite plugin")  # the table names cases whatever the width
    assert ("example-counter/tiny infer fp32" in shown) == (columns > 80)
    assert "2 ok, 0 unsupported, 0 failed" in text


def test_a_pipe_gets_one_line_a_case(chipmark: Runner, write_suite: WriteSuite) -> None:
    lines = chipmark("run", write_suite(TWO), "--out", "run").stderr.splitlines()
    assert [line[:5] for line in lines if line.startswith("[")] == ["[1/2]", "[2/2]"]


def test_quiet_says_only_where_the_run_is(chipmark: Runner, write_suite: WriteSuite) -> None:
    done = chipmark("run", write_suite(TWO), "--out", "run", "--quiet")
    assert done.stderr.splitlines() == ["stored in run; again: chipmark show run"]


def test_nothing_is_drawn_while_a_worker_measures() -> None:
    drawn: list[str] = []
    bar = BarProgress(1)
    bar._show = drawn.append  # type: ignore[method-assign]
    case = make_case()
    for stage in ("prepare", "warmup", "measure", "finish"):
        bar.stage_changed(case, stage)  # type: ignore[arg-type]
    assert [text.partition(": ")[0] for text in drawn] == ["prepare", "warm-up and measuring", "finish"]
