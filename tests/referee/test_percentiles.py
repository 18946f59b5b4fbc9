"""Percentile identity: LoadGen's log of every query through our arithmetic gives what it printed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from results.stats import PERCENTS, order_statistic_index, percentile
from tests.referee.loadgen import Judgement

PRINTED = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")


def test_every_query_is_in_the_log(judged: Judgement) -> None:
    assert len(judged.theirs_ns) == len(judged.ours_ns) == 1500
    assert judged.detail["result_query_count"] == 1500
    assert judged.valid


def test_every_printed_percentile_is_ours_to_the_nanosecond(judged: Judgement) -> None:
    ordered = np.sort(judged.theirs_ns)
    ours = {text: int(ordered[order_statistic_index(len(ordered), Fraction(text))]) for text in PRINTED}
    assert ours == judged.percentiles_ns
    linear = {text: np.percentile(ordered, float(text)) for text in PRINTED}
    assert linear != ours, "interpolation would give other numbers, so this test can fail"


def test_the_percentiles_that_tables_show(judged: Judgement) -> None:
    for percent in PERCENTS:
        value, reason = percentile(judged.theirs_ns, percent, len(judged.theirs_ns))
        assert reason == ""
        assert value == judged.percentiles_ns[f"{percent}.00"] / 1e9
