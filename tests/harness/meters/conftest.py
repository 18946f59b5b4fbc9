"""What tests of energy around passes share: a fake backend on a fake clock, and only the meters that a test names."""

from __future__ import annotations

import pytest

from harness import meters
from tests.harness.test_worker import backend  # noqa: F401


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """Make these meters the only ones there are."""

    def register(**found: object) -> None:
        monkeypatch.setattr(meters.REGISTRY, "names", lambda: sorted(found))
        for name, meter in found.items():
            monkeypatch.setitem(meters.REGISTRY._values, name, meter)
            monkeypatch.setitem(meters.REGISTRY._resolved, name, meter)

    return register
