"""Comparing what is stored: runs with runs, runs with stored baselines, the pairs of an A/B."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from results.baseline_load import load_baseline
from results.baseline_store import DEFAULT_STORE, SHIPPED_STORE, default_stores, is_store
from results.compare import CompareOptions, compare
from results.comparison import ComparisonReport
from results.errors import BaselineError
from results.run_sets import Filters, RunSet, filtered, read_set


def compare_with_runs(
    candidate: Sequence[Path], base: Sequence[Path], filters: Filters, options: CompareOptions
) -> ComparisonReport:
    """Compare runs with runs, or with one store where ``base`` is that.

    Raises:
        RunFolderError: a side cannot be read, or nothing was measured in it.
        BaselineError: the base is nothing but the candidate itself, or no stored baseline fits.
    """
    if len(base) == 1 and is_store(base[0]):
        return compare_with_stores(candidate, base[0], filters, options)
    new, old = filtered(read_set(candidate), filters), read_set(base)
    return _compare(new, RunSet(filters.keep(old.cases), old.warnings), ", ".join(map(str, base)), options)


def compare_with_stores(
    candidate: Sequence[Path], store: Path | None, filters: Filters, options: CompareOptions
) -> ComparisonReport:
    """Compare runs with the stored baselines that fit: of ``store``, or of those that are looked at by default.

    Raises:
        RunFolderError: the candidate cannot be read, or nothing was measured in it.
        BaselineError: no stored baseline fits, or it holds nothing but the candidate itself.
    """
    new = filtered(read_set(candidate), filters)
    stores = [store] if store is not None else default_stores()
    found = load_baseline(stores, new.cases)
    looked = ", ".join(map(str, stores or [DEFAULT_STORE, SHIPPED_STORE]))
    if not found.cases:
        damaged = f" ({'; '.join(found.warnings)})" if found.warnings else ""
        raise BaselineError(
            f"no stored baseline fits (looked in {looked}){damaged}; "
            "make one with `chipmark baseline create RUN`, or name a run to compare with"
        )
    report = _compare(new, RunSet(found.cases, found.warnings), looked, options)
    # With a filter, most of a store is left out on purpose.
    return report if any(filters) else _with_absent(report, found.absent)


def _with_absent(report: ComparisonReport, absent: Sequence[str]) -> ComparisonReport:
    """The report, with the cases of the stores that the candidate could have measured and has not."""
    more = [label for label in absent if label not in report.only_in_base]
    if not more:
        return report
    reason = f"{report.reason}; {len(more)} of the store not in the candidate"
    return msgspec.structs.replace(report, reason=reason, only_in_base=(*report.only_in_base, *more))


def compare_ab(folder: Path, options: CompareOptions) -> ComparisonReport:
    """The pairs that an A/B comparison stored, judged again."""
    from results.ab_report import ab_report

    return ab_report(folder, options)


def _compare(new: RunSet, old: RunSet, old_name: str, options: CompareOptions) -> ComparisonReport:
    if old.session_ids and old.session_ids <= new.session_ids:
        raise BaselineError(f"{old_name}: holds nothing but the candidate itself; compare with another run")
    return compare(new.cases, old.cases, options, [*new.warnings, *old.warnings])
