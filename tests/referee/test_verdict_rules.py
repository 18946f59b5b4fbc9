"""Verdict rules: what was changed in a test breaks its comparison, or is told beside it."""

from __future__ import annotations

import pytest

from results.comparability import comparability, differences
from tests.results.example_run import SEQUENCES, case, measurement, run_info, timing

USUAL = {"seed": 0, "workload_version": 1, "options": {"threads": 1}}


def told(**changes: object) -> tuple[dict, dict]:
    """Keys and context of one measured case."""
    spec = case("encoder", "infer", "fp32", **(USUAL | changes))
    threads = spec.options["threads"]
    record = measurement(spec, work=SEQUENCES, timing=timing([(10, 10**9)], 40), facts={"threads": threads})
    return comparability(run_info([(spec, 1)]), [record])


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("workload_version", 2)])
def test_another_seed_or_version_is_not_comparable(name: str, value: int) -> None:
    keys, context = told(**{name: value})
    usual_keys, usual_context = told()
    assert [(d.key, d.base, d.new) for d in differences(usual_keys, keys)] == [(name, USUAL[name], value)]
    assert differences(usual_context, context) == []


def test_another_thread_count_is_told() -> None:
    keys, context = told(options={"threads": 2})
    usual_keys, usual_context = told()
    assert differences(usual_keys, keys) == []
    assert [(d.key, d.base, d.new) for d in differences(usual_context, context)] == [("threads", 1, 2)]
