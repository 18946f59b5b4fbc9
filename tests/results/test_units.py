from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import units
from results.metrics import METRICS


@pytest.mark.parametrize(("format_value", "value", "text"), [
    (units.seconds, 0.00123, "1.23 ms"), (units.seconds, 0.0009996, "1.00 ms"), (units.seconds, 999.4e-6, "999 us"),
    (units.seconds, 1.0, "1.00 s"), (units.seconds, 12345.0, "12,300 s"), (units.seconds, 3e-9, "3.00 ns"),
    (units.seconds, 0.0, "0 s"), (units.seconds, 0.0999999, "100 ms"),
    (units.rate, 12345, "12.3k/s"), (units.rate, 0.5, "0.500/s"), (units.rate, 999.6, "1.00k/s"),
    (units.count, 400.0, "400"), (units.count, 1.6e3, "1.60k"), (units.count, 2.5e9, "2.50G"),
    (units.flops, 1.2e12, "1.20 TFLOP/s"), (units.flops, 12.0, "12.0 FLOP/s"),
    (units.memory, 1610612736, "1.50 GiB"), (units.memory, 512, "512 B"), (units.memory, 1024, "1.00 KiB"),
    (units.joules, 1234.0, "1.23 kJ"), (units.joules, 0.0049, "4.90 mJ"), (units.watts, 0.25, "250 mW"),
    (units.watts, 72.0, "72.0 W"), (units.joules, 0.9999, "1.00 J"),
    (units.percent, 0.96875, "96.9 %"), (units.percent, 1.0, "100 %"),
    (units.ratio, 0.00123, "1.23e-03"), (units.ratio, 0.0, "0"),
    (units.usd, 0.76444, "$0.764"), (units.usd, 6.1156, "$6.12"), (units.usd, 1234.5, "$1,230"),
    (units.usd, 0.0, "$0"), (units.usd, 0.0000764, "$0.0000764"), (units.usd, 7.6e-7, "$7.60e-07"),
])  # fmt: skip
def test_text(format_value, value, text):
    assert format_value(value) == text


def test_none_is_not_available_everywhere():
    assert {metric.format(None) for metric in METRICS} == {"n/a"}
    assert units.usd(None) == "n/a"


@settings(deadline=None)
@given(st.floats(1e-9, 999.4))
def test_a_time_keeps_three_digits_and_seven_characters(value):
    text = units.seconds(value)
    number, unit = text.split(" ")
    assert len(re.sub(r"[.,]", "", number).lstrip("0") or "0") <= 3
    assert float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit] == pytest.approx(value, rel=5.1e-3)
    assert len(text) <= 7


@settings(deadline=None)
@given(st.floats(1e-3, 9.9e17))
def test_a_count_fits_its_column(value):
    assert len(units.count(value)) <= 8
