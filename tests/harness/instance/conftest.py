"""A fake cloud for a test, and a second server that nothing may ever speak to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.instance.fake_clouds import Cloud, served


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """All four clouds' metadata services at once."""
    with served() as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[Cloud]:
    """A proxy, or where a redirect points; it logs whoever comes."""
    with served() as server:
        yield server
