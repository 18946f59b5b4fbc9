"""The base of every stored type, and the small vocabularies that several of them share."""

from __future__ import annotations

from typing import Literal

import msgspec

Scalar = str | int | float | bool | None
# Of a guard; what cannot be read is UNKNOWN, never PASS.
GuardVerdict = Literal["PASS", "WARN", "FAIL", "UNKNOWN"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every stored type."""
