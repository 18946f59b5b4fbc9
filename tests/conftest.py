"""Golden files: `pytest --update-golden` writes them anew; review the difference before keeping it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["tests.plugins"]
GOLDEN = Path(__file__).parent / "golden"


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script, where shells ignore Ctrl-C: the processes that tests
    # start and interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)`` compares text with ``tests/golden/<name>``."""

    def check(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")
            return
        assert file.is_file(), f"{file} is missing: run pytest --update-golden"
        with file.open(encoding="utf-8", newline="") as stored:
            assert text == stored.read(), f"{name} changed: if that is meant, run pytest --update-golden"

    return check
