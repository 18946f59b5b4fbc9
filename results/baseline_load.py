"""The sessions of stored baselines that fit a candidate, as comparisons see them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from results.baseline_damage import damage_of, may_hold, stand_in
from results.baseline_records import BaselineEntry
from results.baseline_store import Entry, as_run, read_sessions, read_store
from results.comparability import case_keys, differences
from results.evidence import session_cases
from results.records import CaseSpec
from results.session_case import SessionCase

# An entry that shares these with a candidate is the same case, perhaps under other conditions.
SAME_CASE = ("workload", "phase", "preset", "precision", "batch_size", "shape", "backend")

CaseName = tuple[object, ...]


class LoadedBaseline(NamedTuple):
    """The sessions found, with the gating metrics of their entries, and what must be said.

    ``absent`` are labels of cases that the stores have, on a device and in a preset of the candidate's,
    and the candidate has not.
    """

    cases: list[SessionCase]
    warnings: list[str]
    absent: list[str]


def load_baseline(stores: Sequence[Path], candidate: Iterable[SessionCase]) -> LoadedBaseline:
    """The sessions of the entries that fit each case of ``candidate``.

    Of entries for the same case, those with equal keys fit; the first store that has one is used.
    If none has, the nearest is handed over, so that the comparison can say what differs. Superseded
    entries are left out. Where an entry that may be the case's cannot be used and no other fits, a
    session whose ``problem`` is the damage stands for it: lost evidence is not the same as none.

    Raises:
        BaselineError: a store is no folder.
    """
    wanted: dict[CaseName, list[SessionCase]] = {}
    for case in candidate:
        wanted.setdefault(_name(case.case), []).append(case)
    warnings: list[str] = []
    found: dict[CaseName, list[Entry]] = {}
    unreadable: list[Entry] = []
    absent: list[str] = []
    for entry in itertools.chain.from_iterable(map(read_store, stores)):
        if entry.superseded is not None:
            continue
        warnings += entry.problems
        if entry.info is None:
            unreadable.append(entry)
        elif (name := _name(entry.info.case)) in wanted:
            found.setdefault(name, []).append(entry)
        if entry.info is not None and _is_absent(entry.info, wanted):
            absent.append(entry.info.case.label)
    loaded: dict[Path, list[SessionCase]] = {}
    damaged: dict[tuple[Path, str], SessionCase] = {}
    for name, cases in wanted.items():
        # Cases of one name may differ in options or devices: each has an entry of its own.
        for case in cases:
            lost = _load_best(found.get(name, []), unreadable, case, loaded, warnings)
            if lost is not None:
                damaged.setdefault((lost.path, case.case.id), stand_in(lost, case))
    usable = [each for cases in loaded.values() for each in cases]
    return LoadedBaseline([*usable, *damaged.values()], list(dict.fromkeys(warnings)), list(dict.fromkeys(absent)))


def _load_best(
    entries: Sequence[Entry],
    unreadable: Sequence[Entry],
    candidate: SessionCase,
    loaded: dict[Path, list[SessionCase]],
    warnings: list[str],
) -> Entry | None:
    """Load the entry that fits best and has a usable session, if it is not loaded already.

    Returns:
        The damaged entry because of which there is none, if so.
    """
    fitting = [entry for entry in _by_fitness(entries, candidate) if _num_refusing(entry, candidate) == 0]
    for entry in fitting:
        if _load(entry, loaded, warnings):
            return None
    lost = next(iter(fitting), None) or next((each for each in unreadable if may_hold(each, candidate)), None)
    if lost is None:
        for entry in _by_fitness(entries, candidate):
            if _load(entry, loaded, warnings):
                return None
        lost = next(iter(entries), None)
    if lost is not None:
        warnings += damage_of(lost)
    return lost


def _load(entry: Entry, loaded: dict[Path, list[SessionCase]], warnings: list[str]) -> bool:
    """Load an entry once; whether it has any usable session."""
    if entry.path not in loaded:
        loaded[entry.path] = _sessions(entry, warnings)
    return bool(loaded[entry.path])


def _name(case: CaseSpec) -> CaseName:
    keys = case_keys(case)
    return tuple(keys[key] for key in SAME_CASE)


def _is_absent(info: BaselineEntry, wanted: Mapping[CaseName, Sequence[SessionCase]]) -> bool:
    """Whether the candidate could have measured an entry's case, and has not."""
    same = wanted.get(_name(info.case), ())
    if any(case_keys(case.case)["options"] == case_keys(info.case)["options"] for case in same):
        return False
    cases = [case for group in wanted.values() for case in group]
    on_device = [case for case in cases if case.keys.get("device_name") == info.keys.get("device_name")]
    return any(case.case.preset == info.case.preset for case in on_device)


def _num_refusing(entry: Entry, candidate: SessionCase) -> int:
    found = differences(entry.info.keys, candidate.keys) if entry.info else []
    return sum(each.base is not None and each.new is not None for each in found)


def _by_fitness(entries: Sequence[Entry], candidate: SessionCase) -> list[Entry]:
    """The entries with the fewest keys that refuse first; of equals, those of the first store."""

    def misfit(entry: Entry) -> tuple[int, int]:
        found = differences(entry.info.keys, candidate.keys) if entry.info else []
        return _num_refusing(entry, candidate), len(found)

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
    return cases
