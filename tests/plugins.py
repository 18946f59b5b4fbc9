"""Fixtures that install the example plugin package and run the real ``chipmark`` with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN_SOURCE = Path(__file__).parent / "plugin_package"
QUICK = """
[suite]
name = "plugin"
[measure]
min_seconds = 0.1
max_seconds = 1.0
warmup_max_seconds = 0.3
timeout_seconds = 60
progress_timeout_seconds = 2
energy_min_seconds = 0
energy_idle_seconds = 0
"""


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example plugin."""
    target = tmp_path_factory.mktemp("plugin")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
               "--disable-pip-version-check", "--target", str(target), str(PLUGIN_SOURCE)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


@pytest.fixture
def plugin_environment(plugin_folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(plugin_folder)}


Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def chipmark(tmp_path: Path, plugin_environment: dict[str, str]) -> Runner:
    """Run ``chipmark ARGUMENTS`` in an empty folder, with the plugin installed."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *map(str, arguments)]
        fields: dict = {
            "cwd": tmp_path,
            "env": plugin_environment,
            "capture_output": True,
            "text": True,
            "timeout": 120,
        }
        return subprocess.run(command, check=False, **(fields | options))

    return run


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    """Write a suite of cases for the example workload: ``write_suite(backend, options...)``."""

    def write(*cases: str, measure: str = "") -> Path:
        path = tmp_path / "suite.toml"
        text = QUICK + measure
        for case in cases:
            text += f'\n[[case]]\nworkload = "example-counter"\n{case}\n'
        path.write_text(text)
        return path

    return write
