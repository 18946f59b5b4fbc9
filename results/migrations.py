"""Bring records of older schema versions up to date, one version at a time.

Each entry of ``STEPS`` turns a record (as decoded JSON) of version N into one of version N+1.
A fixture of every old version is kept under ``tests/results/fixtures``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from results.records import SCHEMA_VERSION

# version N -> function(record, kind) giving version N+1; kind is "RunInfo" or "Measurement"
STEPS: dict[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    1: lambda record, kind: _to_2(record, kind),
    2: lambda record, kind: _to_3(record, kind),
    3: lambda record, kind: _to_4(record, kind),
}


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


def _to_2(record: dict[str, Any], kind: str) -> dict[str, Any]:
    """Version 1 knew neither process statistics nor the self-check; readers compute the former."""
    if kind == "RunInfo":
        # What version 1 did: it stopped at the minima, whatever the interval.
        return record | {
            "measure": {"half_width": 1.0, **record.get("measure", {})},
            "selfcheck_reason": "made with a chipmark that had no self-check",
        }
    return record


def _to_3(record: dict[str, Any], kind: str) -> dict[str, Any]:
    """Version 2 had one reading a measurement, over both passes, and made no windows for it."""
    if kind == "RunInfo":
        measure = {"energy_min_seconds": 0.0, "energy_idle_seconds": 0.0, **record.get("measure", {})}
        return record | {"measure": measure}
    reading = record.get("energy")
    return record | {"energy": [reading] if reading else []}


def _to_4(record: dict[str, Any], kind: str) -> dict[str, Any]:
    """Version 3 did not ask what is rented."""
    if kind == "RunInfo":
        return record | {"instance_reason": "made with a chipmark that did not look for one"}
    return record
