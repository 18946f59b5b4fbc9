from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from results.errors import OutputError, RunFolderError
from results.records import SCHEMA_VERSION, Measurement, RunInfo
from results.store import open_run
from results.store_writer import RunWriter
from tests.results.store_samples import make_info, make_measurement

SAMPLES = {"latency_ns": np.arange(1, 1001, dtype=np.int64) * 1_000, "device_ns": np.zeros(0, np.int64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with three stored replicates."""
    run = tmp_path / "run"
    with RunWriter.create(run, make_info()) as writer:
        for replicate in range(3):
            writer.append(make_measurement(replicate), SAMPLES)
    return run


def test_what_was_written_is_read(folder: Path) -> None:
    run = open_run(folder)
    assert run.info == make_info()
    assert [m.replicate for m in run.measurements] == [0, 1, 2]
    assert run.warnings == []
    stored = run.measurements[0]
    assert msgspec.structs.replace(stored, samples=None) == make_measurement(0)
    assert stored.samples is not None
    assert stored.samples.arrays == {"latency_ns": 1000}
    samples = run.samples(stored)
    assert list(samples) == ["latency_ns"]
    np.testing.assert_array_equal(samples["latency_ns"], SAMPLES["latency_ns"])


def test_readable_after_a_crash_at_any_byte(folder: Path) -> None:
    file = folder / "measurements.jsonl"
    content = file.read_bytes()
    ends = [i for i, byte in enumerate(content) if byte == ord("\n")]
    for size in range(len(content) + 1):
        file.write_bytes(content[:size])
        run = open_run(folder)
        complete = sum(end < size for end in ends)
        # A line whose newline alone is missing is whole and is kept.
        assert len(run.measurements) == complete + (size in ends)
        torn = size > 0 and content[size - 1] != ord("\n") and size not in ends
        assert len(run.warnings) == int(torn)
        if torn:
            assert "torn by a crash" in run.warnings[0]


@pytest.mark.parametrize(
    "garbage", [b"{}\n", b"\x00\x00\n", b"null\n", b"\xff\xfe\n", b'{"schema_version": 1}\n', b"[1]\n"]
)
def test_a_damaged_line_is_reported_and_the_others_are_read(folder: Path, garbage: bytes) -> None:
    file = folder / "measurements.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + garbage + lines[2])
    run = open_run(folder)
    assert [m.replicate for m in run.measurements] == [0, 2]
    assert len(run.warnings) == 1
    assert "line 2 was skipped" in run.warnings[0]


def test_appending_after_a_torn_line_loses_nothing(folder: Path) -> None:
    file = folder / "measurements.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    with RunWriter(folder) as writer:
        writer.append(make_measurement(2), SAMPLES)
    run = open_run(folder)
    assert [m.replicate for m in run.measurements] == [0, 1, 2]
    assert len(run.warnings) == 1


def test_a_newer_line_replaces_an_older_one_and_history_keeps_both(folder: Path) -> None:
    with RunWriter(folder) as writer:
        writer.append(make_measurement(1, status="failed"), {})
    run = open_run(folder)
    assert [(m.replicate, m.status) for m in run.measurements] == [(0, "ok"), (1, "failed"), (2, "ok")]
    assert len(run.history) == 4


def test_changed_samples_are_noticed(folder: Path) -> None:
    run = open_run(folder)
    assert run.measurements[0].samples is not None
    file = folder / run.measurements[0].samples.file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunFolderError, match="do not match their checksum"):
        run.samples(run.measurements[0])
    file.unlink()
    with pytest.raises(RunFolderError, match="cannot be read"):
        run.samples(run.measurements[0])


def test_a_second_writer_is_refused(folder: Path) -> None:
    with RunWriter(folder), pytest.raises(RunFolderError, match="another chipmark is writing"):
        RunWriter(folder).__enter__()


def test_a_run_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(RunFolderError, match="already holds a run"):
        RunWriter.create(folder, make_info())


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such run folder"):
        open_run(tmp_path / "missing")
    with pytest.raises(RunFolderError, match=r"holds no run\.json"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a run"),
        (b'{"schema_version": 1', "cannot be read as a run"),
        (b"[]", "expected an object"),
        (b'{"run_id": "x"}', "no schema_version"),
        (b'{"schema_version": %d}' % (SCHEMA_VERSION + 1), "newer than this chipmark reads"),
        (b'{"schema_version": 0}', "schema version 0 is unknown"),
        (b'{"schema_version": 1, "surprise": 2}', "unknown field `surprise`"),
    ],
)
def test_a_damaged_run_file_is_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=message):
        open_run(tmp_path)


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(OutputError, match="cannot write results"):
        RunWriter.create(blocker / "run", make_info())


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from results.errors import OutputError
from results.store_writer import RunWriter
from tests.results.store_samples import make_measurement
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
room = (folder / "measurements.jsonl").stat().st_size + 300
with RunWriter(folder) as writer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        writer.append(make_measurement(7), {})
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a file size limit")
def test_a_write_that_fails_half_way_leaves_the_file_whole(folder: Path) -> None:
    before = (folder / "measurements.jsonl").read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(folder)], capture_output=True, text=True, check=True)
    assert "what was stored before is kept" in done.stdout
    assert (folder / "measurements.jsonl").read_bytes() == before


def test_every_line_is_on_disk_before_append_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd))[1])
    with RunWriter(folder) as writer:
        writer.append(make_measurement(9), SAMPLES)
    assert synced[-1] == (folder / "measurements.jsonl").stat().st_size
    assert len(synced) >= 3  # samples, their folder, the line


@pytest.mark.parametrize("kind", [RunInfo, Measurement])
def test_records_are_frozen_keyword_only_and_closed(kind: type[msgspec.Struct]) -> None:
    config = kind.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields
    with pytest.raises(TypeError):
        kind("positional")
