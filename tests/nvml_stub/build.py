"""Compile the stub, and keep a process that has it loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

STATE_VARIABLE = "CHIPMARK_NVML_STUB"
SOURCE = Path(__file__).with_name("stub.c")
ROOT = SOURCE.parent.parent.parent


def build(folder: Path, without: Sequence[str] = ()) -> Path:
    """``libnvidia-ml.so.1`` in ``folder``, leaving out the functions named; skips where nothing compiles C."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        if os.environ.get("CI"):  # there these tests must not vanish silently
            pytest.fail("no C compiler here to build the NVML stub with")
        pytest.skip("no C compiler here to build the NVML stub with")
    library = folder / "libnvidia-ml.so.1"
    renames = [f"-D{name}=absent_{name}" for name in without]
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-pthread",
        "-Wall",
        "-Werror",
        *renames,
        "-o",
        str(library),
        str(SOURCE),
    ]
    subprocess.run(command, check=True, timeout=60)
    return library


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """The state file; a value is one word, or a list of words for successive calls."""
    lines = [
        f"{key} {' '.join(map(str, value)) if isinstance(value, list | tuple) else value}\n"
        for key, value in state.items()
    ]
    temporary = path.with_suffix(".new")
    temporary.write_text("".join(lines))
    temporary.replace(path)  # at once: the stub reads it at every call


class Machine:
    """A Python process with the stub loaded, for calls of ``module:function`` with JSON arguments.

    Args:
        folder: where library and state lie.
        without: functions that this version of NVML does not have.
    """

    def __init__(self, folder: Path, without: Sequence[str] = ()) -> None:
        self._state = folder / "state.txt"
        library = build(folder, without)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), STATE_VARIABLE: str(self._state)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nvml_stub.serve"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process that asks NVML."""
        return self._process.pid

    def call(self, target: str, state: Mapping[str, object], **arguments: object) -> Any:
        """Call ``module:function`` there with this state of the cards."""
        write_state(self._state, state)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([target, arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
