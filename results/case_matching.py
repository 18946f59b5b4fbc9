"""Which cases of two sides are the same case, and which are only near one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from results.comparability import case_keys, differences
from results.record import Scalar
from results.session_case import SessionCase

# What makes two cases the same one. A version, a seed or a device that differs is then refused by
# name, rather than passed over as another case.
_SAME = ("workload", "phase", "preset", "precision", "batch_size", "shape", "backend", "options")
# What two cases must at least have in common for a refusal to be of any help.
_NEAR = ("workload", "phase", "precision", "backend")
# Of cases without a counterpart, no more than this many are looked at to find the nearest.
MAX_NEAR = 50

Name = tuple[Scalar, ...]


class Group(NamedTuple):
    """One case on one side: its sessions."""

    sessions: list[SessionCase]
    place: Name  # tells apart what one session measured twice: device kind and id, threads, seed, scenarios

    @property
    def first(self) -> SessionCase:
        """Any of them, to name the case."""
        return self.sessions[0]


class Matching(NamedTuple):
    """Pairs of (candidate, base), in the candidate's order, and what has no counterpart."""

    same: list[tuple[Group, Group]]
    near: list[tuple[Group, Group]]
    only_new: list[Group]
    only_base: list[Group]


def match(new: Sequence[SessionCase], base: Sequence[SessionCase]) -> Matching:
    """Pair the cases of two sides.

    Device ids may differ (``cuda:0`` and ``cuda:1`` are one model of device, or a refusal says
    which two); where a session measured a case on several, equal ids are paired first.
    """
    new_groups, base_groups = _groups(new), _groups(base)
    same: list[tuple[Group, Group]] = []
    left: list[Group] = []
    used: set[int] = set()
    for name, groups in new_groups.items():
        for group in groups:
            partner = _partner(group, base_groups.get(name, []), used)
            if partner is None:
                left.append(group)
            else:
                used.add(id(partner))
                same.append((group, partner))
    spare = [group for groups in base_groups.values() for group in groups if id(group) not in used]
    near, only_new, only_base = _nearest(left, spare)
    return Matching(same, near, only_new, only_base)


def _groups(cases: Iterable[SessionCase]) -> dict[Name, list[Group]]:
    """Same case -> its groups: one, unless some session measured it in several places or ways."""
    named: dict[Name, list[SessionCase]] = {}
    for case in cases:
        named.setdefault(_name(case, _SAME), []).append(case)
    return {name: _split(sessions) for name, sessions in named.items()}


def _split(sessions: list[SessionCase]) -> list[Group]:
    if len({(s.session_id, s.case.id) for s in sessions}) == len({s.session_id for s in sessions}):
        return [Group(sessions, _place(sessions[0]))]
    places: dict[Name, list[SessionCase]] = {}
    for session in sessions:
        places.setdefault(_place(session), []).append(session)
    return [Group(found, place) for place, found in places.items()]


def _partner(group: Group, found: list[Group], used: set[int]) -> Group | None:
    """Of the same case on the other side: the same place, else an unused one on the same kind of device."""
    if not found:
        return None
    exact = [other for other in found if other.place == group.place]
    kind = [other for other in found if other.place[0] == group.place[0]]
    free = [other for other in kind if id(other) not in used]
    return next(iter(exact or free or kind), None) or (found[0] if len(found) == 1 else None)


def _nearest(left: list[Group], spare: list[Group]) -> tuple[list[tuple[Group, Group]], list[Group], list[Group]]:
    """Pair each that is left with the spare one that differs in the fewest keys."""
    buckets: dict[Name, list[Group]] = {}
    for group in spare:
        buckets.setdefault(_name(group.first, _NEAR), []).append(group)
    near: list[tuple[Group, Group]] = []
    only_new: list[Group] = []
    for group in left:
        bucket = buckets.get(_name(group.first, _NEAR), [])
        if not bucket:
            only_new.append(group)
            continue
        best = min(bucket[:MAX_NEAR], key=lambda other, g=group: len(differences(other.first.keys, g.first.keys)))  # type: ignore[misc]
        bucket.remove(best)
        near.append((group, best))
    taken = {id(other) for _, other in near}
    return near, only_new, [group for group in spare if id(group) not in taken]


def _name(case: SessionCase, names: Sequence[str]) -> Name:
    keys = case_keys(case.case)
    return tuple(keys[name] for name in names)


def _place(case: SessionCase) -> Name:
    spec = case.case
    return (case.device_kind, spec.device, spec.options.get("threads"), spec.seed, " ".join(spec.scenarios))
