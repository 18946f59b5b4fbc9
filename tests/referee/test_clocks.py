"""Paired clocks: LoadGen and our timed loop around the same queries of the same ONNX model.

Two separate runs of one model differ by more than this; the same queries do not.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.referee.conftest import Judge
from tests.referee.loadgen import Judgement

MIN_NS = 2_000_000
# What LoadGen's queue, its logging and the call into Python may add: 100 us, or 2 % if that is more.
MOST_ADDED_NS, MOST_ADDED_SHARE = 100_000, 0.02


@pytest.fixture(scope="module")
def paired(loadgen: Judge) -> Judgement:
    # The model is run so often in a row that a query takes 2 ms, with a margin for a clock that speeds up.
    return loadgen(step="onnx", workload="text-encoder", min_s=3e-3, num_queries=400)


def test_both_timed_the_same_queries(paired: Judgement) -> None:
    assert paired.sample_indices == paired.our_indices
    assert len(set(paired.our_indices)) > 200, "the samples are drawn, not one repeated"
    assert np.median(paired.ours_ns) >= MIN_NS


def test_loadgen_sees_no_query_shorter_than_we_do(paired: Judgement) -> None:
    assert (paired.theirs_ns - paired.ours_ns).min() >= 0


def test_the_two_clocks_agree(paired: Judgement) -> None:
    added_ns = np.median(paired.theirs_ns - paired.ours_ns)
    assert added_ns < max(MOST_ADDED_NS, MOST_ADDED_SHARE * np.median(paired.ours_ns))
