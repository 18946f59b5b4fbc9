"""A store of baselines that was damaged, or that two write at once."""

from __future__ import annotations

import json
import multiprocessing
import os

import msgspec
import pytest

from results.baseline_list import describe
from results.baseline_load import load_baseline
from results.baseline_records import BASELINE_SCHEMA_VERSION, checksum
from results.baseline_store import read_sessions, read_store
from results.baseline_writer import StoreWriter
from results.compare import CompareOptions
from results.compare_stored import compare_with_stores
from results.errors import BaselineError, ExitCode, OutputError
from results.records import SCHEMA_VERSION
from results.run_sets import Filters
from results.store import open_run
from results.write_once import write_once
from tests.results.baselines.stores import NOW, add, candidate
from tests.results.example_run import case
from tests.results.sessions import GPU_CASE, session


def session_files(store):
    return sorted(store.rglob("sessions/*.json"))


def reseal(file, **changes):
    fields = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({**fields, "sha256": checksum(fields)}))


@pytest.mark.parametrize(("damage", "reason"), [
    (lambda file: file.write_bytes(file.read_bytes()[:900]), "Input data was truncated"),
    (lambda file: file.write_bytes(b""), "truncated"),
    (lambda file: file.write_text("[]"), "expected an object"),
    (lambda file: file.write_text(file.read_text().replace('"order_seed": 2', '"order_seed": 3')), "does not match its checksum"),
    (lambda file: reseal(file, surprise=1), "unknown field `surprise`"),
    (lambda file: reseal(file, schema_version=BASELINE_SCHEMA_VERSION + 1), "newer than this chipmark reads"),
    (lambda file: reseal(file, schema_version="x"), "schema version 'x' is unknown"),
    (lambda file: reseal(file, keys={"workload": "other"}), "under other conditions than its entry's"),
    (lambda file: reseal(file, run={"schema_version": SCHEMA_VERSION + 1}), "newer than this chipmark reads"),
    (lambda file: reseal(file, measurements=[7]), "expected an object"),
    (lambda file: reseal(file, measurements=None), "holds no list of measurements"),
    (lambda file: (file.unlink(), file.mkdir()), "cannot be read: Is a directory"),
])  # fmt: skip
def test_a_damaged_session_is_reported_and_the_others_are_used(store, tmp_path, damage, reason):
    file = session_files(store)[1]
    damage(file)
    loaded = load_baseline([store], candidate(tmp_path))
    assert [each.created_at[11:13] for each in loaded.cases] == ["00", "04"]
    assert len(loaded.warnings) == 1
    assert str(file) in loaded.warnings[0]
    assert reason in loaded.warnings[0]
    (entry,) = read_store(store)
    assert describe(entry).problems == tuple(loaded.warnings)


def test_spacing_and_line_ends_are_no_damage(store, tmp_path):
    for file in store.rglob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()), indent=3), newline="\r\n")
    loaded = load_baseline([store], candidate(tmp_path))
    assert (len(loaded.cases), loaded.warnings) == (3, [])


def test_raw_samples_that_changed_are_told(store, tmp_path):
    (entry,) = read_store(store)
    first = read_sessions(entry).stored[0].measurements[0].samples.file
    (entry.path / first).write_bytes(b"x")
    assert "does not match its checksum" in describe(entry).problems[0]
    loaded = load_baseline([store], candidate(tmp_path))
    assert "checksum" in " ".join([*loaded.warnings, *(text for each in loaded.cases for text in each.left_out)])
    assert sum(len(each.processes) for each in loaded.cases) == 14


def test_a_session_never_reads_outside_its_entry(store, tmp_path):
    file = session_files(store)[0]
    measurements = json.loads(file.read_text())["measurements"]
    (entry,) = read_store(store)
    outside = tmp_path / "outside.npz"
    outside.write_bytes((entry.path / measurements[0]["samples"]["file"]).read_bytes())
    measurements[0]["samples"]["file"] = str(outside)
    reseal(file, measurements=measurements)
    assert "is not where raw samples lie" in describe(entry).problems[0]
    (first, *_) = load_baseline([store], candidate(tmp_path)).cases
    assert [process.replicate for process in first.processes] == [1, 2, 3, 4]


def test_a_damaged_entry_costs_itself_only(store, tmp_path):
    other = case("resnet", "infer", "fp16", device="cuda:0")
    add(store, session(tmp_path / "other", cases=(other,)))
    broken = next(entry for entry in read_store(store) if entry.name.startswith("llm"))
    (broken.path / "baseline.json").write_bytes((broken.path / "baseline.json").read_bytes()[:50])
    loaded = load_baseline([store], candidate(tmp_path, cases=(GPU_CASE, other)))
    assert {each.case.workload for each in loaded.cases if each.processes} == {"resnet"}
    (lost,) = (each for each in loaded.cases if not each.processes)
    assert "baseline.json" in lost.problem
    assert "baseline.json" in loaded.warnings[0]
    report = add(store, session(tmp_path / "more", hour=77))
    assert "supersede the entry to begin another" in report.barred[0].reasons[0]
    with StoreWriter(store, NOW, "0.1.0") as writer:
        writer.supersede(broken, "damaged")
    assert add(store, open_run(tmp_path / "more")).added[0].entry.endswith("-2")


def lose_entry(store):
    for file in store.rglob("baseline.json"):
        file.write_bytes(b"{")


def lose_sessions(store):
    for file in session_files(store):
        file.write_bytes(b"{")


def lose_all(store):
    lose_entry(store)
    lose_sessions(store)


def no_sessions(store):
    for file in session_files(store):
        file.unlink()


@pytest.mark.parametrize(("damage", "reason"), [
    (lose_entry, "baseline.json"), (lose_sessions, "sessions"), (lose_all, "baseline.json"), (no_sessions, "holds no session"),
])  # fmt: skip
def test_a_lost_baseline_does_not_open_the_gate(store, tmp_path, damage, reason):
    resnet = case("resnet", "infer", "fp16", device="cuda:0")
    damage(store)
    for i in range(3):
        add(store, session(tmp_path / f"other{i}", hour=2 * i, cases=(resnet,)))
    new = session(tmp_path / "new", hour=100, cases=(GPU_CASE, resnet)).path
    found = compare_with_stores([new], store, Filters(), CompareOptions())
    assert [(row.case.workload, row.verdict) for row in found.rows if row.gating] == [
        ("llm-decoder", "inconclusive"), ("resnet", "same"),
    ]  # fmt: skip
    assert found.exit_code == ExitCode.INCONCLUSIVE
    assert "the stored baseline cannot be used" in found.rows[0].reason
    assert reason in found.rows[0].reason
    # It says so as well where it was the only entry that there was.
    alone = session(tmp_path / "alone", hour=101).path
    assert compare_with_stores([alone], store, Filters(), CompareOptions()).exit_code == ExitCode.INCONCLUSIVE


def test_a_lost_baseline_of_another_case_is_no_concern(store, tmp_path):
    lose_entry(store)
    other = msgspec.structs.replace(GPU_CASE, batch_size=4)
    assert load_baseline([store], candidate(tmp_path, cases=(other,))).cases == []
    lose_sessions(store)  # then nobody knows whose it was
    (lost,) = load_baseline([store], candidate(tmp_path / "b", cases=(other,))).cases
    assert lost.problem
    resnet = case("resnet", "infer", "fp16", device="cuda:0")
    assert load_baseline([store], candidate(tmp_path / "c", cases=(resnet,))).cases == []


def test_a_file_in_the_place_of_a_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BaselineError, match="is a file, no folder"):
        add(tmp_path / "file", session(tmp_path / "run"))


def test_damaged_samples_of_a_crash_are_not_taken_for_good_ones(store, tmp_path):
    run = session(tmp_path / "more", hour=60)
    (entry,) = read_store(store)
    left = entry.path / "raw" / f"{run.measurements[2].samples.sha256}.npz"
    left.write_bytes(b"half")
    report = add(store, run)
    assert report.added == ()
    assert f"{left}: is damaged" in report.barred[0].reasons[0]
    assert left.read_bytes() == b"half"


def test_an_entry_in_the_wrong_place_gets_no_session(store, tmp_path):
    (entry,) = read_store(store)
    reseal(entry.path / "baseline.json", keys={"workload": "other"})
    report = add(store, session(tmp_path / "more", hour=60))
    assert "is of other conditions than its name says" in report.barred[0].reasons[0]


def test_an_older_run_format_within_a_session_is_migrated(store, tmp_path):
    file = session_files(store)[0]
    fields = json.loads(file.read_text())
    fields["run"]["schema_version"] = 1
    del fields["run"]["selfcheck"], fields["run"]["selfcheck_reason"]
    for record in fields["measurements"]:
        record["schema_version"] = 1
        del record["stats"], record["machine"]
        (record["energy"],) = record["energy"]
    reseal(file, **fields)
    loaded = load_baseline([store], candidate(tmp_path))
    assert [len(each.processes) for each in loaded.cases] == [5, 5, 5]
    assert loaded.cases[0].processes[0].median_s == pytest.approx(0.998e-3, rel=1e-4)


class Crash(BaseException):
    pass


def failing(real, left):
    """``real``, as long as something is left."""

    def call(*arguments, **options):
        if next(left, None) is None:
            raise Crash
        return real(*arguments, **options)

    return call


def test_a_crash_at_any_step_leaves_a_readable_store(store, tmp_path, monkeypatch):
    """The power fails at each operation on the disk in turn; afterwards the same run can be added."""
    run = session(tmp_path / "more", hour=60)
    names = ("fsync", "link", "replace", "open")
    real = {name: getattr(os, name) for name in names}
    crashes = 0
    for limit in range(1000):
        left = iter(range(limit))
        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(os, name, failing(real[name], left))
            try:
                report = add(store, run)
            except Crash:
                crashes += 1
                report = None
        (entry,) = read_store(store)
        found = read_sessions(entry)
        assert found.problems == []
        if report is not None and report.added:
            break
        if len(found.stored) == 4:  # the session was there already when the power failed
            break
        assert len(found.stored) == 3
    assert crashes > 10
    assert len(load_baseline([store], candidate(tmp_path)).cases) == 4


def test_files_are_torn_at_no_byte(tmp_path):
    target = tmp_path / "file"
    write_once(target, b"first")
    with pytest.raises(FileExistsError):
        write_once(target, b"second")
    assert target.read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_hard_links_nothing_is_overwritten_either(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "link", no_links)
    test_files_are_torn_at_no_byte(tmp_path)


def _hold(store, started, done):
    with StoreWriter(store, NOW, "0.1.0"):
        started.set()
        done.wait(30)


def test_two_writers(store, tmp_path):
    context = multiprocessing.get_context("spawn")
    started, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(store, started, done))
    process.start()
    try:
        assert started.wait(30)
        with pytest.raises(BaselineError, match="another chipmark is writing this store"):
            add(store, session(tmp_path / "x", hour=70))
        assert len(load_baseline([store], candidate(tmp_path)).cases) == 3  # readers do not care
    finally:
        done.set()
        process.join(30)
    assert add(store, open_run(tmp_path / "x")).added


def test_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place with --store"):
        add(tmp_path / "file" / "store", session(tmp_path / "run"))
