"""A store of baselines: what gets in, what stays out, what is said."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from results.baseline_list import describe
from results.baseline_load import load_baseline
from results.baseline_records import hash_keys
from results.baseline_store import find_entry, is_store, read_sessions, read_store
from results.baseline_writer import StoreWriter, check_gating
from results.errors import BaselineError, UnknownNameError
from results.evidence import read_session
from results.records import Guard
from results.store import open_run
from tests.results.baselines.stores import NOW, add, candidate, files
from tests.results.example_run import FAILED, H100, case
from tests.results.sessions import GPU_CASE, session


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
     "failed guard steal in 5 of 5 processes: 9 % stolen"),
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


def test_unfinished_cases_are_barred(tmp_path):
    report = add(tmp_path / "store", session(tmp_path / "run", planned=7))
    assert report.added == ()
    (barred,) = report.barred
    assert "2 of 7 replicates were never measured" in str(barred)


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
        assert find_entry([store], name).path == entry.path
    with pytest.raises(BaselineError, match=r"no entry 'llm-decodr@1'"):
        find_entry([store], "llm-decodr@1")
    with pytest.raises(BaselineError, match="no entry ''"):
        find_entry([store], "")
    with pytest.raises(BaselineError, match="no such store"):
        find_entry([store / "nowhere"], entry.name)
