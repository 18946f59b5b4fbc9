"""Where the counts are that ``chipmark run --check`` holds a run against."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.plan import Filters
from harness.suite import load_suite
from results.configs import config_path
from results.counts import ExpectedCounts, read_counts
from results.errors import UsageError
from results.store import open_run

CHECKS_FOLDER = "checks"
BESIDE_SUFFIX = ".counts.json"
# Filters that leave out or replace cases: the rest would be missing from the run.
NARROWING = {"backends": "--backend", "workloads": "--workload", "phases": "--phase", "precisions": "--precision"}


class Expectation(msgspec.Struct, frozen=True):
    """Expected counts and the name of their file, for messages."""

    counts: ExpectedCounts
    source: str


def expectation(suite: str | None, filters: Filters) -> Expectation:
    """The counts expected of a suite, found and read before anything is measured.

    Of a shipped suite they are ``configs/checks/<suite>.json``; of a suite file ``my.toml`` they lie
    beside it, as ``my.counts.json``.

    Raises:
        UsageError: there are none, they are of another suite, or ``filters`` leave out cases.
    """
    if suite is None:
        raise UsageError("--check needs the suite it is to check: chipmark run smoke --check")
    given = [option for name, option in NARROWING.items() if getattr(filters, name)]
    if given:
        raise UsageError(f"--check is about the whole suite: leave out {', '.join(given)}, or --check")
    name = load_suite(suite).suite.name
    if suite.endswith(".toml"):
        path = Path(suite).with_suffix(BESIDE_SUFFIX)
        counts = read_counts(path)
    else:
        path, counts = shipped(name)
    if counts.suite != name:
        raise UsageError(f"{path}: holds the counts of suite {counts.suite!r}, not of {name!r}")
    return Expectation(counts, str(path))


def expectation_of_run(folder: Path) -> Expectation:
    """The counts expected of a stored run that is to be resumed, by the name of its suite.

    Raises:
        RunFolderError: ``folder`` is no run.
        UsageError: no counts ship for its suite.
    """
    path, counts = shipped(open_run(folder).info.suite)
    return Expectation(counts, str(path))


def shipped(name: str) -> tuple[Path, ExpectedCounts]:
    """Path and content of ``configs/checks/<name>.json``.

    Raises:
        UsageError: no such file ships, or it is damaged.
    """
    here = sorted(path.stem for path in config_path(CHECKS_FOLDER).glob("*.json"))
    if name not in here:
        raise UsageError(
            f"no expected counts ship for suite {name!r} (they do for: {', '.join(here) or 'none'}); "
            "of a suite file they lie beside it: chipmark show RUN --format counts > my.counts.json for my.toml"
        )
    path = config_path(CHECKS_FOLDER) / f"{name}.json"
    return path, read_counts(path)
