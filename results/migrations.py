"""Bring records of older schema versions up to date, one version at a time.

Each entry of ``STEPS`` turns a record (as decoded JSON) of version N into one of version N+1.
A fixture of every old version is kept under ``tests/results/fixtures``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from results.records import SCHEMA_VERSION

# version N -> function(record, kind) giving version N+1; kind is "RunInfo" or "Measurement"
STEPS: dict[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {}


def migrate(record: dict[str, Any], kind: str) -> dict[str, Any]:
    """``record`` in the newest version.

    Raises:
        ValueError: its version is unknown.
    """
    version = record["schema_version"]
    while version < SCHEMA_VERSION:
        if version not in STEPS:
            raise ValueError(f"schema version {version} is unknown")
        record = STEPS[version](record, kind)
        version += 1
        record["schema_version"] = version
    return record
