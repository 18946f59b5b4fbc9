"""A store of baselines: what gets in, what stays out, what damage costs."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from results.baseline_create import create
from results.baseline_list import describe
from results.baseline_load import load_baseline
from results.baseline_records import BASELINE_SCHEMA_VERSION, BaselineSession, checksum, hash_keys
from results.baseline_store import find_entry, is_store, read_sessions, read_store, slug
from results.baseline_writer import StoreWriter, check_gating
from results.errors import BaselineError, OutputError, UnknownNameError
from results.evidence import read_session, session_cases
from results.records import SCHEMA_VERSION, Guard
from results.store import open_run
from results.write_once import write_once
from tests.results.example_run import CPU, FAILED, H100, case
from tests.results.sessions import GPU_CASE, session, sessions

NOW = "2026-11-24T12:00:00+00:00"


def add(store: Path, *runs, gating=()):
    with StoreWriter(store, NOW, "0.1.0") as writer:
        return create(runs, writer, gating)


@pytest.fixture
def store(tmp_path):
    """A store with one entry of three sessions."""
    report = add(tmp_path / "store", *sessions(tmp_path / "base", 3))
    assert [len(report.added), len(report.barred)] == [3, 0]
    return tmp_path / "store"


def candidate(tmp_path, **changes):
    return session_cases(session(tmp_path / "new", hour=100, **changes))


def files(store):
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_layout_and_provenance(store):
    (entry,) = read_store(store)
    workload, device, config = entry.name.split("/")
    assert (workload, device) == ("llm-decoder@1", "nvidia-h100-80gb-hbm3")
    assert config == f"bf16-{hash_keys(entry.info.keys)}"
    assert sorted(path.name for path in entry.path.iterdir()) == ["baseline.json", "raw", "sessions"]
    stored = read_sessions(entry).stored
    assert [s.run.run_id for s in stored] == ["run0", "run1", "run2"]
    for kept in stored:
        assert kept.run.environment.host_id == "0123456789ab"
        assert [m.replicate for m in kept.measurements] == [0, 1, 2, 3, 4]
        assert [planned.case for planned in kept.run.plan] == [GPU_CASE]
        for each in kept.measurements:
            assert each.stats.median_s == pytest.approx(1e-3, rel=0.01)
            assert (entry.path / each.samples.file).name == f"{each.samples.sha256}.npz"
    names = sorted(path.name for path in (entry.path / "sessions").iterdir())
    assert [name[:17] for name in names] == ["20261101T000000Z-", "20261101T020000Z-", "20261101T040000Z-"]


def test_a_session_compares_as_the_run_it_came_from(store, tmp_path):
    run = read_session(tmp_path / "base" / "run1").cases[0]
    stored = {each.session_id: each for each in load_baseline([store], [run]).cases}
    assert len(stored) == 3
    again = stored[run.session_id]
    assert msgspec.structs.replace(again, gating=None) == run
    assert again.gating == ("throughput",)


def test_the_same_run_is_refused_even_from_a_copied_folder(store, tmp_path):
    before = files(store)
    (tmp_path / "base" / "run0").rename(tmp_path / "copy")
    report = add(store, open_run(tmp_path / "copy"))
    assert report.added == ()
    assert "holds run run0 already" in report.barred[0].reasons[0]
    assert files(store) == before
    # The same name on another day is another run.
    again = session(tmp_path / "elsewhere" / "run0", hour=50)
    assert len(add(store, again).added) == 1


def test_nothing_is_changed_by_adding(store, tmp_path):
    before = files(store)
    report = add(store, session(tmp_path / "more", hour=30))
    assert report.added[0].num_sessions == 4
    after = files(store)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(("changes", "reason"), [
    ({"record": {"status": "killed", "stage": "measure", "reason": "signal 9"}}, "replicate 0 ended killed at measure: signal 9"),
    ({"record": {"status": "invalid", "numerics": FAILED}}, "ended invalid"),
    ({"record": {"numerics": FAILED}}, "numerics failed: rel_l2 0.61 past its limit"),
    ({"record": {"guards": (Guard(name="steal", value=9.0, threshold=1.0, verdict="FAIL", reason="9 % stolen"),)}},
     "guard steal FAILED: 9 % stolen"),
    ({"devices": (msgspec.structs.replace(H100, details={"simulated": True}),)}, "cuda:0 is marked simulated"),
    ({"num_processes": 0, "planned": 5}, "was never measured"),
])  # fmt: skip
def test_what_is_barred(tmp_path, changes, reason):
    report = add(tmp_path / "store", session(tmp_path / "run", **changes))
    assert report.added == ()
    assert reason in " ".join(report.barred[0].reasons)
    assert not is_store(tmp_path / "store")


def test_a_warning_of_a_guard_is_no_bar(tmp_path):
    guard = Guard(name="steal", value=0.5, threshold=1.0, verdict="WARN", reason="a little")
    assert len(add(tmp_path / "store", session(tmp_path / "run", record={"guards": (guard,)})).added) == 1


def raw_files(run):
    return sorted((run.path / "samples").iterdir())


@pytest.mark.parametrize(("damage", "reason"), [
    (lambda file: file.unlink(), "cannot be read"),
    (lambda file: file.write_bytes(file.read_bytes()[:-9] + b"000000000"), "match"),
])  # fmt: skip
def test_missing_and_altered_raw_samples_bar_their_case_only(tmp_path, damage, reason):
    other = case("resnet", "infer", "fp16", device="cuda:0")
    run = session(tmp_path / "run", cases=(GPU_CASE, other))
    damage(next(file for file in raw_files(run) if GPU_CASE.id in file.name))
    report = add(tmp_path / "store", open_run(run.path))
    assert [added.case for added in report.added] == [other.label]
    assert reason in report.barred[0].reasons[0]
    assert report.barred[0].case == GPU_CASE.label


def test_a_clock_that_stepped_is_barred(tmp_path):
    from tests.results.example_run import SEQUENCES, measurement, run_info, timing
    from tests.results.example_run import store as store_run

    record = measurement(GPU_CASE, work=SEQUENCES, timing=timing([(40, 40_000_000)], 40))
    samples = {"latency_ns": np.array([-5, *[1_000_000] * 39], np.int64)}
    run = store_run(tmp_path / "run", run_info([(GPU_CASE, 1)], (H100,)), [(record, samples)])
    report = add(tmp_path / "store", run)
    assert "-5 ns" in " ".join(report.barred[0].reasons)


@pytest.mark.parametrize(("number", "hours", "lacking"), [
    (1, 2, "needs 2 more sessions, an hour apart"),
    (2, 2, "needs 1 more session, an hour apart"),
    (3, 2, ""),
    (3, 0, "needs 2 more sessions, an hour apart: it has 3, 2 of them too close to another"),
])  # fmt: skip
def test_thin(tmp_path, number, hours, lacking):
    for i in range(number):
        run = session(tmp_path / f"run{i}", hour=hours * i, info={"order_seed": i})
        report = add(tmp_path / "store", run)
    assert "; ".join(*report.lacking.values()) == lacking
    (entry,) = read_store(tmp_path / "store")
    assert describe(entry).state == ("thin" if lacking else "in use")


def test_few_processes_and_mixed_versions_are_said(tmp_path):
    report = add(
        tmp_path / "store",
        session(tmp_path / "a", num_processes=3),
        session(tmp_path / "b", hour=3, environment={"packages": {"torch": "9.9"}}),
    )
    lacking = "; ".join(*report.lacking.values())
    assert "1 of 2 sessions have fewer than 5 processes (run with --replicates 5)" in lacking
    assert "package torch differs between sessions: 2.13.0+cpu, 9.9" in lacking


def test_unfinished_runs_are_accepted_with_a_caution(tmp_path):
    report = add(tmp_path / "store", session(tmp_path / "run", planned=7))
    assert report.added[0].cautions == ("2 of 7 replicates were never measured",)


def test_gating_is_declared_once(store, tmp_path):
    assert read_store(store)[0].info.gating == ("throughput",)
    report = add(store, session(tmp_path / "x", hour=31), gating=["latency_p99"])
    assert "decides by throughput; supersede it to decide by latency_p99" in report.barred[0].reasons[0]
    own = add(tmp_path / "own", session(tmp_path / "y", hour=32), gating=["latency_p50", "throughput"])
    assert len(own.added) == 1
    assert load_baseline([tmp_path / "own"], candidate(tmp_path)).cases[0].gating == ("latency_p50", "throughput")


def test_wrong_gating():
    with pytest.raises(UnknownNameError, match="did you mean 'latency_p50'"):
        check_gating(["latency_p55"])
    with pytest.raises(BaselineError, match="at most 10"):
        check_gating(["throughput"] * 11)


def test_a_metric_that_was_not_measured_cannot_decide(tmp_path):
    without = session(tmp_path / "without", hour=2)
    records = [json.loads(text) for text in (without.path / "measurements.jsonl").read_text().splitlines()]
    for record in records:
        record["stats"]["p99"] = None
    (without.path / "measurements.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    report = add(tmp_path / "store2", open_run(without.path), gating=["latency_p99"])
    assert report.barred[0].reasons == ("latency_p99 is to decide and was not measured",)


def test_superseding(store, tmp_path):
    (entry,) = read_store(store)
    with StoreWriter(store, NOW, "0.1.0") as writer:
        writer.supersede(entry, "measured beside another job")
        with pytest.raises(BaselineError, match="superseded already"):
            writer.supersede(entry, "again")
    (entry,) = read_store(store)
    assert entry.superseded.reason == "measured beside another job"
    assert describe(entry).state == "superseded"
    assert len(describe(entry).sessions) == 3
    assert load_baseline([store], candidate(tmp_path)).cases == []
    report = add(store, session(tmp_path / "again", hour=40))
    assert report.added[0].entry == f"{entry.name}-2"
    loaded = load_baseline([store], candidate(tmp_path / "b"))
    assert [each.created_at for each in loaded.cases] == ["2026-11-02T16:00:00+00:00"]


def test_a_superseded_mark_that_cannot_be_read_still_counts(store, tmp_path):
    (entry,) = read_store(store)
    (entry.path / "superseded.json").write_text("{")
    (entry,) = read_store(store)
    assert entry.superseded.reason == "cannot be read"
    assert load_baseline([store], candidate(tmp_path)).cases == []


def test_finding_an_entry(store):
    (entry,) = read_store(store)
    for name in (entry.name, entry.name.partition("/")[2], entry.path.name, entry.info.config_hash, str(entry.path)):
        assert find_entry(store, name).path == entry.path
    with pytest.raises(BaselineError, match=r"no entry 'llm-decodr@1'"):
        find_entry(store, "llm-decodr@1")
    with pytest.raises(BaselineError, match="no entry ''"):
        find_entry(store, "")
    with pytest.raises(BaselineError, match="no such store"):
        find_entry(store / "nowhere", entry.name)


# Damage


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
    assert {each.case.workload for each in loaded.cases} == {"resnet"}
    assert "baseline.json" in loaded.warnings[0]
    report = add(store, session(tmp_path / "more", hour=77))
    assert "supersede the entry to begin another" in report.barred[0].reasons[0]
    with StoreWriter(store, NOW, "0.1.0") as writer:
        writer.supersede(broken, "damaged")
    assert add(store, open_run(tmp_path / "more")).added[0].entry.endswith("-2")


def test_an_older_run_format_within_a_session_is_migrated(store, tmp_path):
    file = session_files(store)[0]
    fields = json.loads(file.read_text())
    fields["run"]["schema_version"] = 1
    del fields["run"]["selfcheck"], fields["run"]["selfcheck_reason"]
    for record in fields["measurements"]:
        record["schema_version"] = 1
        del record["stats"], record["machine"]
    reseal(file, **fields)
    loaded = load_baseline([store], candidate(tmp_path))
    assert [len(each.processes) for each in loaded.cases] == [5, 5, 5]
    assert loaded.cases[0].processes[0].median_s == pytest.approx(0.998e-3, rel=1e-4)


# Crashes and two writers


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


# What fits


def test_another_device_is_handed_over_so_that_the_refusal_can_name_it(store, tmp_path):
    a100 = msgspec.structs.replace(H100, name="NVIDIA A100-SXM4-80GB")
    loaded = load_baseline([store], candidate(tmp_path, devices=(a100,)))
    assert {each.keys["device_name"] for each in loaded.cases} == {"NVIDIA H100 80GB HBM3"}
    add(store, session(tmp_path / "a100", hour=9, devices=(a100,)))
    fitting = load_baseline([store], candidate(tmp_path / "b", devices=(a100,)))
    assert {each.keys["device_name"] for each in fitting.cases} == {"NVIDIA A100-SXM4-80GB"}


def test_of_two_stores_the_first_that_fits_is_used(store, tmp_path):
    add(tmp_path / "shipped", *sessions(tmp_path / "s", 2))
    new = candidate(tmp_path)
    assert len(load_baseline([tmp_path / "shipped", store], new).cases) == 2
    assert len(load_baseline([store, tmp_path / "shipped"], new).cases) == 3


def test_another_case_does_not_fit(store, tmp_path):
    other = msgspec.structs.replace(GPU_CASE, batch_size=4)
    assert load_baseline([store], candidate(tmp_path, cases=(other,))).cases == []


def test_devices_with_one_short_name_do_not_mix(tmp_path):
    twin = msgspec.structs.replace(H100, name="NVIDIA-H100 80GB/HBM3")
    assert slug(twin.name) == slug(H100.name)
    add(tmp_path / "store", session(tmp_path / "a"), session(tmp_path / "b", hour=1, devices=(twin,)))
    assert len(read_store(tmp_path / "store")) == 2


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", ".hidden", "\x1b[2J", "a@2"])
def test_names_from_a_run_do_not_lead_out_of_the_store(tmp_path, name):
    spec = case(name, "infer", "fp32")
    weird = msgspec.structs.replace(CPU, name=name)
    report = add(tmp_path / "store", session(tmp_path / "run", cases=(spec,), devices=(weird,)))
    assert len(report.added) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"store", "run"}
    (entry,) = read_store(tmp_path / "store")
    assert len(entry.path.relative_to(tmp_path / "store").parts) == 3
    assert entry.name.isprintable()


def test_a_record_is_closed_and_frozen():
    assert BaselineSession.__struct_config__.forbid_unknown_fields
    assert BaselineSession.__struct_config__.frozen
