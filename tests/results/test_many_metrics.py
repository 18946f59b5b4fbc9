from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.many_metrics import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), max_size=30)


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04; the last is raised to the running maximum.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_by_hand():
    # Sorted .005 .01 .03 .04, times 4/1 4/2 4/3 4/4: .02 .02 .04 .04.
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    # .02 4/1 = .08 is lowered to the .04 that stands after it.
    assert benjamini_hochberg([0.02, 0.02, 0.03, 0.9]) == pytest.approx([0.04, 0.04, 0.04, 0.9])


@given(p_values)
def test_what_must_hold(found):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(found)
        assert len(adjusted) == len(found)
        assert all(p <= q <= 1 for p, q in zip(found, adjusted, strict=True))
        order = sorted(range(len(found)), key=lambda i: found[i])
        assert [adjusted[i] for i in order] == sorted(adjusted)
    assert all(h >= b - 1e-12 for h, b in zip(holm(found), benjamini_hochberg(found), strict=True))


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_one_is_as_it_is_and_none_is_none(adjust):
    assert adjust([0.03]) == [0.03]
    assert adjust([]) == []


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_no_p_value(adjust, bad):
    with pytest.raises(ValueError, match="p-value"):
        adjust([0.1, bad])
