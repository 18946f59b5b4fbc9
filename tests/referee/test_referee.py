"""The referee cannot take the tests down with it: LoadGen aborts, and waits for ever."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.referee.conftest import Judge
from tests.referee.loadgen import ROOT, LoadGenFailed, unavailable


def test_a_step_that_never_answers_is_killed(loadgen: Judge) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        loadgen(step="hanging", num_queries=10, timeout_s=2.0)


def test_a_step_that_fails_is_told(loadgen: Judge) -> None:
    with pytest.raises(LoadGenFailed, match="the step has failed"):
        loadgen(step="raising", num_queries=10)


def test_the_referee_is_the_version_we_pin(loadgen: Judge) -> None:
    assert loadgen(step="none", num_queries=100).detail["loadgen_version"].startswith("6.0.17 ")


def test_no_test_process_holds_loadgen(loadgen: Judge) -> None:
    loadgen(step="none", num_queries=100)
    assert "mlperf_loadgen" not in sys.modules


def test_absence_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "LoadGen cannot be imported (exit code 1)" in unavailable()


def test_the_document_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs" / "referee.md").read_text())
    assert len(set(named)) >= 8
    assert [name for name in named if not (ROOT / name).is_file()] == []
