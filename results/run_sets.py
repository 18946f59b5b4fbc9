"""Sides of a comparison: from what a person names to the cases of one or several sessions."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from results.ab_record import AB_FILE
from results.errors import RunFolderError, UnknownNameError, UsageError
from results.evidence import read_session
from results.records import PHASES, PRECISIONS
from results.session_case import SessionCase
from results.store import RUN_FILE

MAX_NAMED = 10  # cases in a message


class RunSet(NamedTuple):
    """The cases of one side, and what was wrong with the files they came from."""

    cases: list[SessionCase]
    warnings: list[str]

    @property
    def session_ids(self) -> set[str]:
        """The runs that it consists of."""
        return {case.session_id for case in self.cases}


class Filters(NamedTuple):
    """Which cases to compare; empty means all. ``workloads`` are shell patterns."""

    workloads: Sequence[str] = ()
    phases: Sequence[str] = ()
    precisions: Sequence[str] = ()
    backends: Sequence[str] = ()

    def keep(self, cases: Iterable[SessionCase]) -> list[SessionCase]:
        """The cases that pass."""
        return [case for case in cases if self._passes(case)]

    def _passes(self, session: SessionCase) -> bool:
        case = session.case
        named = not self.workloads or any(fnmatch.fnmatchcase(case.workload, p) for p in self.workloads)
        exact = ((self.phases, case.phase), (self.precisions, case.precision), (self.backends, case.backend))
        return named and all(not wanted or value in wanted for wanted, value in exact)


def check_filters(filters: Filters) -> None:
    """Raise UnknownNameError for a phase or precision that does not exist."""
    for kind, names, known in (
        ("phase", filters.phases, PHASES),
        ("precision", filters.precisions, PRECISIONS),
    ):
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, name, known, where=f"--{kind}")


def read_set(paths: Sequence[Path]) -> RunSet:
    """All runs of ``paths``: run folders, or folders that hold runs.

    A run that cannot be read is an error where it is named, and is reported and left out where it is
    one of several in a folder.

    Raises:
        RunFolderError: a path is neither, or nothing was measured in any of the runs.
    """
    cases: list[SessionCase] = []
    warnings: list[str] = []
    for path in paths:
        inner = runs_below(path)
        if not inner:
            session = read_session(path)
            cases += session.cases
            warnings += [f"{path}: {text}" for text in session.warnings]
        for folder in inner:
            try:
                session = read_session(folder)
            except RunFolderError as error:
                warnings.append(f"left out: {error}")
                continue
            cases += session.cases
            warnings += [f"{folder}: {text}" for text in session.warnings]
    if all(case.status == "missing" and not case.processes for case in cases):
        names = ", ".join(map(str, paths))
        raise RunFolderError(
            f"{names}: nothing was measured; make a run with `chipmark run`, or finish it with --resume"
        )
    return RunSet(cases, list(dict.fromkeys(warnings)))


def filtered(side: RunSet, filters: Filters) -> RunSet:
    """A side without what the filters leave out.

    Raises:
        UsageError: nothing is left.
    """
    kept = filters.keep(side.cases)
    if not kept:
        there = ", ".join(dict.fromkeys(case.case.label for case in side.cases[:MAX_NAMED]))
        more = ", ..." if len(side.cases) > MAX_NAMED else ""
        raise UsageError(f"no case passes --workload, --phase, --precision and --backend; there are: {there}{more}")
    return RunSet(kept, side.warnings)


def runs_below(path: Path) -> list[Path]:
    """The runs that a folder of runs holds, by name; none if it is a run itself."""
    if (path / RUN_FILE).exists() or not path.is_dir():
        return []
    return sorted(file.parent for file in path.glob(f"*/{RUN_FILE}"))


def is_ab(path: Path) -> bool:
    """Whether a folder holds an A/B comparison, whose runs belong together in pairs."""
    return (path / AB_FILE).is_file()
