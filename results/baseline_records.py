"""What lies in a store of baselines: entries, their sessions, and what replaced them.

Each file is one of these records, written once and never changed. ``sha256`` is of all its other
fields (as canonical JSON), so that a changed digit is noticed; it guards against accidents, not
against forgery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from results.record import Record, Scalar
from results.records import CaseSpec, Measurement, RunInfo

# History of the format of a baseline store. Runs and measurements within it carry the version of
# the run format (``results.records``) and are migrated by it.
#   1  first version
BASELINE_SCHEMA_VERSION = 1

T = TypeVar("T", bound=Record)


class BaselineEntry(Record, frozen=True, kw_only=True):
    """``baseline.json``: one case on one device. Its sessions all have these ``keys``."""

    schema_version: int = BASELINE_SCHEMA_VERSION
    sha256: str = ""
    case: CaseSpec
    device_name: str
    device_kind: str
    config_hash: str  # of the keys
    generation: int = 1  # 2 and up: made after the one before was superseded
    keys: dict[str, Scalar]
    gating: tuple[str, ...]  # metrics that decide; the others are told only
    created_at: str  # ISO 8601, UTC
    chipmark_version: str


class BaselineSession(Record, frozen=True, kw_only=True):
    """``sessions/<utc>-<id>.json``: what one run measured of the entry's case.

    ``run`` is the run's own record with the plan cut down to this case; ``measurements`` are its
    replicates, whose raw samples lie in the entry's ``raw`` folder.
    """

    schema_version: int = BASELINE_SCHEMA_VERSION
    sha256: str = ""
    session_id: str  # names the run it was taken from
    added_at: str  # ISO 8601, UTC
    chipmark_version: str  # that added it; the one that measured is in run.environment
    keys: dict[str, Scalar]
    context: dict[str, Scalar]
    run: RunInfo
    measurements: tuple[Measurement, ...]


class Superseded(Record, frozen=True, kw_only=True):
    """``superseded.json``: from then on the entry is kept and listed, but no longer used."""

    schema_version: int = BASELINE_SCHEMA_VERSION
    sha256: str = ""
    reason: str
    superseded_at: str  # ISO 8601, UTC
    chipmark_version: str


def run_identity(info: RunInfo) -> str:
    """12 hex digits that name a run wherever its folder is copied to.

    The run's name alone would not do: with ``--out`` it may be the same every night.
    """
    parts = [info.run_id, info.created_at, info.order_seed, info.environment.host_id]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]


def hash_keys(keys: Mapping[str, Scalar]) -> str:
    """12 hex digits over all comparability keys, whatever their order.

    Those in the path are included, because names of devices are shortened there.
    """
    return hashlib.sha256(msgspec.json.encode(keys, order="sorted")).hexdigest()[:12]


def sealed(record: T) -> T:
    """``record`` with its checksum."""
    return msgspec.structs.replace(record, sha256=checksum(msgspec.to_builtins(record)))


def checksum(fields: Mapping[str, object]) -> str:
    """SHA-256 over a record's fields except ``sha256``, independent of spacing and order."""
    rest = {name: value for name, value in fields.items() if name != "sha256"}
    return hashlib.sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()
