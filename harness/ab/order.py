"""The order in which two sides take turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")


def turns(pair: int) -> tuple[Side, Side]:
    """Who goes first in the ``pair``-th pair (from 0): A B, B A, A B, ...

    Over two pairs that is A B B A: a drift of the machine that is linear in time cancels.
    """
    return ("a", "b") if pair % 2 == 0 else ("b", "a")


def halves(pairs: int) -> Iterator[tuple[int, Side]]:
    """(pair, side) of every half, in the order to measure."""
    for pair in range(pairs):
        for side in turns(pair):
            yield pair, side
