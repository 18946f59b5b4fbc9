"""The commands in a process of their own: what they import, what their help says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cli.main import cli
from results.errors import ExitCode
from tests.results.sessions import session

HEAVY = {"torch", "onnxruntime", "onnx", "pynvml", "transformers", "torchao"}
NOT_FOR_HELP = HEAVY | {"pandas", "numpy", "scipy", "rich", "importlib.metadata"}
HELP = [("compare", "--help"), ("baseline", "--help"),
        *(("baseline", name, "--help") for name in ("create", "list", "show", "supersede"))]  # fmt: skip


def started(folder, *arguments):
    code = (
        "import sys\nfrom harness.cli.main import _run\ncode = _run(sys.argv[1:], False)\n"
        "print('MODULES', *sys.modules, file=sys.stderr)\nsys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder, check=False
    )


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help(golden, tmp_path, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = started(tmp_path, *arguments)
    assert done.returncode == 0
    assert not set(done.stderr.rpartition("MODULES ")[2].split()) & NOT_FOR_HELP
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    golden(f"help-{'-'.join(arguments[:-1])}.txt", done.stdout)


def test_comparing_needs_no_framework(base, tmp_path):
    session(tmp_path / "new", hour=100, scale=1.2)
    done = started(tmp_path, "compare", "new")
    assert done.returncode == ExitCode.SLOWER, done.stderr
    assert not set(done.stderr.rpartition("MODULES ")[2].split()) & (HEAVY | {"pandas", "scipy.stats"})
    listed = started(tmp_path, "baseline", "list")
    assert not set(listed.stderr.rpartition("MODULES ")[2].split()) & (HEAVY | {"pandas", "scipy.stats"})


def test_about_a_dozen_options():
    compare = cli.get_command(None, "compare")
    assert len([p for p in compare.params if p.param_type_name == "option"]) <= 15
    for name in ("compare", "baseline"):
        command = cli.get_command(None, name)
        for each in (command, *getattr(command, "commands", {}).values()):
            assert each.help
            assert all(option.help for option in each.params if option.param_type_name == "option")
