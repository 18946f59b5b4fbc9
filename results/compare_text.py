"""The words of a comparison that all formats share. Ratios are of times: above 1 is slower."""

from __future__ import annotations

import math
from collections.abc import Sequence

from results import units
from results.comparison import VERDICTS, CaseComparison, ComparisonReport, Difference, Judgement, Side, Verdict
from results.notes import one_line
from results.record import Scalar
from results.render import options_text, shape_text
from results.verdict_reason import verdict_word

# A throughput is compared by the time of a step, so that "+" means slower in every row.
METRIC_LABELS = {"throughput": "mean step", "latency_p50": "p50", "latency_p99": "p99", "energy": "energy"}
LEGEND = (
    "change: of time, new over base, + is slower, with its 99 % interval; mean step: over the throughput windows "
    "(throughput is its inverse); p50, p99: of single steps"
)
ENERGY_LEGEND = "energy: change of the joules of a step, + is more energy; over the throughput pass, if there was one"
SIDES_LEGEND = "base v new: sessions x processes of either side"
TAU_LEGEND = "tau: sd of the drift between sessions; adjusted p: for the number of metrics"
TOLD_LEGEND = "(in brackets): told only, does not count"

ADVICE = {
    "faster": "nothing to do",
    "same": "nothing to do",
    "slower": "look at what changed; `chipmark compare --ab` measures two versions side by side on one machine",
    "inconclusive": "nobody could know from these numbers: add sessions as the notes say, or use a quieter machine",
    "not-comparable": "compare like with like: the notes say what differs",
    "failed": "see why with `chipmark show` on the candidate",
}


def case_text(row: CaseComparison) -> str:
    """The whole case in one line: ``llm-decoder/tiny v1 train fp32 b2 torch@cpu sequence_length=64``."""
    return one_line(f"{heading(row)} {short_case(row)}")


def heading(row: CaseComparison) -> str:
    """What rows are grouped under: ``llm-decoder/tiny v1, sequence_length=64``."""
    case = row.case
    shape = shape_text(case)
    return one_line(f"{case.workload}/{case.preset} v{case.workload_version}" + (f", {shape}" if shape else ""))


def short_case(row: CaseComparison) -> str:
    """What tells a row from others under its heading: ``train fp32 b2 torch@cpu compile``."""
    case = row.case
    options = options_text(case.options)
    text = f"{case.phase} {case.precision} b{case.batch_size} {case.backend}@{case.device} {options}"
    return one_line(text)


def change(ratio: float | None) -> str:
    """A ratio as a change with its sign: ``+4.8 %``; ``x12.3`` beyond tenfold."""
    if ratio is None or math.isnan(ratio):
        return units.NOT_AVAILABLE
    return f"{_signed(ratio)} %" if ratio < 10 else _signed(ratio)


def change_with_interval(judgement: Judgement | None) -> str:
    """``+4.8 % (+3.1..+6.5)``, or ``n/a``."""
    if judgement is None or judgement.ratio is None:
        return units.NOT_AVAILABLE
    if judgement.ratio_low is None or judgement.ratio_high is None:
        return change(judgement.ratio)
    return f"{change(judgement.ratio)} ({_signed(judgement.ratio_low)}..{_signed(judgement.ratio_high)})"


def throughput_change(row: CaseComparison) -> str:
    """The change of the throughput itself, for rows that are about it; else empty."""
    ratio = row.judgement.ratio if row.judgement else None
    return change(1 / ratio) if ratio and row.metric == "throughput" else ""


def sides(judgement: Judgement | None) -> str:
    """``3x5 v 1x5``: sessions x processes of the base and of the candidate."""
    if judgement is None:
        return units.NOT_AVAILABLE
    return (
        f"{_replication(judgement.num_sessions_base, judgement.num_processes_base)} v "
        f"{_replication(judgement.num_sessions_new, judgement.num_processes_new)}"
    )


def numbers_text(row: CaseComparison) -> str:
    """``: +4.8 % (+3.1..+6.5) in time, base v new 3x5 v 1x5``; nothing where there are none."""
    if row.judgement is None:
        return ""
    quantity = "energy" if row.metric == "energy" else "time"
    return f": {change_with_interval(row.judgement)} in {quantity}{_joules(row)}, base v new {sides(row.judgement)}"


def word(row: CaseComparison) -> str:
    """The verdict in words that suit the metric: of energies ``more energy``, not ``slower``."""
    return "failed" if row.failed else verdict_word(row.metric, row.verdict)


def energy_legend(rows: Sequence[CaseComparison]) -> list[str]:
    """How to read rows of energy, if there are any."""
    return [ENERGY_LEGEND] if any(row.metric == "energy" for row in rows) else []


def outcome_text(report: ComparisonReport) -> str:
    """The whole in words: ``slower``; ``more energy`` where no time became longer."""
    deciding = [row for row in report.rows if row.gating and not row.failed and row.verdict == report.outcome]
    words = dict.fromkeys(verdict_word(row.metric, row.verdict) for row in deciding)
    if report.outcome not in ("slower", "faster") or report.outcome in words or not words:
        return report.outcome
    return ", ".join(words)


def verdict_text(row: CaseComparison) -> str:
    """The verdict in words that suit the metric; in brackets where it does not count."""
    verdict = word(row)
    return verdict if row.gating or row.failed else f"({verdict})"


def row_reasons(row: CaseComparison, shared: Sequence[Difference] = ()) -> list[str]:
    """What must be said about one row, except circumstances that are ``shared`` by all."""
    found = [difference_text(each) for each in row.differences if each.key not in row.reason]
    if row.failed or row.verdict in ("inconclusive", "not-comparable"):
        found.insert(0, one_line(f"{row.reason}{_need(row.judgement)}"))
    elif row.judgement is not None and row.judgement.verdict != row.verdict:
        found.insert(0, one_line(row.reason))
    found += [difference_text(each) for each in row.circumstances if each not in shared]
    return found + [one_line(text) for text in row.warnings]


def all_reasons(row: CaseComparison) -> list[str]:
    """As :func:`row_reasons`, with the reason of every verdict and the change of the throughput."""
    found = row_reasons(row)
    reason = one_line(row.reason)
    if not found or not found[0].startswith(reason):
        found.insert(0, reason)
    return found + ([f"throughput {throughput_change(row)}"] if throughput_change(row) else [])


def shared_circumstances(rows: Sequence[CaseComparison]) -> list[Difference]:
    """What differs alike in every row that was compared."""
    compared = [row for row in rows if row.judgement is not None]
    if not compared:
        return []
    return [each for each in compared[0].circumstances if all(each in row.circumstances for row in compared)]


def difference_text(difference: Difference) -> str:
    """``driver is 550.54 in the base and 560.35 in the candidate``."""
    base, new = _value(difference.base), _value(difference.new)
    return one_line(f"{difference.key} is {base} in the base and {new} in the candidate")


def side_text(name: str, side: Side) -> str:
    """``candidate: 1 session (2026-11-22 10:11:12 UTC), 12 cases, Example CPU``."""
    times = sorted(time.replace("T", " ").replace("+00:00", " UTC") for time in side.created_at)
    period = "" if not times else f" ({times[0]})" if len(times) == 1 else f" ({times[0]} to {times[-1]})"
    number = len(side.session_ids)
    devices = ", ".join(side.device_names) or "unknown device"
    hosts = [_counted(len(side.host_ids), "host")] if len(side.host_ids) > 1 else []
    parts = [f"{_counted(number, 'session')}{period}", _counted(side.num_cases, "case"), devices, *hosts]
    return one_line(f"{name}: {', '.join(parts)}")


def general_lines(report: ComparisonReport) -> list[str]:
    """What is true of the whole comparison, said once."""
    lines = []
    shared = shared_circumstances(report.rows)
    if shared:
        lines.append("differs, but does not refuse: " + "; ".join(difference_text(each) for each in shared))
    lines += unpaired("no baseline", report.only_in_candidate) + unpaired("not in the candidate", report.only_in_base)
    return lines + [one_line(f"warning: {text}") for text in report.warnings]


def _counts(report: ComparisonReport, verdict: Verdict, number: int) -> list[tuple[int, str]]:
    """How often a verdict was drawn, and in which words; apart for energies where these differ."""
    word_of_energy = verdict_word("energy", verdict)
    if word_of_energy == verdict:
        return [(number, verdict)]
    of_energy = sum(row.gating and row.metric == "energy" and row.verdict == verdict for row in report.rows)
    return [(number - of_energy, verdict), (of_energy, word_of_energy)]


def counts_text(report: ComparisonReport) -> str:
    """``1 slower, 38 same, 1 inconclusive``; only what occurs, and what did not end well."""
    numbers = [each for verdict in VERDICTS for each in _counts(report, verdict, report.counts.get(verdict, 0))]
    found = [f"{number} {text}" for number, text in numbers if number]
    return ", ".join(found + ([f"{report.num_failed} failed"] if report.num_failed else [])) or "nothing compared"


def last_line(report: ComparisonReport) -> str:
    """The whole verdict, what to do, and the exit code."""
    reason = f": {report.reason}" if report.reason else ""
    return one_line(f"{outcome_text(report)}{reason}; {ADVICE[report.outcome]} (exit code {report.exit_code})")


def _joules(row: CaseComparison) -> str:
    """`` (41.2 J to 43.8 J a step)``, for energies."""
    if row.base_j is None or row.new_j is None:
        return ""
    return f" ({units.joules(row.base_j)} to {units.joules(row.new_j)} a step)"


def _signed(ratio: float) -> str:
    if ratio >= 10:
        return f"x{ratio:.3g}"
    text = f"{100 * (ratio - 1):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def _replication(num_sessions: int, num_processes: int) -> str:
    return f"{num_sessions}x{num_processes / num_sessions:.3g}" if num_sessions else "0"


def _need(judgement: Judgement | None) -> str:
    if judgement is None or judgement.sessions_needed is None:
        return ""
    side = {"new": " of the candidate", "base": " of the base", "both": " on both sides"}
    which = side[judgement.sessions_needed_of] if judgement.sessions_needed_of else ""
    return f"; about {_counted(judgement.sessions_needed, 'more session')}{which} would settle it"


def _value(value: Scalar) -> str:
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def unpaired(what: str, labels: Sequence[str], shown: int = 5) -> list[str]:
    """``no baseline: a, b``: cases that only one side has; no line if there are none."""
    if not labels:
        return []
    rest = f" and {len(labels) - shown} others" if len(labels) > shown else ""
    return [one_line(f"{what}: {', '.join(labels[:shown])}{rest}")]
