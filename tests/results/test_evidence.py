from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from results.errors import RunFolderError
from results.evidence import read_session, session_cases
from results.process_stats import ProcessStats
from results.records import Guard, Measurement, Window
from results.store import open_run
from results.stored_process import LineReader, StoredProcess
from tests.results.example_run import example_run, timing
from tests.results.sessions import GPU_CASE, session

FIXTURE = Path(__file__).parent / "fixtures"


def one(folder, **changes):
    """The only case of a session, read in both ways."""
    session(folder, **changes)
    return read_one(folder)


def read_one(folder):
    (streamed,), run = read_session(folder).cases, open_run(folder)
    assert session_cases(run) == [streamed]
    assert set(read_session(folder).warnings) == set(run.warnings)
    return streamed


def edit(folder, replicate, change):
    """Rewrite a stored line."""
    file = folder / "measurements.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if line["replicate"] == replicate:
            change(line)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_sound_session(tmp_path):
    found = one(tmp_path / "r")
    assert (found.status, found.problem, found.left_out, len(found.processes)) == ("ok", "", (), 5)
    assert [p.replicate for p in found.processes] == [0, 1, 2, 3, 4]
    assert found.processes[2].mean_step_s == pytest.approx(0.001)
    assert found.processes[2].median_s == pytest.approx(0.001, rel=1e-4)
    assert found.session_id.startswith("r#")
    assert (found.device_kind, found.host_id) == ("cuda", "0123456789ab")
    assert found.keys["device_name"] == "NVIDIA H100 80GB HBM3"


def test_every_kind_of_ending_read_in_both_ways(tmp_path):
    run = example_run(tmp_path / "r")
    found = read_session(run.path).cases
    assert session_cases(run) == found
    assert [case.case for case in found] == [planned.case for planned in run.info.plan]
    statuses = {case.case.label: case.status for case in found}
    assert statuses["llm-decoder/tiny prefill fp32 b2 torch@cpu"] == "missing"
    assert statuses["resnet/tiny infer fp32 b16 onnxruntime@cpu"] == "killed"  # the other replicate ended well
    for case in found:
        assert bool(case.problem) == (not case.processes)
        assert case.status == "ok" or case.left_out or case.problem


def test_lines_of_this_version_are_read_narrowly_and_others_wholly(tmp_path):
    run = session(tmp_path / "r")
    line = (run.path / "measurements.jsonl").read_bytes().splitlines()[0]
    assert isinstance(LineReader().read(line), StoredProcess)
    old = json.loads(line) | {"schema_version": 1}
    del old["stats"], old["machine"]
    (old["energy"],) = old["energy"]
    assert isinstance(LineReader().read(json.dumps(old).encode()), Measurement)
    with pytest.raises(ValueError, match="newer"):
        LineReader().read(json.dumps(old | {"schema_version": 99}).encode())


def test_a_run_of_format_1_gets_its_statistics_from_the_raw_samples():
    folder = FIXTURE / sorted(path.name for path in FIXTURE.iterdir() if path.is_dir())[0]
    found = read_session(folder)
    assert session_cases(open_run(folder)) == found.cases
    used = [process for case in found.cases for process in case.processes]
    assert used
    assert all(process.mean_step_s or process.median_s for process in used)


def test_statistics_computed_are_those_stored(tmp_path):
    stored = one(tmp_path / "r")
    for replicate in range(5):
        edit(tmp_path / "r", replicate, lambda line: line.update(stats=None))
    assert read_one(tmp_path / "r").processes == stored.processes


@pytest.mark.parametrize("stats_stored", [True, False])
@pytest.mark.parametrize("how", ["missing", "altered", "elsewhere"])
def test_raw_samples_that_are_not_what_was_written(tmp_path, how, stats_stored):
    run = session(tmp_path / "r")
    name = run.measurements[2].samples.file
    if how == "missing":
        (run.path / name).unlink()
    elif how == "altered":
        content = bytearray((run.path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (run.path / name).write_bytes(content)
    else:
        edit(run.path, 2, lambda line: line["samples"].update(file="../" + name))
    if not stats_stored:
        edit(run.path, 2, lambda line: line.update(stats=None))
    found = read_one(run.path)
    assert [p.replicate for p in found.processes] == [0, 1, 3, 4]
    (left_out,) = found.left_out
    assert left_out.startswith("replicate 2: ")
    assert name in left_out
    assert found.status == "ok"  # the measurement did end well


def test_samples_that_a_record_does_not_name(tmp_path):
    session(tmp_path / "r")
    edit(tmp_path / "r", 1, lambda line: line.update(samples=None))
    assert "400 latency_ns samples were taken, but 0 are stored" in read_one(tmp_path / "r").left_out[0]


@pytest.mark.parametrize(("change", "text"), [
    (lambda line: line["stats"].update(num_samples=7), "statistics of 7 samples, but 400 were taken"),
    (lambda line: line["stats"].update(mean_step_s=0.002), "a mean step of 0.002 s is not that of its 1 windows"),
    (lambda line: line["stats"].update(median_s=-0.001), "a median of -0.001 s, which is not that of its samples"),
    (lambda line: line["stats"].update(median_s=0.0), "a median of 0 s, which is not that of its samples"),
    (lambda line: line["stats"].update(median_s=line["stats"]["median_s"] / 1.3), "which is not that of its samples"),
    (lambda line: line["stats"]["p99"].update(value_s=1e-320), "a p99 of 9.99989e-321 s, which is not that of"),
    (lambda line: line["stats"].update(cut_index=3), "kept samples, but there are"),
    (lambda line: line["stats"].update(mean_step_s=None), "no mean step of its 1 windows"),
    (lambda line: line["stats"].update(problem="the clock stepped: back"), "the clock stepped: back"),
    (lambda line: line["timing"].update(windows=[]), "is not that of its 0 windows"),
    (lambda line: line["timing"]["windows"][0].update(elapsed_ns=0), "contradicts itself"),
    (lambda line: line["timing"]["windows"][0].update(elapsed_ns=-5), "contradicts itself"),
    (lambda line: line.update(timing=None), "contradicts itself"),
    (lambda line: line.update(case_id=GPU_CASE.id, case=line["case"] | {"seed": 3}), "contradicts itself"),
    (lambda line: line.update(status="killed", stage="measure", reason="signal 9"), "killed at measure: signal 9"),
    (lambda line: line.update(status="invalid", stage="numerics"), "invalid at numerics: no reason was stored"),
    (lambda line: (line["stats"].update(median_s=None, mean_step_s=None, p99=None),
                   line["timing"].update(windows=[])), "nothing was timed"),
])  # fmt: skip
def test_what_is_no_evidence_is_left_out_with_its_reason(tmp_path, change, text):
    session(tmp_path / "r")
    edit(tmp_path / "r", 3, change)
    found = read_one(tmp_path / "r")
    assert [p.replicate for p in found.processes] == [0, 1, 2, 4]
    (left_out,) = found.left_out
    assert left_out.startswith("replicate 3: ")
    assert text in left_out


@pytest.mark.parametrize("bad", [-1_000, 0])
def test_samples_of_no_duration_are_found_in_raw_samples_too(tmp_path, bad):
    from results.store_writer import RunWriter

    run = session(tmp_path / "r", num_processes=2)
    info, record = run.info, run.measurements[0]
    samples = np.full(400, 1_000_000, np.int64)
    samples[7] = bad
    with RunWriter.create(tmp_path / "s", info) as writer:
        writer.append(msgspec.structs.replace(record, stats=None, samples=None), {"latency_ns": samples})
    found = read_one(tmp_path / "s")
    assert not found.processes
    assert "the clock st" in found.problem


def test_a_number_that_json_does_not_have(tmp_path):
    """NaN is no JSON: the line is not read, its replicate is missing, and both are said."""
    run = session(tmp_path / "r")
    file = run.path / "measurements.jsonl"
    lines = file.read_text().splitlines()
    lines[4] = lines[4].replace('"median_s":0.001', '"median_s":NaN')
    assert "NaN" in lines[4]
    file.write_text("\n".join(lines) + "\n")
    assert "line 5 was skipped" in read_session(run.path).warnings[0]
    found = read_one(run.path)
    assert found.left_out == ("replicate 4: was never measured",)
    assert found.status == "missing"


def test_not_finite_statistics_are_no_duration():
    from results.evidence import _unusable
    from results.session_case import Process

    for bad in (math.nan, math.inf, -math.inf, 0.0, -1.0):
        assert "no duration" in _unusable(Process(replicate=0, mean_step_s=0.1, median_s=bad))
    assert _unusable(Process(replicate=0, median_s=0.1)) == ""


def test_failed_guards_are_listed_and_others_are_not(tmp_path):
    guards = tuple(
        Guard(name=f"g{verdict}", value=1.0, threshold=0.5, verdict=verdict, reason="because")
        for verdict in ("PASS", "WARN", "FAIL", "UNKNOWN")
    )
    found = one(tmp_path / "r", record={"guards": guards})
    assert {p.failed_guards for p in found.processes} == {("gFAIL: because",)}
    named = (Guard(name="FAIL", value=1.0, threshold=0.5, verdict="PASS", reason="FAIL is only a word"),)
    assert {p.failed_guards for p in one(tmp_path / "s", record={"guards": named}).processes} == {()}


@pytest.mark.parametrize("name", ["step_slope", "step_spread", "step_tail"])
def test_guards_on_the_times_themselves_are_not_asked(tmp_path, name):
    guards = tuple(Guard(name=n, value=1.0, threshold=0.1, verdict="FAIL", reason="bad") for n in (name, "steal"))
    found = one(tmp_path / "r", record={"guards": guards})
    assert {p.failed_guards for p in found.processes} == {("steal: bad",)}


def test_damaged_lines_are_told(tmp_path):
    run = session(tmp_path / "r")
    file = run.path / "measurements.jsonl"
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    assert read_session(run.path).warnings == ["measurements.jsonl: line 5 was skipped: torn by a crash"]
    file.write_bytes(b"\xff\xfe\n" + content)
    assert "line 1 was skipped" in read_session(run.path).warnings[0]
    assert len(read_one(run.path).processes) == 5


def test_a_later_line_counts(tmp_path):
    run = session(tmp_path / "r")
    file = run.path / "measurements.jsonl"
    again = json.loads(file.read_text().splitlines()[0]) | {"status": "failed", "stage": "measure", "reason": "again"}
    with file.open("a") as opened:
        opened.write(json.dumps(again) + "\n")
    found = read_one(run.path)
    assert (found.status, found.left_out) == ("failed", ("replicate 0: failed at measure: again",))


def test_what_was_not_planned_is_told(tmp_path):
    run = session(tmp_path / "r")
    info = json.loads((run.path / "run.json").read_text())
    info["plan"] = []
    (run.path / "run.json").write_text(json.dumps(info))
    found = read_session(run.path)
    assert found.cases == []
    assert found.warnings == [f"{GPU_CASE.label}: was measured but not planned; left out"]


def test_an_empty_run_and_no_run(tmp_path):
    run = session(tmp_path / "r", num_processes=0, planned=2)
    (found,) = read_session(run.path).cases
    assert (found.status, found.problem, found.processes) == ("missing", "was never measured", ())
    (run.path / "measurements.jsonl").unlink()
    assert read_session(run.path).cases == [found]
    with pytest.raises(RunFolderError, match="no such run folder"):
        read_session(tmp_path / "nothing")


def test_names_of_sessions_are_of_runs_not_of_folders(tmp_path):
    first, second = (one(tmp_path / parent / "r", hour=hour) for hour, parent in enumerate(("a", "b")))
    assert first.session_id != second.session_id
    assert one(tmp_path / "c" / "r").session_id == first.session_id


def test_statistics_without_samples_are_used_as_they_are(tmp_path):
    """Throughput alone: there are no raw samples to check."""
    times = timing([(100, 100_000_000)], 0)
    stats = ProcessStats(num_windows=1, mean_step_s=0.001)
    session(tmp_path / "r", num_processes=1)
    edit(tmp_path / "r", 0, lambda line: line.update(
        samples=None, stats=msgspec.to_builtins(stats), timing=msgspec.to_builtins(times)))  # fmt: skip
    (process,) = read_one(tmp_path / "r").processes
    assert (process.mean_step_s, process.median_s, process.p99_s) == (0.001, None, None)
    assert Window(iterations=100, elapsed_ns=100_000_000) in times.windows
