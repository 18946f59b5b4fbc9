"""The sessions of stored baselines that fit a candidate, as comparisons see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from results.baseline_records import BaselineEntry
from results.baseline_store import Entry, as_run, read_sessions, read_store
from results.comparability import case_keys, differences
from results.evidence import session_cases
from results.session_case import SessionCase

# An entry that shares these with a candidate is the same case, perhaps under other conditions.
SAME_CASE = ("workload", "phase", "preset", "precision", "batch_size", "shape", "backend")

CaseName = tuple[object, ...]


class LoadedBaseline(NamedTuple):
    """The sessions found, with the gating metrics of their entries, and what must be said."""

    cases: list[SessionCase]
    warnings: list[str]


def load_baseline(stores: Sequence[Path], candidate: Iterable[SessionCase]) -> LoadedBaseline:
    """The sessions of the entries that fit each case of ``candidate``.

    Of entries for the same case, those with equal keys fit; the first store that has one is used.
    If none has, the nearest is handed over, so that the comparison can say what differs. Superseded
    and damaged entries are left out; what is damaged is told.

    Raises:
        BaselineError: a store is no folder.
    """
    wanted: dict[CaseName, list[SessionCase]] = {}
    for case in candidate:
        wanted.setdefault(_name(case), []).append(case)
    warnings: list[str] = []
    found: dict[CaseName, list[Entry]] = {}
    for store in stores:
        for entry in read_store(store):
            if entry.superseded is not None:
                continue
            warnings += entry.problems
            if entry.info is not None and (name := _entry_name(entry.info)) in wanted:
                found.setdefault(name, []).append(entry)
    loaded: dict[Path, list[SessionCase]] = {}
    for name, entries in found.items():
        # Cases of one name may differ in options or devices: each has an entry of its own.
        for case in wanted[name]:
            _load_best(entries, case, loaded, warnings)
    return LoadedBaseline([each for cases in loaded.values() for each in cases], list(dict.fromkeys(warnings)))


def _load_best(
    entries: Sequence[Entry], candidate: SessionCase, loaded: dict[Path, list[SessionCase]], warnings: list[str]
) -> None:
    """Load the entry that fits best and has a usable session, if it is not loaded already."""
    for entry in _by_fitness(entries, candidate):
        if entry.path not in loaded:
            loaded[entry.path] = _sessions(entry, warnings)
        if loaded[entry.path]:
            return


def _name(case: SessionCase) -> CaseName:
    keys = case_keys(case.case)
    return tuple(keys[key] for key in SAME_CASE)


def _entry_name(info: BaselineEntry) -> CaseName:
    keys = case_keys(info.case)
    return tuple(keys[key] for key in SAME_CASE)


def _by_fitness(entries: Sequence[Entry], candidate: SessionCase) -> list[Entry]:
    """The entries with the fewest keys that refuse first; of equals, those of the first store."""

    def misfit(entry: Entry) -> tuple[int, int]:
        found = differences(entry.info.keys, candidate.keys) if entry.info else []
        refusing = [each for each in found if each.base is not None and each.new is not None]
        return len(refusing), len(found)

    return sorted(entries, key=misfit)


def _sessions(entry: Entry, warnings: list[str]) -> list[SessionCase]:
    stored = read_sessions(entry, check_raw=False)  # whoever derives numbers from them does
    warnings += stored.problems
    cases = []
    for session in stored.stored:
        run = as_run(entry, session)
        found = session_cases(run)
        gating = entry.info.gating if entry.info else None
        cases += [msgspec.structs.replace(case, gating=gating) for case in found]
        warnings += [f"{entry.name}, session {session.session_id}: {text}" for text in run.warnings]
    if not cases and not stored.problems:
        warnings.append(f"{entry.name}: holds no session")
    return cases
