"""Bounds of the values in a suite: what could not be stored, would never end, or means nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from results.errors import SuiteError
from results.records import MeasureSpec

# A week: longer than any case, and within what the operating system's waits can hold.
MAX_SECONDS = 7 * 24 * 3600.0
MAX_REPLICATES = 10_000
# Sizes of tensors are signed 32-bit in more than one kernel library.
MAX_SIZE = 2**31 - 1
MAX_SEED = 2**32 - 1
# Integers above this are not exact in JSON readers that use doubles.
MAX_INTEGER = 2**53
# A half-width is a share of the value: above 1 it was meant in per cent.
_MAY_BE_0 = ("energy_min_seconds", "energy_idle_seconds")
_LIMITS = {"replicates": MAX_REPLICATES, "min_iterations": 10**9, "max_iterations": 10**12, "half_width": 1}


def check_measure(measure: MeasureSpec, source: str) -> None:
    """Raise SuiteError unless every field is finite, above 0 and below its limit."""
    for field in MeasureSpec.__struct_fields__:
        value = getattr(measure, field)
        if isinstance(value, bool):
            continue
        most = _LIMITS.get(field, MAX_SECONDS)
        if field in _MAY_BE_0 and value == 0:
            continue
        if not (math.isfinite(value) and 0 < value <= most):
            least = "at least 0" if field in _MAY_BE_0 else "greater than 0"
            raise SuiteError(f"{source}: measure.{field}: must be {least} and at most {most:.15g}, is {value}")
    if measure.max_seconds < measure.min_seconds:
        raise SuiteError(f"{source}: measure.max_seconds: is below measure.min_seconds")
    if measure.progress_timeout_seconds <= measure.warmup_max_seconds:
        # A worker says nothing while it warms up.
        raise SuiteError(
            f"{source}: measure.progress_timeout_seconds: must be greater than measure.warmup_max_seconds "
            f"({measure.warmup_max_seconds:g}), is {measure.progress_timeout_seconds:g}"
        )


def check_axis(key: str, values: Sequence[Any], place: str) -> None:
    """Raise SuiteError if one key of a case entry has no values, or one out of bounds."""
    if not values:
        raise SuiteError(f"{place}.{key}: is an empty list: nothing would be measured")
    for value in values:
        if (key == "batch_size" or key.startswith("shape.")) and value is not None:
            _check_range(value, 1, MAX_SIZE, f"{place}.{key}")
        elif key.startswith("options.") and isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise SuiteError(f"{place}.{key}: must be a finite number, is {value}")
            _check_range(value, -MAX_INTEGER, MAX_INTEGER, f"{place}.{key}")


def check_entry(scenarios: Sequence[str], seed: int, place: str) -> None:
    """Raise SuiteError for a case entry with no or repeated scenarios, or a seed out of bounds."""
    if not scenarios:
        raise SuiteError(f"{place}.scenarios: is empty: nothing would be measured")
    if len(set(scenarios)) < len(scenarios):
        raise SuiteError(f"{place}.scenarios: names one twice")
    _check_range(seed, 0, MAX_SEED, f"{place}.seed")


def check_seconds(seconds: float | None, place: str) -> None:
    """Raise SuiteError for a duration that is not finite, not above 0 or longer than a week; None is none."""
    if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= MAX_SECONDS):
        raise SuiteError(f"{place}: must be greater than 0 and at most {MAX_SECONDS:.15g}, is {seconds}")


def _check_range(value: float, least: int, most: int, place: str) -> None:
    if not least <= value <= most:
        raise SuiteError(f"{place}: must be at least {least} and at most {most}, is {value}")
