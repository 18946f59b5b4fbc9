"""Weights from names: stable, normal, and told apart by their digests."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import stats

from backends.bundle_weights import CHUNK, digest_of, stream_values

FIRST_FIVE = [0.41135365, 0.53646636, -0.36207819, -0.45568708, 0.49866989]
DIGEST_OF_X = "abcebfc3b77c7ebf96f25e010ccd454513aa9c59cd496a75afb0971a5cd91d6d"


def test_a_stream_is_what_it_always_was():
    """Were it to change, every bundle ever exported would be refused on devices."""
    values = stream_values("llm-decoder/1/tiny/0/lm_head.weight/1", (5,), 0.5)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, FIRST_FIVE, rtol=1e-6)
    assert digest_of(stream_values("x", (1000,), 1.0)) == DIGEST_OF_X


def test_values_are_normal_with_the_deviation_asked_for():
    values = stream_values("n", (400, 500), 0.25).reshape(-1).astype(np.float64) / 0.25
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert abs(values.mean()) < 5 / len(values) ** 0.5
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 5 / len(values) ** 0.5
    assert np.isfinite(values).all()


@pytest.mark.parametrize("number", [1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_any_number_of_values_in_chunks(number):
    values = stream_values("n", (number,), 1.0)
    assert values.shape == (number,)
    assert len(np.unique(values)) > 0.9 * number
    whole = min(number, CHUNK)
    assert (
        stream_values("n", (2 * CHUNK + 7,), 1.0)[: whole // CHUNK * CHUNK] == values[: whole // CHUNK * CHUNK]
    ).all()


def test_names_and_shapes_make_other_values():
    one = stream_values("a", (100,), 1.0)
    assert not np.array_equal(one, stream_values("b", (100,), 1.0))
    assert np.array_equal(one.reshape(10, 10), stream_values("a", (10, 10), 1.0))


def test_a_digest_forgives_a_last_bit_and_nothing_more():
    values = stream_values("d", (1000,), 1.0)
    other = values.copy()
    other[3] = np.nextafter(values[3], np.float32(10))
    assert (other.view(np.uint32) >> 12 == values.view(np.uint32) >> 12).all(), "not at the edge of a step"
    assert digest_of(other) == digest_of(values)
    other[3] = values[3] * 1.001
    assert digest_of(other) != digest_of(values)
    swapped = values.copy()
    swapped[[1, 2]] = values[[2, 1]]
    assert digest_of(swapped) != digest_of(values)
    want = hashlib.sha256((values.view("<u4") >> 12).tobytes()).hexdigest()
    assert digest_of(values) == want
