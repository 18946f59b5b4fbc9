"""From a suite, the devices found and the command line's filters to the list of cases."""

from __future__ import annotations

import fnmatch
import itertools
import os
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from backends import REGISTRY as BACKENDS
from harness.discovery import BackendReport
from harness.suite import CaseEntry, Suite, entry_axes
from results.errors import BackendUnavailable, SuiteError, UnknownNameError, UsageError, did_you_mean
from results.records import PHASES, PRECISIONS, CaseSpec, MeasureSpec, PlannedCase, Scalar
from workloads import REGISTRY as WORKLOADS
from workloads.base import WorkloadSpec

# "off" asks no power meter, whatever suite and options say; set for both halves of a pair by ``compare --ab``.
ENERGY_VARIABLE = "CHIPMARK_ENERGY"


# Kinds of devices that backends know by these names.
ACCELERATOR_KINDS = ("cuda", "rocm", "xpu", "mps", "npu")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line narrows or replaces. Empty means: as the suite says.

    ``workloads``, ``phases`` and ``backends`` narrow (shell patterns for workloads);
    ``precisions`` replaces the suite's precisions; ``device`` is ``auto`` (each backend's
    best) or a device id or kind. ``energy=False`` asks no power meter; ``energy_seconds`` replaces
    the least windows for energy of suite and cases.
    """

    device: str = "auto"
    workloads: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    replicates: int | None = None
    energy: bool = True
    energy_seconds: float | None = None


def check_filters(filters: Filters) -> None:
    """Refuse names no registry knows, before anything is started.

    Raises:
        UnknownNameError: a precision, phase, backend or workload pattern that matches nothing.
    """
    for kind, given, known in (
        ("precision", filters.precisions, list(PRECISIONS)),
        ("phase", filters.phases, list(PHASES)),
    ):
        for name in given:
            if name not in known:
                raise UnknownNameError(kind, name, known, where=f"--{kind}")
    for name in filters.backends:
        BACKENDS.get(name, where="--backend")
    names = WORKLOADS.names() if filters.workloads else []
    for pattern in filters.workloads:
        if not fnmatch.filter(names, pattern):
            raise UnknownNameError("workload", pattern, names, where="--workload")


def combine(suite: Suite, filters: Filters) -> list[CaseSpec]:
    """All cases of the suite after the filters, each once, in suite order, without a device yet.

    Needs no framework: every mistake in a suite is found before anything is started.

    Raises:
        SuiteError: a case names what its workload or backend does not have.
        UnknownNameError: a name in the suite is unknown.
        UsageError: the filters leave nothing.
    """
    cases = {case.id: case for case, _ in _entries(suite, filters)}
    if not cases:
        given = ", ".join(f"--{key.rstrip('s')} {','.join(value)}" for key, value in _given(filters).items())
        raise UsageError(f"suite {suite.suite.name!r} has no case that matches {given}")
    return list(cases.values())


def _entries(suite: Suite, filters: Filters) -> Iterable[tuple[CaseSpec, CaseEntry]]:
    """Every case with the entry it is from."""
    for number, entry in enumerate(suite.case):
        place = f"{suite.source}: case[{number}]"
        for values in _combinations(entry, filters, place):
            yield _case(entry, values, place), entry


def measure_spec(suite: Suite, filters: Filters) -> MeasureSpec:
    """The suite's measuring limits as the command line and the environment change them.

    Raises:
        UsageError: the environment says what is neither on nor off.
    """
    said = os.environ.get(ENERGY_VARIABLE, "").lower()
    if said not in ("", "on", "off"):
        raise UsageError(f"{ENERGY_VARIABLE}={said}: must be on or off")
    wanted = suite.measure.energy and filters.energy and said != "off"
    spec = msgspec.structs.replace(suite.measure, energy=wanted)
    if filters.energy_seconds is None:
        return spec
    return msgspec.structs.replace(spec, energy_min_seconds=filters.energy_seconds)


def own_energy_seconds(suite: Suite, filters: Filters) -> dict[str, float]:
    """Case id -> least window for energy in seconds, of the cases that have one of their own."""
    return {case.id: entry.energy_seconds for case, entry in _entries(suite, filters) if entry.energy_seconds}


def place(
    cases: Sequence[CaseSpec], suite: Suite, filters: Filters, reports: Sequence[BackendReport]
) -> list[PlannedCase]:
    """The cases on the devices found.

    Raises:
        UnknownNameError: no backend has the wanted device.
        BackendUnavailable: none of the backends works here.
    """
    devices = resolve_devices(filters.device, reports)
    replicates = filters.replicates or suite.measure.replicates
    own = own_energy_seconds(suite, filters)
    return [
        PlannedCase(
            case=msgspec.structs.replace(case, device=devices[case.backend]),
            replicates=replicates,
            energy_seconds=own.get(case.id) if filters.energy_seconds is None else None,
        )
        for case in cases
    ]


def resolve_devices(wanted: str, reports: Sequence[BackendReport]) -> dict[str, str]:
    """Backend name -> device id. A backend without the wanted device keeps the wanted name, so
    that its cases appear as unsupported rather than vanish.

    Raises:
        BackendUnavailable: no backend has any device.
        UnknownNameError: no backend has the wanted device.
    """
    working = [report for report in reports if report.devices]
    if not working:
        reasons = "; ".join(f"{r.name}: {r.reason}" for r in reports) or "no backend was asked"
        hints = " or ".join(dict.fromkeys(r.install_hint for r in reports if r.install_hint))
        raise BackendUnavailable(f"no backend can run here ({reasons})", hints)
    chosen = {}
    for report in reports:
        # An id is meant before a kind: "cpu" is the CPU provider, not another provider for CPUs.
        match = sorted((d.id != wanted, i) for i, d in enumerate(report.devices) if wanted in ("auto", d.id, d.kind))
        chosen[report.name] = report.devices[match[0][1]].id if match else ""
    if not any(chosen.values()):
        known = {d.id for r in working for d in r.devices} | {"auto"}
        _refuse_absent(wanted, working)
        raise UnknownNameError("device", wanted, known, where="--device")
    fallback = next(device for device in chosen.values() if device) if wanted == "auto" else wanted
    return {name: device or fallback for name, device in chosen.items()}


def _refuse_absent(wanted: str, working: Sequence[BackendReport]) -> None:
    """An accelerator that could be, but is not here, is no misspelt CPU."""
    kind = wanted.partition(":")[0]
    # A kind that other backends know too is not missing for one provider's sake.
    if kind not in ACCELERATOR_KINDS or all(report.missing for report in working):
        for lost in (lost for report in working for lost in report.missing):
            if lost.device in (wanted, kind):
                hint = f"; {lost.hint}" if lost.hint else ""
                raise UsageError(f"--device {wanted}: {lost.title} cannot be used here: {lost.reason}{hint}")
    if kind in ACCELERATOR_KINDS and not any(d.kind == kind for report in working for d in report.devices):
        here = ", ".join(dict.fromkeys(device.id for report in working for device in report.devices))
        raise UsageError(
            f"--device {wanted}: no backend finds a {kind} device here (found: {here}); its driver may be missing, or "
            "torch a build for CPUs: `chipmark devices` says more"
        )


def schedule(plan: Iterable[PlannedCase], seed: int) -> list[tuple[CaseSpec, int]]:
    """(case, replicate) in the order to measure: rounds of one replicate each, every round in a
    seeded random order, so that slow drift of the machine falls on all cases alike.
    """
    cases = list(plan)
    order: list[tuple[CaseSpec, int]] = []
    shuffler = random.Random(seed)
    for replicate in range(max((p.replicates for p in cases), default=0)):
        this_round = [(p.case, replicate) for p in cases if replicate < p.replicates]
        shuffler.shuffle(this_round)
        order += this_round
    return order


def _combinations(entry: CaseEntry, filters: Filters, place: str) -> Iterable[dict[str, Any]]:
    axes = entry_axes(entry)
    if filters.precisions:
        axes["precision"] = list(filters.precisions)
    for values in itertools.product(*axes.values()):
        combination = dict(zip(axes, values, strict=True))
        spec = WORKLOADS.get(combination["workload"], where=f"{place}.workload").spec
        BACKENDS.get(combination["backend"], where=f"{place}.backend")
        phases = [combination["phase"]] if combination["phase"] else list(spec.phases)
        for phase in phases:
            chosen = combination | {"phase": phase}
            if phase not in spec.phases:
                known = ", ".join(spec.phases)
                raise SuiteError(f"{place}.phase: workload {spec.name!r} has no phase {phase!r}; it has: {known}")
            if _kept(chosen, filters):
                yield chosen


def _kept(values: Mapping[str, Any], filters: Filters) -> bool:
    return (
        (not filters.workloads or any(fnmatch.fnmatch(values["workload"], p) for p in filters.workloads))
        and (not filters.phases or values["phase"] in filters.phases)
        and (not filters.backends or values["backend"] in filters.backends)
    )


def _case(entry: CaseEntry, values: Mapping[str, Any], place: str) -> CaseSpec:
    spec = WORKLOADS.get(values["workload"]).spec
    if values["preset"] not in spec.presets:
        raise UnknownNameError("preset", values["preset"], spec.presets, where=f"{place}.preset")
    preset = spec.presets[values["preset"]]
    case = CaseSpec(
        workload=spec.name,
        workload_version=spec.version,
        phase=values["phase"],
        preset=values["preset"],
        precision=values["precision"],
        batch_size=values["batch_size"] or preset.batch_size,
        shape=preset.shape | _sub("shape", values, preset.shape, spec, place),
        backend=values["backend"],
        device="",
        options=_options(values, place),
        scenarios=entry.scenarios,
        seed=entry.seed,
    )
    _check_possible(case, place)
    return case


def _check_possible(case: CaseSpec, place: str) -> None:
    """Ask the workload for its work and the backend about its options: both refuse what cannot be."""
    module = sys.modules[type(BACKENDS.get(case.backend)).__module__]
    check_options = getattr(module, "check_options", None)
    try:
        WORKLOADS.get(case.workload).work(case.preset, case.phase, case.batch_size, case.shape)
        if check_options is not None:
            check_options(case.options)
    except UsageError as error:
        raise SuiteError(f"{place}: {error}") from error


def _sub(
    prefix: str, values: Mapping[str, Any], known: Mapping[str, Any], spec: WorkloadSpec, place: str
) -> dict[str, int]:
    chosen = {key.removeprefix("shape."): v for key, v in values.items() if key.startswith("shape.")}
    for name in chosen:
        if name not in known:
            raise SuiteError(
                f"{place}.{prefix}.{name}: workload {spec.name!r} has no such size{did_you_mean(name, known)}"
            )
    return chosen


def _options(values: Mapping[str, Any], place: str) -> dict[str, Scalar]:
    """The case's backend options; false, 'as without the option', is left out of the identity."""
    chosen = {key.removeprefix("options."): v for key, v in values.items() if key.startswith("options.")}
    backend = values["backend"]
    known = known_options(backend)
    for name, value in chosen.items():
        if known is not None and name not in known:
            raise SuiteError(f"{place}.options.{name}: backend {backend} has no such option{did_you_mean(name, known)}")
        if known is not None and type(value) is not known[name] and not (known[name] is float and type(value) is int):
            raise SuiteError(f"{place}.options.{name}: must be {known[name].__name__}, is {type(value).__name__}")
    return {name: value for name, value in chosen.items() if value is not False}


def known_options(backend: str) -> Mapping[str, type] | None:
    """Option name -> type, where the backend's module declares ``KNOWN_OPTIONS``; else None."""
    module = sys.modules[type(BACKENDS.get(backend)).__module__]
    return getattr(module, "KNOWN_OPTIONS", None)


def _given(filters: Filters) -> dict[str, tuple[str, ...]]:
    every = {
        "workloads": filters.workloads, "phases": filters.phases,
        "precisions": filters.precisions, "backends": filters.backends,
    }  # fmt: skip
    return {key: value for key, value in every.items() if value}
