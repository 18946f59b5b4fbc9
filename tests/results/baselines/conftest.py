"""A store of baselines to test with."""

from __future__ import annotations

import pytest

from tests.results.baselines.stores import add
from tests.results.sessions import sessions


@pytest.fixture
def store(tmp_path):
    """A store with one entry of three sessions."""
    report = add(tmp_path / "store", *sessions(tmp_path / "base", 3))
    assert [len(report.added), len(report.barred)] == [3, 0]
    return tmp_path / "store"
