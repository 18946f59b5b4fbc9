"""MLPerf's LoadGen as referee; where it cannot be had, these tests are skipped and say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.referee.loadgen import Judgement, run_loadgen, unavailable

MODELS: dict[str, dict[str, Any]] = {
    "no-op": {"step": "none"},
    "text-encoder": {"step": "onnx", "workload": "text-encoder"},
    "image-classifier": {"step": "onnx", "workload": "image-classifier"},
}
Judge = Callable[..., Judgement]


@pytest.fixture(scope="session")
def export_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("referee-cache")


@pytest.fixture(scope="session")
def loadgen(tmp_path_factory: pytest.TempPathFactory, export_cache: Path) -> Judge:
    """``loadgen(step=..., ...)`` runs one test and gives LoadGen's judgement of it."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    return lambda **job: run_loadgen(tmp_path_factory.mktemp("loadgen"), cache=export_cache, **job)


@pytest.fixture(scope="session", params=MODELS)
def judged(request: pytest.FixtureRequest, loadgen: Judge) -> Judgement:
    """1500 single-stream queries of each of three models."""
    return loadgen(num_queries=1500, **MODELS[request.param])
