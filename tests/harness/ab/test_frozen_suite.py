"""A suite written out case by case expands to the same cases."""

from __future__ import annotations

import msgspec
import pytest

from harness.ab.frozen_suite import suite_text
from harness.plan import Filters, combine
from harness.suite import load_suite, parse_suite, suite_names

ODD = """
[suite]
name = "od\\"d \\\\ n\u00e4me"
description = "two\\nlines \\u007f and a tab\\t"
[measure]
min_seconds = 0.25
max_iterations = 77
replicates = 9
[[case]]
workload = ["text-encoder", "llm-decoder"]
phase = ["train"]
precision = ["fp32", "bf16"]
batch_size = [1, 3]
options = { threads = [1, 2], compile = [false, true] }
scenarios = ["latency"]
seed = 5
"""


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_expand_to_the_same_cases(name):
    suite = load_suite(name)
    cases = combine(suite, Filters(precisions=("fp32",)))
    again = parse_suite(suite_text(suite, cases), "again")
    assert combine(again, Filters()) == cases
    # Windows for energy are left at their defaults: energy is not measured in pairs unless asked for.
    others = ("replicates", "energy", "energy_min_seconds", "energy_idle_seconds")
    assert again.measure == msgspec.structs.replace(
        suite.measure, **{name: getattr(again.measure, name) for name in others}
    )
    assert "energy" not in suite_text(suite, cases)


def test_odd_text_numbers_and_options_survive():
    suite = parse_suite(ODD, "odd")
    cases = combine(suite, Filters())
    assert len(cases) == 32
    text = suite_text(suite, cases)
    again = parse_suite(text, "again")
    assert again.suite == suite.suite
    assert combine(again, Filters()) == cases
    assert again.measure.max_iterations == 77
    # An older chipmark on one side need not know limits that are as they are by default.
    assert "half_width" not in text
    assert "replicates" not in text


def test_filters_are_applied_before_it_is_written():
    suite = load_suite("smoke")
    cases = combine(suite, Filters(workloads=("text-encoder",), phases=("train",), precisions=("fp32",)))
    assert suite_text(suite, cases).count("[[case]]") == len(cases) == 1
