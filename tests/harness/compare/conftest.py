"""The real command line, called in an empty folder."""

from __future__ import annotations

import pytest

from harness.cli.main import _run
from tests.results.sessions import sessions


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Run ``chipmark ARGUMENTS`` in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        code = _run([str(argument) for argument in arguments], False)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def base(tmp_path, call):
    """A store (the default one) with three sessions; their folders."""
    runs = sessions(tmp_path / "base", 3)
    code, out, _ = call("baseline", "create", *(run.path for run in runs))
    assert code == 0, out
    return [run.path for run in runs]
