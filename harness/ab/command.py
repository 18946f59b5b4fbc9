"""``chipmark compare --ab``: measure both sides in turns, store every run, judge the pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.ab.request import AbRequest
from results.errors import ExitCode

if TYPE_CHECKING:
    from results.compare import CompareOptions, ComparisonReport


class AbOutcome(NamedTuple):
    """The report over all complete pairs, and what the command returns.

    ``exit_code`` is the report's own, or ``INTERRUPTED``; the report is there in any case, with
    ``inconclusive`` and the reason where there are too few pairs.
    """

    report: ComparisonReport
    exit_code: ExitCode
    folder: Path


def run_ab(request: AbRequest, options: CompareOptions, say: Callable[[str], None]) -> AbOutcome:
    """Measure and judge.

    Args:
        request: the sides and the suite.
        options: as for any comparison.
        say: prints one line for the user; ``lambda text: None`` for ``--quiet``.

    Raises:
        UsageError: anything wrong with the request; found before measuring where possible.
        KeyboardInterrupt: interrupted before the first half was measured.
    """
    raise NotImplementedError
