"""Stored runs as pandas frames: ``load`` for one row a case, ``load_samples`` for raw times.

pandas takes most of a second to import: import this module late.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from results.errors import RunFolderError
from results.records import Scalar
from results.render import find_device
from results.rows import COLUMNS, METRIC_COLUMNS, flat_row
from results.store import RUN_FILE, StoredRun, open_run
from results.summary import summarize

PathLike = str | os.PathLike[str]

# Columns of ``load`` beside those of ``results.rows.COLUMNS`` and one ``shape_<name>`` a size.
RUN_COLUMNS = (
    "run_id",
    "suite",
    "created_at",
    "device_name",
    "device_kind",
    "chipmark_version",
    "python_version",
    "platform",
    "cpu_name",
    "host_id",
)
SAMPLE_COLUMNS = ("run_id", "case_id", "replicate", "kind", "index", "seconds")


def load(path_or_paths: PathLike | Iterable[PathLike]) -> pd.DataFrame:
    """One row for each planned case of each run.

    Args:
        path_or_paths: a run folder, a folder that holds runs, or several of either.

    Returns:
        Columns: :data:`RUN_COLUMNS`; those of :data:`results.rows.COLUMNS`, where numbers are
        floats in SI base units and NaN where missing; ``shape_<name>`` for every size that
        occurs; ``version_<package>`` for every package recorded.

    Raises:
        RunFolderError: a folder is not a run and holds none, or a run cannot be read.
    """
    rows = [row for path in run_folders(path_or_paths) for row in _run_rows(open_run(path))]
    plain = [*RUN_COLUMNS, *(column.name for column in COLUMNS)]
    extra = sorted({name for row in rows for name in row} - set(plain))
    frame = pd.DataFrame(rows, columns=[*plain, *extra])
    frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True, format="ISO8601", errors="coerce")
    return frame.astype(dict.fromkeys(METRIC_COLUMNS, "float64"))


def load_samples(path: PathLike, case_id: str | None = None) -> pd.DataFrame:
    """Every raw sample of a run, in the order taken.

    Args:
        path: one run folder.
        case_id: only this case; all cases if None.

    Returns:
        Columns: :data:`SAMPLE_COLUMNS`; ``kind`` is ``latency``, ``device`` or ``warmup``.

    Raises:
        RunFolderError: the run or a side file cannot be read, or the run has no such case.
    """
    run = open_run(path)
    if case_id is not None and case_id not in {planned.case.id for planned in run.info.plan}:
        raise RunFolderError(f"{run.path}: no case {case_id!r}; `chipmark show --format csv` lists case_id")
    parts = []
    for measurement in run.measurements:
        if case_id is not None and measurement.case_id != case_id:
            continue
        for name, values_ns in run.samples(measurement).items():
            columns = {
                "run_id": run.info.run_id,
                "case_id": measurement.case_id,
                "replicate": measurement.replicate,
                "kind": name.removesuffix("_ns"),
                "index": np.arange(len(values_ns)),
                "seconds": values_ns / 1e9,
            }
            parts.append(pd.DataFrame(columns))
    if not parts:
        return pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(SAMPLE_COLUMNS)]


def run_folders(path_or_paths: PathLike | Iterable[PathLike]) -> list[Path]:
    """The run folders that the arguments name or hold, sorted by name within each holder."""
    paths = [path_or_paths] if isinstance(path_or_paths, str | os.PathLike) else list(path_or_paths)
    folders: list[Path] = []
    for path in map(Path, paths):
        if (path / RUN_FILE).is_file():
            folders.append(path)
            continue
        held = sorted(file.parent for file in path.glob(f"*/{RUN_FILE}"))
        if not held:
            raise RunFolderError(f"{path}: neither a run nor a folder of runs (no {RUN_FILE} in it or one below)")
        folders.extend(held)
    return folders


def _run_rows(run: StoredRun) -> list[dict[str, Scalar]]:
    info, environment = run.info, run.info.environment
    versions = {f"version_{name}": version for name, version in environment.packages.items()}
    rows = []
    for summary in summarize(run):
        device = find_device(info.devices, summary.case)
        row: dict[str, Scalar] = {
            "run_id": info.run_id,
            "suite": info.suite,
            "created_at": info.created_at,
            "device_name": device.name if device else None,
            "device_kind": device.kind if device else None,
            "chipmark_version": environment.chipmark_version,
            "python_version": environment.python_version,
            "platform": environment.platform,
            "cpu_name": environment.cpu_name,
            "host_id": environment.host_id,
        }
        shape = {f"shape_{name}": size for name, size in summary.case.shape.items()}
        rows.append({**row, **flat_row(summary), **shape, **versions})
    return rows
