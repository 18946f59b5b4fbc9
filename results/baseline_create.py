"""From runs to baselines: each case of each run is one session, if nothing bars it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.baseline_bars import cautions, reasons_against
from results.baseline_report import Added, Barred, CreateReport
from results.baseline_store import read_sessions
from results.baseline_thin import mixed, thinness
from results.baseline_writer import NewSession, StoreWriter
from results.case_comparison import FIELDS, GATING_ORDER
from results.comparison import ComparedMetric
from results.energy_row import absence, has_energy, left_out
from results.errors import BaselineError
from results.evidence import session_cases
from results.records import Measurement, PlannedCase
from results.render import find_device
from results.session_case import SessionCase
from results.store import StoredRun


def create(runs: Sequence[StoredRun], writer: StoreWriter, gating: Sequence[ComparedMetric]) -> CreateReport:
    """Add every case of ``runs`` that may become a baseline; say why the others may not.

    Args:
        runs: each becomes one session.
        writer: of the store.
        gating: metrics that are to decide; empty for the entry's own, or the default of a comparison.

    Raises:
        OutputError: the store cannot be written.
    """
    added: list[Added] = []
    barred: list[Barred] = []
    lacking: dict[str, tuple[str, ...]] = {}
    for run in runs:
        evidence = {each.case.id: each for each in session_cases(run)}
        for planned, measurements in _cases(run):
            names = {"run": run.info.run_id, "case": planned.case.label}
            try:
                session, warnings = _session(run, planned, measurements, evidence[planned.case.id], gating)
                entry = writer.add(session, gating)
            except BaselineError as error:
                barred.append(Barred(reasons=tuple(str(error).split("\n")), **names))
                continue
            stored = read_sessions(entry).stored
            lacking[entry.name] = (*thinness(stored), *mixed(stored))
            added.append(
                Added(
                    entry=entry.name, num_sessions=len(stored), num_processes=len(measurements),
                    cautions=tuple(warnings), **names,
                )
            )  # fmt: skip
    return CreateReport(
        store=str(writer.store), added=tuple(added), barred=tuple(barred), lacking=lacking,
        warnings=tuple(f"{run.path}: {text}" for run in runs for text in run.warnings),
    )  # fmt: skip


def _cases(run: StoredRun) -> Iterator[tuple[PlannedCase, list[Measurement]]]:
    """The planned cases, each with the newest measurement of each replicate."""
    found: dict[str, list[Measurement]] = {planned.case.id: [] for planned in run.info.plan}
    for measurement in run.measurements:
        if measurement.case_id in found:
            found[measurement.case_id].append(measurement)
    for planned in run.info.plan:
        yield planned, sorted(found[planned.case.id], key=lambda m: m.replicate)


def _session(
    run: StoredRun,
    planned: PlannedCase,
    measurements: list[Measurement],
    evidence: SessionCase,
    gating: Sequence[ComparedMetric],
) -> tuple[NewSession, list[str]]:
    """The session and what to know about it.

    Raises:
        BaselineError: it may not become one; a reason a line.
    """
    device = find_device(run.info.devices, planned.case)
    reasons = reasons_against(run, measurements, device) if measurements else ["was never measured"]
    if 0 < len(measurements) < planned.replicates:  # to stop a run at a good moment would be a choice as well
        left = planned.replicates - len(measurements)
        reasons.append(f"{left} of {planned.replicates} replicates were never measured: chipmark run --resume")
    if not reasons and len(evidence.processes) < len(measurements):  # what would not be compared is no baseline
        reasons = [evidence.problem] if evidence.problem else list(evidence.left_out)
    measured = [metric for metric, field in FIELDS.items() if _all_have(evidence, field)]
    no_energy = absence(evidence.processes, measurements)
    reasons = reasons or [_undecided(metric, evidence) for metric in gating if metric not in measured]
    if reasons:
        raise BaselineError("\n".join(dict.fromkeys(" ".join(reason.split()) for reason in reasons)))
    default = [metric for metric in GATING_ORDER if metric in measured][:1]
    session = NewSession(run, planned.case, measurements, device, evidence.keys, evidence.context, default)
    whose = "the energy of some processes" if has_energy([evidence]) else "energy"
    told = [f"{whose} is not part of it: {no_energy}"] if no_energy else []
    return session, [*cautions(measurements), *told]


def _undecided(metric: ComparedMetric, evidence: SessionCase) -> str:
    why = left_out([evidence]) if metric == "energy" else ""
    return f"{metric} is to decide and was not measured{f': {why}' if why else ''}"


def _all_have(evidence: SessionCase, field: str) -> bool:
    return all(getattr(process, field) is not None for process in evidence.processes)
