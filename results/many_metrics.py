"""P-values of many comparisons at once, adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: reject where the result is at most alpha.

    Then the chance of any false rejection in the family is at most alpha, however the
    comparisons depend on each other (S. Holm, Scandinavian Journal of Statistics 6, 1979).

    Returns:
        Adjusted p-values in the order given: the running maximum of ``(m - i) * p_(i)``.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for i, index in enumerate(_by_size(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - i) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The step-up adjustment of Benjamini and Hochberg (JRSS B 57, 1995).

    Rejecting where the result is at most q keeps the expected share of false ones among the
    rejected at q or below (independent or positively dependent comparisons).

    Returns:
        Adjusted p-values in the order given: the running minimum, from the largest, of ``m / (i+1) * p_(i)``.
    """
    adjusted = [0.0] * len(p_values)
    smallest = 1.0
    for i, index in reversed(list(enumerate(_by_size(p_values)))):
        smallest = min(smallest, len(p_values) / (i + 1) * p_values[index])
        adjusted[index] = smallest
    return adjusted


def _by_size(p_values: Sequence[float]) -> list[int]:
    if not all(0.0 <= p <= 1.0 for p in p_values):
        raise ValueError("a p-value lies outside 0 to 1")
    return sorted(range(len(p_values)), key=lambda index: p_values[index])
