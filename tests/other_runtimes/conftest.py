"""Pythons with another ONNX Runtime, named by the environment; without them these tests are skipped."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 500  # a first export in a fresh environment, on a slow machine

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _run_with(variable: str, cache: Path) -> Run:
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python")

    def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CHIPMARK_CACHE": str(cache)}
        command = [python, "-m", *arguments]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)

    return run


@pytest.fixture(scope="session")
def openvino(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run_with("CHIPMARK_TEST_OPENVINO_PYTHON", tmp_path_factory.mktemp("openvino-cache"))


@pytest.fixture(scope="session")
def qnn(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run_with("CHIPMARK_TEST_QNN_PYTHON", tmp_path_factory.mktemp("qnn-cache"))


@pytest.fixture(scope="session")
def planted() -> Callable[..., dict[str, Any]]:
    """The facts of a graph of ``planted.py`` on a device."""

    def planted(run: Run, *arguments: str) -> dict[str, Any]:
        done = run("tests.other_runtimes.planted", *arguments)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return planted
