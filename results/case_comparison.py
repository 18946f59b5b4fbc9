"""One case, both sides: refused, or judged by each metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from results.case_matching import Group
from results.comparison import CaseComparison, ComparedMetric, Difference, Judgement, Verdict
from results.energy_row import energy_differences, has_energy, incomplete, left_out, of_windows, too_uncertain
from results.record import Scalar
from results.session_case import SessionCase
from results.sessions_apart import num_close
from results.usable_sessions import (
    circumstances,
    disagreement,
    fitting,
    known_keys,
    log_values,
    noise,
    quiet,
    typical,
    usable,
)
from results.verdict import ACCELERATOR_PRIOR, CPU_PRIOR, RULE, Prior, Rule, judge, spread
from results.verdict_reason import change, of_energy

# Metric -> the field of a process that holds its time in seconds, or the energy of a step in joules.
FIELDS: dict[ComparedMetric, str] = {
    "throughput": "mean_step_s",
    "latency_p50": "median_s",
    "latency_p99": "p99_s",
    "energy": "step_j",
}
# The first of these that the baseline measured gates, unless it declares what does; a candidate that
# lacks it is not let through by another. One a case and the same for every phase: each gating metric
# more makes all of them harder to call.
GATING_ORDER: tuple[ComparedMetric, ...] = ("throughput", "latency_p50")

Values = list[list[float]]  # log process values, by session
Judge = Callable[[Values, Values, Prior, Rule], Judgement]


class Options(NamedTuple):
    """What decides how cases are compared.

    ``strict`` refuses where a circumstance differs or a key is not known on one side.
    """

    strict: bool = False
    rule: Rule = RULE
    judge: Judge = judge


class Row(NamedTuple):
    """A row, and the values that its verdict rests on (None: it rests on none)."""

    comparison: CaseComparison
    values: tuple[Values, Values] | None = None
    prior: Prior = CPU_PRIOR


def prior_of(device_kind: str) -> Prior:
    """What is believed about the drift between sessions on this kind of device; unknown is as a CPU."""
    return CPU_PRIOR if device_kind in ("cpu", "unknown") else ACCELERATOR_PRIOR


def refused(new: Group, base: Group, found: Sequence[Difference], warnings: Sequence[str] = ()) -> Row:
    """``not-comparable``, naming every key that differs and both values."""
    return _unjudged(new, "not-comparable", _listed(found), differences=tuple(found), warnings=tuple(warnings))


def compare_case(new: Group, base: Group, options: Options) -> list[Row]:
    """The rows of a case that both sides have; none where neither could measure it."""
    new_usable, new_warnings = usable(new.sessions, "candidate")
    base_usable, base_warnings = usable(base.sessions, "baseline", {s.session_id for s in new.sessions})
    warnings = (*new_warnings, *base_warnings)
    if not new_usable or not base_usable:
        return _without_evidence(new, base, warnings)
    simulated = [s.functional_only for s in (*new_usable, *base_usable) if s.functional_only]
    if simulated:
        return [_unjudged(new, "not-comparable", simulated[0], warnings=warnings)]
    failed = _has_failed(new, base)
    found = disagreement(new_usable)
    if found:
        return [refused(new, base, found, ("the candidate's own sessions differ", *warnings))]
    fits, misfits = fitting(base_usable, known_keys(new_usable))
    if not fits:
        fewest = min(misfits, key=len)
        return [refused(new, base, fewest, warnings)]
    if misfits:
        keys = ", ".join(dict.fromkeys(d.key for found in misfits for d in found))
        warnings += (f"{len(misfits)} of {len(base_usable)} baseline sessions were left out: they differ in {keys}",)
    found = disagreement(fits)
    if found:
        return [refused(new, base, found, ("the baseline's own sessions differ", *warnings))]
    told = circumstances(fits, new_usable)
    if options.strict and told:
        return [refused(new, base, told, ("strict: circumstances count too", *warnings))]
    try:
        return _Judged(new, new_usable, fits, told, warnings, failed).rows(options)
    except ValueError as error:  # evidence from files is checked before; this is for any other
        return [_unjudged(new, "inconclusive", f"nothing to compare: {error}", warnings=warnings, failed=failed)]


class _Judged(NamedTuple):
    """A case with evidence on both sides."""

    group: Group
    new: list[SessionCase]
    base: list[SessionCase]
    circumstances: tuple[Difference, ...]
    warnings: tuple[str, ...]
    failed: bool

    def rows(self, options: Options) -> list[Row]:
        """One for each metric that both sides measured; gating ones first."""
        base, quiet_warnings = quiet(self.base)
        if not base:
            reason = f"no baseline process ran undisturbed: {'; '.join(quiet_warnings)}"
            return [_unjudged(self.group, "inconclusive", reason, warnings=self.warnings, failed=self.failed)]
        values: dict[ComparedMetric, tuple[Values, Values]] = {}
        for metric, field in FIELDS.items():
            sides = log_values(base, field), log_values(self.new, field)
            if all(sides):
                values[metric] = sides
        gating = self._gating([metric for metric, field in FIELDS.items() if any(log_values(base, field))])
        missing = [metric for metric in gating if metric not in values]
        order = [*(m for m in values if m in gating), *(m for m in values if m not in gating)]
        warnings = (*self.warnings, *quiet_warnings)
        judged = self._replace(base=base)
        rows = [judged._row(metric, values[metric], metric in gating, warnings, options) for metric in order]
        if "energy" not in (*missing, *values) and has_energy(base) != has_energy(self.new):
            rows.append(self._not_measured("energy", warnings, gating=False))
        return [*(self._not_measured(metric, warnings) for metric in missing), *rows]

    def _gating(self, measured: Collection[ComparedMetric]) -> list[ComparedMetric]:
        declared = next((s.gating for s in self.base if s.gating is not None), None)
        if declared is not None:
            return [metric for metric in FIELDS if metric in declared]
        return [metric for metric in GATING_ORDER if metric in measured][:1] or [GATING_ORDER[0]]

    def _not_measured(self, metric: ComparedMetric, warnings: tuple[str, ...], gating: bool = True) -> Row:
        lacking = {
            name: left_out(side) if metric == "energy" else ""
            for name, side in (("the baseline", self.base), ("the candidate", self.new))
            if not log_values(side, FIELDS[metric])
        }
        reason = f"{metric} was not measured in {' and '.join(lacking) or 'any undisturbed process'}"
        reason += "".join(f"; {name}: {why}" for name, why in lacking.items() if why)
        row = _unjudged(self.group, "inconclusive", reason, metric=metric, warnings=warnings, failed=self.failed)
        return row._replace(comparison=msgspec.structs.replace(row.comparison, gating=gating))

    def _row(
        self,
        metric: ComparedMetric,
        values: tuple[Values, Values],
        gating: bool,
        warnings: tuple[str, ...],
        options: Options,
    ) -> Row:
        if metric == "energy":
            warnings += tuple(
                f"{name}: energy is left out: {why}"
                for name, side in (("candidate", self.new), ("baseline", self.base))
                if (why := left_out(side))
            )
            refused_row = self._energy_refused(values, gating, warnings, options.rule)
            if refused_row is not None:
                return refused_row
        timed = [session.created_at for session in self.base if log_values([session], FIELDS[metric])]
        prior = prior_of(self.new[0].device_kind)._replace(num_close=num_close(timed))
        if metric == "energy":
            prior = prior._replace(meters=of_windows(self.base, self.new) or 0.0)
        judgement = options.judge(*values, prior, options.rule)
        if metric == "energy":
            judgement = msgspec.structs.replace(judgement, reason=of_energy(judgement.reason))
        verdict, reason = judgement.verdict, judgement.reason
        disturbed = noise(self.new)
        if disturbed:
            verdict, reason = "inconclusive", f"noisy host: {disturbed}; the numbers alone say: {reason}"
        elif verdict == "inconclusive":
            reason += self._resolution(options.rule)
        comparison = CaseComparison(
            case_id=self.group.first.case.id,
            case=self.group.first.case,
            metric=metric,
            gating=gating,
            verdict=verdict,
            reason=reason,
            judgement=judgement,
            failed=self.failed,
            circumstances=self.circumstances,
            warnings=warnings,
        )
        comparison = msgspec.structs.replace(comparison, **_both(metric, values))
        # No number of sessions more would settle what a disturbed machine measured.
        return Row(comparison, None if disturbed else values, prior)

    def _energy_refused(
        self, values: tuple[Values, Values], gating: bool, warnings: tuple[str, ...], rule: Rule
    ) -> Row | None:
        """The row of an energy that may not be judged: measured in another way, in part, or not precisely enough."""
        found = energy_differences(self.base, self.new)
        why = "" if found else (incomplete(self.new) if gating else "") or too_uncertain(self.base, self.new, rule)
        if not found and not why:
            return None
        verdict: Verdict = "not-comparable" if found else "inconclusive"
        reason = (
            _listed(found)
            or f"{why}; a change of {change(spread(values[1]).mean - spread(values[0]).mean)} is not judged"
        )
        row = _unjudged(self.group, verdict, reason, "energy", tuple(found), warnings, self.failed)
        both = _both("energy", values)
        told = msgspec.structs.replace(row.comparison, gating=gating, circumstances=self.circumstances, **both)
        return Row(told)

    def _resolution(self, rule: Rule) -> str:
        """What the candidate's self-check says about a host that cannot tell."""
        check = self.new[0].selfcheck
        if check is None or not check.detectable:
            return ""
        limit = f"{100 * math.expm1(rule.min_change):.0f} %"
        found = [(d.ratio, d.minutes) for d in check.detectable if d.ratio is not None]
        if not found:
            return f"; this host cannot resolve {limit} (its self-check found no change it could detect)"
        ratio, minutes = min(found)
        if ratio <= math.expm1(rule.min_change):
            return ""
        best = f"{100 * ratio:.0f} % in {minutes:g} minutes at best"
        return f"; this host cannot resolve {limit} (its self-check: {best})"


def _both(metric: ComparedMetric, values: tuple[Values, Values]) -> dict[str, float]:
    """What is typical of both sides, by the names that the fields of a comparison have for it."""
    unit = "j" if metric == "energy" else "s"
    return {f"base_{unit}": typical(values[0]), f"new_{unit}": typical(values[1])}


def _listed(found: Sequence[Difference]) -> str:
    return "; ".join(f"{d.key} is {_shown(d.base)} in the baseline and {_shown(d.new)} here" for d in found)


def _has_failed(new: Group, base: Group) -> bool:
    """Whether a process of the candidate did not end well, though the baseline has a session where all did."""
    return any(s.status != "ok" for s in new.sessions) and any(s.status == "ok" for s in base.sessions)


def _never_worked(session: SessionCase) -> bool:
    """Whether all was measured and nothing ended well: what was not measured, or is damaged, may have worked."""
    worked = session.processes or session.ended_well or session.status in ("ok", "missing")
    return not worked


def _without_evidence(new: Group, base: Group, warnings: tuple[str, ...]) -> list[Row]:
    """A row where a case that worked is without a number now; none where it never worked."""
    if all(_never_worked(session) for session in base.sessions):
        return []
    worst = next((s for s in new.sessions if s.status != "ok" and not s.processes), None)
    if worst is not None:
        reason = f"worked in the baseline and does not now: {worst.problem or worst.status}"
        return [_unjudged(new, "inconclusive", reason, warnings=warnings, failed=True)]
    reason = f"nothing to compare: {'; '.join(warnings)}"
    return [_unjudged(new, "inconclusive", reason, failed=_has_failed(new, base))]


def _unjudged(
    group: Group,
    verdict: Verdict,
    reason: str,
    metric: ComparedMetric = GATING_ORDER[0],
    differences: tuple[Difference, ...] = (),
    warnings: tuple[str, ...] = (),
    failed: bool = False,
) -> Row:
    return Row(
        CaseComparison(
            case_id=group.first.case.id,
            case=group.first.case,
            metric=metric,
            gating=True,
            verdict=verdict,
            reason=reason,
            failed=failed,
            differences=differences,
            warnings=warnings,
        )
    )


def _shown(value: Scalar) -> str:
    return "not known" if value is None else f"{value:g}" if isinstance(value, float) else str(value) or "none"
