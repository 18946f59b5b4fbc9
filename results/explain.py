"""How the numbers of one case came about, and which limit it runs into, in words.

Text only: everything said here is also in the JSON of the run and of its summary.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.explain_energy import energy_section
from results.explain_limits import limits_section
from results.explain_timing import latency_section, throughput_section, warmup_section
from results.notes import one_line
from results.render import TABLE_WIDTH, find_device, shape_text
from results.replicates import counted
from results.summary import run_summary

if TYPE_CHECKING:
    from results.case_summary import CaseSummary
    from results.records import Measurement
    from results.store import StoredRun

# More than these would not help to choose.
MAX_LISTED = 6
INDENT = "  "


def explain(run: StoredRun, text: str) -> str:
    """The explanation of the case that ``text`` names, ending in a newline.

    Raises:
        UsageError: no case, or more than one, has that id or label; says which are near.
    """
    summary = run_summary(run)
    case = find_case(summary.cases, text)
    replicates = [m for m in run.measurements if m.case_id == case.case_id]
    device = find_device(summary.run.devices, case.case)
    spec = case.case
    shape = shape_text(spec)
    lines = [
        f"{spec.label} (case {case.case_id})",
        f"run {summary.run.run_id}, {spec.workload} v{spec.workload_version}" + (f", {shape}" if shape else ""),
        f"on {device.name if device else 'an unknown device'}",
        *([case.functional_only] if case.functional_only else []),
        "",
        *_status(case),
    ]
    numbers = counted(replicates) if case.numbers_from else []
    if numbers:
        for section in (limits_section, throughput_section, latency_section, warmup_section):
            lines += ["", *section(case, numbers)]
        lines += ["", *_arithmetic(case, numbers), *_placement(numbers), "", *_memory(case)]
        lines += ["", *energy_section(case, numbers)]
    lines += ["", *_guards(case, replicates)]
    return "\n".join(_wrapped(line) for line in lines) + "\n"


def find_case(cases: Sequence[CaseSummary], text: str) -> CaseSummary:
    """The one case whose id starts with ``text``, or whose label is or holds it, in whole words first.

    Upper and lower case are the same.

    Raises:
        UsageError: none or several do.
    """
    wanted = " ".join(text.lower().split())
    for fits in (
        lambda case: case.case.label.lower() == wanted,
        lambda case: bool(wanted) and case.case_id.startswith(wanted),
        lambda case: bool(wanted) and f" {wanted} " in f" {case.case.label.lower()} ",
        lambda case: bool(wanted) and wanted in case.case.label.lower(),
    ):
        found = [case for case in cases if fits(case)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"--explain {text!r} fits {len(found)} cases: {_listed(found)}; give more of the label, or the id"
            )
    raise UsageError(f"--explain {text!r} fits no case of this run{_near(cases, wanted)}")


def _near(cases: Sequence[CaseSummary], wanted: str) -> str:
    """Cases whose label begins much like what was asked for; else all of them."""
    starts = {case.case.label.lower()[: len(wanted)]: case for case in reversed(cases)}
    close = [starts[start] for start in difflib.get_close_matches(wanted, starts, n=3, cutoff=0.6)]
    if close:
        return f"; did you mean {_listed(close)}?"
    return f"; it has: {_listed(cases)}" if cases else "; it has none"


def _listed(cases: Sequence[CaseSummary]) -> str:
    shown = ", ".join(f"{case.case.label} ({case.case_id})" for case in cases[:MAX_LISTED])
    return shown + (f" and {len(cases) - MAX_LISTED} more" if len(cases) > MAX_LISTED else "")


def _status(case: CaseSummary) -> list[str]:
    lines = [f"Status: {case.status}", f"{INDENT}{case.num_ok} of {case.num_replicates} planned processes ended ok"]
    if case.status != "ok":
        stage = f"at {case.stage}: " if case.stage else ""
        lines.append(f"{INDENT}{stage}{one_line(case.reason) or 'no reason was given'}")
    if case.numbers_from == "invalid":
        lines.append(f"{INDENT}the numbers below are of an invalid result: measured, but not to be compared")
    return lines


def _arithmetic(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    from results import units

    facts = replicates[0].facts
    lines = ["Arithmetic"]
    support = f"{case.case.precision} is {case.support}" + (f": {case.support_reason}" if case.support_reason else "")
    lines.append(INDENT + one_line(support))
    if facts.get("precision_executed"):
        evidence = one_line(str(facts.get("precision_evidence", "")))
        lines.append(f"{INDENT}executed as {facts['precision_executed']}" + (f" ({evidence})" if evidence else ""))
    elif facts.get("precision_executed_reason"):
        lines.append(f"{INDENT}executed as: not known; {one_line(str(facts.get('precision_evidence', '')))}")
    if case.numerics_error is not None:
        checks = [c for m in replicates if m.numerics for c in m.numerics.checks if c.name == case.numerics_error_name]
        limit = f", limit {checks[0].threshold:g}" if checks else ""
        lines.append(
            f"{INDENT}error against {case.numerics_reference}: {case.numerics_error_name} "
            f"{units.ratio(case.numerics_error)}{limit}: {case.numerics_verdict}"
        )
    else:
        lines.append(f"{INDENT}error n/a: {one_line(case.numerics_error_reason)}")
    return lines


def _placement(replicates: Sequence[Measurement]) -> list[str]:
    """Which provider ran it, by which evidence; nothing where the backend has no providers."""
    found = [m.facts["placement"] for m in replicates if isinstance(m.facts.get("placement"), dict)]
    told = dict.fromkeys(one_line(str(placement.get("evidence", ""))) for placement in found)  # type: ignore[attr-defined]
    return ["", "Placement", *(INDENT + text for text in told)] if told else []


def _memory(case: CaseSummary) -> list[str]:
    from results import units

    if case.peak_memory_bytes is None:
        return [f"Memory: n/a: {one_line(case.peak_memory_bytes_reason)}"]
    return [f"Memory: peak {units.memory(case.peak_memory_bytes)} ({one_line(case.peak_memory_scope)})"]


def _guards(case: CaseSummary, replicates: Sequence[Measurement]) -> list[str]:
    """Those that did not pass, each once; how many did."""
    guards = [guard for m in replicates for guard in m.guards]
    passed = sorted({g.name for g in guards if g.verdict == "PASS"} - {g.name for g in guards if g.verdict != "PASS"})
    if not guards:
        return ["Guards: none was asked"]
    told = dict.fromkeys(f"{INDENT}{g.name} {g.verdict}: {one_line(g.reason) or g.value}" for g in case.guards)
    return [
        "Guards",
        *(told or [f"{INDENT}all passed"]),
        *([f"{INDENT}passed: {', '.join(passed)}"] if passed and told else []),
    ]


def _wrapped(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        textwrap.wrap(line, TABLE_WIDTH, subsequent_indent=indent + INDENT, break_on_hyphens=False) or [""]
    )
