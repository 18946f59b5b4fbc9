"""What is known of the sensors of each generation, and what is taken where nothing is."""

from __future__ import annotations

import pytest

from harness.meters.nvidia_sensors import parse_capability, sensors_of


def test_capabilities_as_torch_writes_them() -> None:
    assert parse_capability("8.9") == (8, 9)
    assert parse_capability("x") is None
    assert parse_capability(None) is None


def test_usage_is_part_time_on_ga100_only() -> None:
    assert sensors_of((8, 0)).usage.part_time
    assert not sensors_of((9, 0)).usage.part_time


@pytest.mark.parametrize("capability", [None, (5, 2), (8, 7), (10, 0), (12, 0)])
def test_what_is_not_known_is_taken_as_part_time(capability: tuple[int, int] | None) -> None:
    sensors = sensors_of(capability)
    assert not sensors.is_known
    assert sensors.instant.part_time
    assert sensors.average.part_time
    assert sensors.usage.part_time
    assert sensors.behind_counter.part_time


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (8, 9)])
def test_sensors_that_see_all_leave_their_counter_whole(capability: tuple[int, int]) -> None:
    assert sensors_of(capability).behind_counter == (None, None, False)
