"""Stored runs as pandas frames: one row a case, raw times, raw samples of power meters.

``load``, ``load_samples`` and ``load_power`` give them.

pandas takes most of a second to import: import this module late.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from results.electricity import CSV_COLUMNS, Tariff, checked_tariff, cost_of, csv_fields
from results.errors import RunFolderError
from results.instance_record import Instance
from results.records import Measurement, Scalar
from results.render import find_device
from results.rows import COLUMNS, METRIC_COLUMNS, flat_row
from results.store import RUN_FILE, StoredRun, open_run
from results.summary import summarize

PathLike = str | os.PathLike[str]

# The rented machine that the run names, as the price table writes it; empty where it names none.
INSTANCE_COLUMNS = ("instance_provider", "instance_type", "instance_region", "instance_pricing")
# Columns of ``load`` beside those of ``results.rows.COLUMNS`` and one ``shape_<name>`` a size.
RUN_COLUMNS = (
    "run_id",
    "suite",
    "created_at",
    "device_name",
    "device_kind",
    "device_memory_bytes",
    *INSTANCE_COLUMNS,
    "chipmark_version",
    "python_version",
    "platform",
    "cpu_name",
    "host_id",
)
SAMPLE_COLUMNS = ("run_id", "case_id", "replicate", "kind", "index", "seconds")
POWER_COLUMNS = ("run_id", "case_id", "replicate", "trace", "time_s", "value", "unit")
# What the samples of a power meter are, by the end of their array's name; times end in _time_ns behind that.
POWER_UNITS = {"_uj": "J", "_uw": "W"}


def load(
    path_or_paths: PathLike | Iterable[PathLike], tariff_usd_per_kwh: float | None = None, pue: float | None = None
) -> pd.DataFrame:
    """One row for each planned case of each run.

    Args:
        path_or_paths: a run folder, a folder that holds runs, or several of either.
        tariff_usd_per_kwh: price of electricity, for what the metered energy costs.
        pue: power usage effectiveness of the building (1 if None).

    Returns:
        Columns: :data:`RUN_COLUMNS`; those of :data:`results.rows.COLUMNS`, where numbers are
        floats in SI base units and NaN where missing; those of :data:`results.electricity.CSV_COLUMNS` if
        there is a tariff; ``shape_<name>`` for every size that
        occurs; ``version_<package>`` for every package recorded.

    Raises:
        RunFolderError: a folder is not a run and holds none, or a run cannot be read.
        UsageError: tariff or PUE cannot be.
    """
    tariff = checked_tariff(tariff_usd_per_kwh, pue, ("tariff_usd_per_kwh", "pue"))
    rows = [row for path in run_folders(path_or_paths) for row in _run_rows(open_run(path), tariff)]
    priced = CSV_COLUMNS if tariff else ()
    plain = [*RUN_COLUMNS, *(column.name for column in COLUMNS), *priced]
    extra = sorted({name for row in rows for name in row} - set(plain))
    frame = pd.DataFrame(rows, columns=[*plain, *extra])
    frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True, format="ISO8601", errors="coerce")
    dollars = [name for name in priced if name != "electricity_reason"]
    return frame.astype(dict.fromkeys([*METRIC_COLUMNS, *dollars, "device_memory_bytes"], "float64"))


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
    parts = []
    for measurement in _measurements(run, case_id):
        for name, values_ns in run.samples(measurement).items():
            if _power_unit(name.removesuffix("_time_ns")):
                continue
            columns = {
                "run_id": run.info.run_id,
                "case_id": measurement.case_id,
                "replicate": measurement.replicate,
                "kind": name.removesuffix("_ns"),
                "index": np.arange(len(values_ns)),
                "seconds": values_ns / 1e9,
            }
            parts.append(pd.DataFrame(columns))
    return _joined(parts, SAMPLE_COLUMNS)


def load_power(path: PathLike, case_id: str | None = None) -> pd.DataFrame:
    """Every sample that a power meter gave around the passes of a run, in the order taken.

    Args:
        path: one run folder.
        case_id: only this case; all cases if None.

    Returns:
        Columns: :data:`POWER_COLUMNS`. ``trace`` is one of the names that ``EnergyReading.trace`` gives.
        ``time_s`` is since the first sample of the process, one clock for all its traces. ``value`` is the state of a
        counter in J, from any start, or a power in W, as ``unit`` says. Load before and after the metered
        window is in it. Empty where nothing was metered.

    Raises:
        RunFolderError: as :func:`load_samples`, or samples without their times.
    """
    run = open_run(path)
    parts = []
    for measurement in _measurements(run, case_id):
        arrays = run.samples(measurement)
        names = [name for name in arrays if _power_unit(name) and len(arrays[name])]
        for name in names:
            if len(arrays.get(f"{name}_time_ns", ())) != len(arrays[name]):
                where = f"{run.path}: {measurement.case.label}, replicate {measurement.replicate}"
                raise RunFolderError(f"{where}: samples of {name} and their times do not match; measure again")
        start_ns = min((int(arrays[f"{name}_time_ns"].min()) for name in names), default=0)
        for name in names:
            columns = {
                "run_id": run.info.run_id,
                "case_id": measurement.case_id,
                "replicate": measurement.replicate,
                "trace": name,
                "time_s": (arrays[f"{name}_time_ns"] - start_ns) / 1e9,
                "value": arrays[name] / 1e6,
                "unit": _power_unit(name),
            }
            parts.append(pd.DataFrame(columns))
    return _joined(parts, POWER_COLUMNS)


def _measurements(run: StoredRun, case_id: str | None) -> list[Measurement]:
    if case_id is not None and case_id not in {planned.case.id for planned in run.info.plan}:
        raise RunFolderError(f"{run.path}: no case {case_id!r}; `chipmark show --format csv` lists case_id")
    return [m for m in run.measurements if case_id in (None, m.case_id)]


def _power_unit(name: str) -> str:
    """Of an array of a side file; empty if it is not from a power meter."""
    return next((unit for end, unit in POWER_UNITS.items() if name.endswith(end)), "")


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(columns)] if parts else pd.DataFrame(columns=list(columns))


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


def _instance(instance: Instance | None) -> dict[str, Scalar]:
    fields = ("provider", "instance_type", "region", "pricing")
    return {
        column: getattr(instance, field) if instance else None
        for column, field in zip(INSTANCE_COLUMNS, fields, strict=True)
    }


def _run_rows(run: StoredRun, tariff: Tariff | None) -> list[dict[str, Scalar]]:
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
            "device_memory_bytes": device.memory_bytes if device else None,
            **_instance(info.instance),
            "chipmark_version": environment.chipmark_version,
            "python_version": environment.python_version,
            "platform": environment.platform,
            "cpu_name": environment.cpu_name,
            "host_id": environment.host_id,
        }
        shape = {f"shape_{name}": size for name, size in summary.case.shape.items()}
        priced = csv_fields(tariff, cost_of(summary, tariff)) if tariff else {}
        rows.append({**row, **flat_row(summary), **priced, **shape, **versions})
    return rows
