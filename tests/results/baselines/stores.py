"""A store of baselines to test with."""

from __future__ import annotations

from pathlib import Path

from results.baseline_create import create
from results.baseline_writer import StoreWriter
from results.evidence import session_cases
from tests.results.sessions import session

NOW = "2026-11-24T12:00:00+00:00"


def add(store: Path, *runs, gating=()):
    with StoreWriter(store, NOW, "0.1.0") as writer:
        return create(runs, writer, gating)


def candidate(tmp_path, **changes):
    return session_cases(session(tmp_path / "new", hour=100, **changes))


def files(store):
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
