"""Guards on energy readings."""

from __future__ import annotations

from collections.abc import Sequence

from results.records import EnergyReading, Guard


def energy_guards(readings: Sequence[EnergyReading]) -> tuple[Guard, ...]:
    """What is wrong with the main reading of each pass; none where nothing was read."""
    return ()
