"""Adding to a store of baselines (the layout is in ``results.baseline_store``): the only writer.

Nothing that is there is changed. One process writes a store at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec

from results.baseline_records import (
    BaselineEntry,
    BaselineSession,
    Superseded,
    hash_keys,
    run_identity,
    sealed,
)
from results.baseline_store import (
    ENTRY_FILE,
    RAW_FOLDER,
    SESSIONS_FOLDER,
    SUPERSEDED_FILE,
    Entry,
    folder_name,
    read_entry,
    slug,
)
from results.comparison import ComparedMetric
from results.errors import BaselineError, OutputError, UnknownNameError
from results.record import Record, Scalar
from results.records import CaseSpec, Device, Measurement, RunInfo, SamplesRef
from results.store import StoredRun
from results.store_writer import check_free_space
from results.write_once import exclusive, write_once

LOCK_FILE = ".lock"
# A family of metrics of which any may fail a build; more would need more sessions to tell anything.
MAX_GATING = 10


class NewSession(NamedTuple):
    """What one run measured of one case: found fit for a baseline, not yet stored."""

    run: StoredRun
    case: CaseSpec
    measurements: Sequence[Measurement]
    device: Device | None
    keys: Mapping[str, Scalar]
    context: Mapping[str, Scalar]
    gating: Sequence[str]  # the metrics that decide, where the user names none


class StoreWriter:
    """Holds a store's lock and adds to it. Use as a context manager; the folder is made if need be.

    Args:
        store: the store's folder.
        now: ISO 8601, UTC; stored with what is added.
        chipmark_version: likewise.

    Raises:
        OutputError: the folder cannot be written, or its disk is full.
        BaselineError: another process writes it, or it is a file.
    """

    def __init__(self, store: Path, now: str, chipmark_version: str) -> None:
        self.store, self._now, self._version = store, now, chipmark_version
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> StoreWriter:
        with self._writing():
            try:
                self.store.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                raise BaselineError(f"{self.store}: is a file, no folder; name another with --store") from None
            check_free_space(self.store)
            try:
                self._stack.enter_context(exclusive(self.store / LOCK_FILE))
            except BlockingIOError:
                raise BaselineError(f"{self.store}: another chipmark is writing this store; try again later") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, new: NewSession, gating: Sequence[str]) -> Entry:
        """Store one session durably; its entry is made if need be.

        Args:
            new: the session.
            gating: the metrics that are to decide; empty for those of the entry, or the session's.

        Raises:
            BaselineError: the entry is damaged, has this run already, or has other gating metrics.
            OutputError: the disk is full or the like; what was stored before is kept.
        """
        path, generation = self._place(new)
        with self._writing():
            entry = self._entry(path, generation, new, gating or new.gating)
            if gating and entry.info is not None and tuple(gating) != entry.info.gating:
                raise BaselineError(
                    f"{path}: decides by {', '.join(entry.info.gating)}; supersede it to decide by {', '.join(gating)}"
                )
            self._refuse_twice(path, new.run.info)
            measurements = tuple(self._copy_raw(path, new.run, each) for each in new.measurements)
            self._write(path / SESSIONS_FOLDER / _session_name(new.run.info), self._session(new, measurements))
        return entry

    def supersede(self, entry: Entry, reason: str) -> None:
        """Mark an entry as no longer used.

        Raises:
            BaselineError: it is superseded already.
        """
        record = Superseded(reason=reason, superseded_at=self._now, chipmark_version=self._version)
        with self._writing():
            try:
                self._write(entry.path / SUPERSEDED_FILE, record)
            except FileExistsError:
                raise BaselineError(f"{entry.path}: is superseded already") from None

    def _place(self, new: NewSession) -> tuple[Path, int]:
        name = new.device.name if new.device else new.case.device
        folder = self.store / f"{folder_name(new.case.workload)}@{new.case.workload_version}" / slug(name)
        base = f"{new.case.precision}-{hash_keys(new.keys)}"
        paths = (folder / (base if number == 1 else f"{base}-{number}") for number in itertools.count(1))
        return next((path, n) for n, path in enumerate(paths, start=1) if not (path / SUPERSEDED_FILE).exists())

    def _entry(self, path: Path, generation: int, new: NewSession, gating: Sequence[str]) -> Entry:
        if not (path / ENTRY_FILE).exists():
            for folder in (SESSIONS_FOLDER, RAW_FOLDER):
                (path / folder).mkdir(parents=True, exist_ok=True)
            device = new.device
            record = BaselineEntry(
                case=new.case, device_name=device.name if device else "unknown device",
                device_kind=device.kind if device else "unknown", config_hash=hash_keys(new.keys),
                generation=generation, keys=dict(new.keys), gating=tuple(gating), created_at=self._now,
                chipmark_version=self._version,
            )  # fmt: skip
            self._write(path / ENTRY_FILE, record)
        entry = read_entry(self.store, path)
        if entry.info is None:
            raise BaselineError(f"{'; '.join(entry.problems)}; supersede the entry to begin another")
        if entry.info.keys != new.keys:
            raise BaselineError(f"{path}: is of other conditions than its name says; supersede it to begin another")
        return entry

    def _refuse_twice(self, path: Path, info: RunInfo) -> None:
        found = next((path / SESSIONS_FOLDER).glob(f"*-{run_identity(info)}.json"), None)
        if found is not None:
            raise BaselineError(f"{path}: holds run {info.run_id} already ({found.name})")

    def _copy_raw(self, path: Path, run: StoredRun, measurement: Measurement) -> Measurement:
        if measurement.samples is None:
            return measurement
        reference = measurement.samples
        name = f"{RAW_FOLDER}/{reference.sha256}.npz"
        content = (run.path / reference.file).read_bytes()
        try:
            write_once(path / name, content)
        except FileExistsError:  # left by a crash, or the same samples
            if (path / name).read_bytes() != content:
                raise BaselineError(f"{path / name}: is damaged; supersede the entry to begin another") from None
        return msgspec.structs.replace(
            measurement, samples=SamplesRef(file=name, sha256=reference.sha256, arrays=reference.arrays)
        )

    def _session(self, new: NewSession, measurements: tuple[Measurement, ...]) -> BaselineSession:
        info = new.run.info
        plan = tuple(planned for planned in info.plan if planned.case.id == new.case.id)
        return BaselineSession(
            session_id=run_identity(info), added_at=self._now, chipmark_version=self._version, keys=dict(new.keys),
            context=dict(new.context), run=msgspec.structs.replace(info, plan=plan), measurements=measurements,
        )  # fmt: skip

    def _write(self, path: Path, record: Record) -> None:
        write_once(path, msgspec.json.format(msgspec.json.encode(sealed(record)), indent=1) + b"\n")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise
        except OSError as error:
            raise OutputError(
                f"{self.store}: cannot write the baseline: {error.strerror or error}; what was stored before is kept; "
                "choose another place with --store"
            ) from error


def check_gating(names: Sequence[str]) -> list[ComparedMetric]:
    """The metrics that are to decide.

    Raises:
        UnknownNameError: there is no such metric.
        BaselineError: there are more than :data:`MAX_GATING`.
    """
    known: dict[str, ComparedMetric] = {metric: metric for metric in get_args(ComparedMetric)}
    for name in names:
        if name not in known:
            raise UnknownNameError("metric", name, known, "--gating")
    if len(names) > MAX_GATING:
        raise BaselineError(f"--gating: {len(names)} metrics; at most {MAX_GATING} may decide")
    return [known[name] for name in names]


def _session_name(info: RunInfo) -> str:
    """``20261122T101112Z-0123456789ab.json``: when it was measured, and which run it was."""
    stamp = re.sub(r"[^0-9T]", "", info.created_at.partition("+")[0])[:15]
    return f"{stamp}Z-{run_identity(info)}.json"
