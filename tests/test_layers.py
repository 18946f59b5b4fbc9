"""The floors of the house: imports go down only, files stay small, light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"results": 0, "workloads": 1, "backends": 2, "harness": 3}
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
MAX_LINES = 300


def imported_packages(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def test_there_are_sources() -> None:
    assert len(SOURCES) > 30


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    own = FLOORS[path.relative_to(ROOT).parts[0]]
    above = {name for name, floor in FLOORS.items() if floor > own}
    assert not imported_packages(path) & above
    assert "tests" not in imported_packages(path)


PROJECT_FILES = sorted(path for folder in (*FLOORS, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", PROJECT_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def modules_after(*arguments: str) -> set[str]:
    """The top-level modules loaded after running ``chipmark`` with these arguments."""
    code = (
        "import sys\nsys.argv = ['chipmark', *sys.argv[1:]]\n"
        "from harness.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return set(line.split())


HEAVY = {"torch", "onnxruntime", "onnx", "pynvml", "transformers", "torchao"}
NOT_FOR_HELP = HEAVY | {"pandas", "numpy", "scipy", "rich", "importlib.metadata"}
HELP_COMMANDS = [("--help",), ("run", "--help"), ("show", "--help"), ("cost", "--help"), ("devices", "--help"),
                 ("list", "--help"), ("schema", "--help")]  # fmt: skip


@pytest.mark.parametrize("arguments", HELP_COMMANDS, ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not modules_after(*arguments) & NOT_FOR_HELP


def test_list_imports_no_framework() -> None:
    loaded = modules_after("list")
    assert "workloads.llm_decoder" in loaded
    assert not loaded & HEAVY
