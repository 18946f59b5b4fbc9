"""What must hold around timed code, each condition seen from inside a step."""

from __future__ import annotations

import gc

import pytest

from harness import worker
from harness.timed_loop import quiet_gc
from tests.harness.test_worker import FakeBackend, backend, measure  # noqa: F401  a fixture


def test_no_garbage_is_collected_while_steps_are_measured(
    backend: FakeBackend,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enabled: list[tuple[str, bool]] = []
    run = backend.step.run

    def seen(i: int) -> None:
        stages = [entry for entry in backend.log if entry.startswith("stage ")]
        enabled.append((stages[-1], gc.isenabled()))
        run(i)

    monkeypatch.setattr(backend.step, "run", seen)
    assert gc.isenabled()
    measure(backend)
    measured = [value for stage, value in enabled if stage == "stage measure"]
    assert len(measured) > 60
    assert not any(measured)
    assert gc.isenabled()


def test_collection_is_as_before_after_an_error() -> None:
    def fail() -> None:
        with quiet_gc():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()


def test_the_peak_of_memory_begins_at_preparation(
    backend: FakeBackend,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "reset_peak_memory", lambda: backend.log.append("reset peak"))
    measure(backend)
    order = [entry for entry in backend.log if entry in ("reference", "reset peak", "prepare")]
    assert order == ["reference", "reset peak", "prepare"]
