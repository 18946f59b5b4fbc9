"""``chipmark compare`` and ``chipmark baseline create`` on runs that are damaged, empty, foreign or the same."""

from __future__ import annotations

import json
import shutil

import msgspec
import numpy as np
import pytest

from results.errors import ExitCode
from results.process_summary import summarize_process
from results.records import SCHEMA_VERSION
from results.store_writer import RunWriter
from tests.harness.compare.calls import refused
from tests.results.example_run import H100, case
from tests.results.sessions import GPU_CASE, session


def test_no_baseline_at_all(call, tmp_path):
    session(tmp_path / "new")
    refused(call("compare", "new"), "no stored baseline fits", "make one with `chipmark baseline create RUN`")
    refused(call("compare", "new", "--store", "nowhere"), "nowhere: no such store of baselines")


def test_no_baseline_for_this_case(call, base, tmp_path):
    session(tmp_path / "new", cases=(case("resnet", "infer", "fp16", device="cuda:0"),))
    refused(call("compare", "new"), "no stored baseline fits", "chipmark-baselines")


def test_a_baseline_for_some_of_the_cases(call, base, tmp_path):
    other = case("resnet", "infer", "fp16", device="cuda:0")
    session(tmp_path / "new", hour=100, scale=1.2, cases=(GPU_CASE, other))
    code, out, _ = call("compare", "new")
    assert code == ExitCode.SLOWER
    assert f"no baseline: {other.label}" in out


@pytest.mark.parametrize("base_first", [False, True])
def test_empty_runs(call, tmp_path, base_first):
    session(tmp_path / "full")
    session(tmp_path / "empty", hour=1, num_processes=0, planned=5)
    pair = ("empty", "full") if base_first else ("full", "empty")
    refused(call("compare", *pair), "empty: nothing was measured")
    refused(call("compare", *reversed(pair)), "empty: nothing was measured")


def test_an_empty_run_makes_no_baseline(call, tmp_path):
    session(tmp_path / "empty", num_processes=0, planned=5)
    code, out, err = call("baseline", "create", "empty")
    assert code == ExitCode.USAGE
    assert "was never measured" in out
    assert "nothing was added" in err
    refused(call("baseline", "create", "nowhere"), "no such run folder")


def version(folder, number):
    fields = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**fields, "schema_version": number}))


def test_a_run_of_a_newer_format(call, base, tmp_path):
    new = session(tmp_path / "new", hour=100).path
    version(new, SCHEMA_VERSION + 1)
    text = "newer than this chipmark reads"
    refused(call("compare", "new"), "new/run.json", text)
    refused(call("compare", "base/run0", "new"), "new/run.json", text)
    refused(call("baseline", "create", "new"), "new/run.json", text)
    version(new, 0)
    refused(call("compare", "new"), "schema version 0 is unknown")
    # In a folder with others, and beside others, it is named and left out.
    shutil.copytree(base[0], tmp_path / "set" / "a")
    shutil.copytree(new, tmp_path / "set" / "b")
    found = json.loads(call("compare", "set", "base/run1", "--format", "json")[1])
    assert any("left out: set/b/run.json" in text for text in found["warnings"])
    code, _, err = call("baseline", "create", "new", session(tmp_path / "good", hour=200).path)
    assert (code, "left out: new/run.json" in err) == (0, True)


def test_a_run_of_an_older_format(call, tmp_path):
    session(tmp_path / "old")
    older = session(tmp_path / "new", hour=3, record={"stats": None}).path
    fields = json.loads((older / "run.json").read_text())
    for name in ("selfcheck", "selfcheck_reason"):
        del fields[name]
    (older / "run.json").write_text(json.dumps({**fields, "schema_version": 1}))
    lines = [json.loads(line) for line in (older / "measurements.jsonl").read_text().splitlines()]
    for line in lines:
        del line["stats"], line["machine"]
        (line["energy"],) = line["energy"]
        line["schema_version"] = 1
    (older / "measurements.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    code, out, _ = call("compare", "new", "old", "--format", "json")
    assert code in (ExitCode.DONE, ExitCode.INCONCLUSIVE)
    assert json.loads(out)["rows"][0]["judgement"]["ratio"] == pytest.approx(1.0, abs=0.001)
    assert call("baseline", "create", "new")[0] == 0


def test_one_replicate_only(call, tmp_path):
    session(tmp_path / "old", num_processes=1)
    session(tmp_path / "new", hour=3, num_processes=1, scale=1.5)
    code, out, _ = call("compare", "new", "old")
    assert code == ExitCode.INCONCLUSIVE
    assert "1x1 v 1x1" in out
    code, out, _ = call("baseline", "create", "old")
    assert code == 0
    assert "needs 2 more sessions, an hour apart" in out
    assert "1 of 1 sessions have fewer than 5 processes" in out


@pytest.mark.parametrize("damage", [
    lambda file: file.unlink(), lambda file: file.write_bytes(b""), lambda file: file.write_bytes(file.read_bytes() + b"x"),
])  # fmt: skip
def test_missing_and_altered_raw_samples(call, base, tmp_path, damage):
    new = session(tmp_path / "new", hour=100)
    for file in list((new.path / "samples").iterdir())[:4]:
        damage(file)
    found = json.loads(call("compare", "new", "--format", "json")[1])
    assert {row["judgement"]["num_processes_new"] for row in found["rows"]} == {1}
    for file in (new.path / "samples").iterdir():
        damage(file)
    code, out, _ = call("compare", "new")
    assert code in (ExitCode.INCONCLUSIVE, ExitCode.CASE_FAILED)
    code, out, _ = call("baseline", "create", "new")
    assert code == ExitCode.USAGE
    assert "replicate 4" in out


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "0.0", "-0.001"])
def test_numbers_that_are_none(call, base, tmp_path, value):
    new = session(tmp_path / "new", hour=100)
    file = new.path / "measurements.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line["stats"]["mean_step_s"] = "HERE"
    file.write_text("".join(json.dumps(line).replace('"HERE"', value) + "\n" for line in lines))
    code, out, err = call("compare", "new", "--format", "json")
    assert code in (ExitCode.INCONCLUSIVE, ExitCode.CASE_FAILED, ExitCode.USAGE)
    assert "Traceback" not in err
    assert "nan" not in out.lower().replace("nanosecond", "")
    code, out, _ = call("baseline", "create", "new")
    assert code == ExitCode.USAGE


def test_samples_without_a_value(call, tmp_path):
    """Raw samples are integers; a float array with a NaN is no such thing."""
    new = session(tmp_path / "new", record={"stats": None})
    import hashlib
    import io

    buffer = io.BytesIO()
    np.savez_compressed(buffer, latency_ns=np.array([np.nan] * 400))
    lines = [json.loads(line) for line in (new.path / "measurements.jsonl").read_text().splitlines()]
    for line in lines:
        (new.path / line["samples"]["file"]).write_bytes(buffer.getvalue())
        line["samples"]["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    (new.path / "measurements.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, _ = call("baseline", "create", "new")
    assert code == ExitCode.USAGE
    assert "not a list of int64 samples" in out


def test_a_run_with_itself(call, base, tmp_path):
    refused(call("compare", "base/run0", "base/run0"), "nothing but the candidate itself")
    shutil.copytree(base[0], tmp_path / "copy")
    refused(call("compare", "copy", "base/run0"), "nothing but the candidate itself")
    # A candidate that is one of the baseline's sessions is not evidence against itself.
    found = json.loads(call("compare", "base/run0", "--format", "json")[1])
    assert found["rows"][0]["judgement"]["num_sessions_base"] == 2
    assert "is on both sides" in json.dumps(found)


def test_a_candidate_given_twice_counts_once(call, base, tmp_path):
    session(tmp_path / "new", hour=100)
    found = json.loads(call("compare", "new,new", "--format", "json")[1])
    assert found["rows"][0]["judgement"]["num_sessions_new"] == 1
    assert "given twice; counted once" in json.dumps(found)


@pytest.mark.parametrize(("arguments", "text"), [
    ((), "give a CANDIDATE"),
    (("",), "is empty"),
    ((",",), "names no run"),
    (("nowhere",), "nowhere: no such run folder"),
    (("latest",), "no stored run here"),
    (("new", "old", "--store", "x"), "BASELINE or --store, not both"),
    (("new", "--pairs", "8"), "--pairs has no meaning here"),
    (("new", "--suite", "smoke"), "--suite has no meaning here"),
    (("--ab", "a"), "requires 2 arguments"),
    (("new", "--ab", "a", "b"), "CANDIDATE has no meaning here"),
    (("--ab", "a", "b", "--store", "x"), "--store has no meaning here"),
    (("--ab", "a", "b", "--pairs", "3"), "--pairs 3"),
    (("new", "--format", "csv"), "csv"),
    (("a", "b", "c"), "unexpected extra argument"),
])  # fmt: skip
def test_wrong_usage(call, arguments, text):
    refused(call("compare", *arguments), text)


LONG = 5000 * "x"


@pytest.mark.parametrize("arguments", [
    ("compare", LONG), ("compare", f"{LONG},{LONG}"), ("compare", "new", LONG), ("compare", "new", "--store", LONG),
    ("baseline", "list", "--store", LONG), ("baseline", "create", LONG), ("baseline", "create", "new", "--store", LONG),
    ("baseline", "show", "e", "--store", LONG),
])  # fmt: skip
def test_names_that_are_too_long(call, base, tmp_path, arguments):
    session(tmp_path / "new", hour=100)
    refused(call(*arguments), "xxx...: cannot be read: File name too long")


def test_an_entry_with_a_long_name(call, base):
    refused(call("baseline", "show", LONG), "no entry 'xxx")


def test_many_names_may_be_longer_than_one(call, base):
    names = ",".join(100 * ["base/run0"] + 100 * ["./base/run1"] + 200 * ["././././base/run1"])
    assert len(names) > 4096
    assert call("compare", names, "base/run2")[0] == ExitCode.DONE


@pytest.mark.parametrize("place", ["afile", "/dev/null"])
def test_a_store_that_is_a_file(call, tmp_path, place):
    (tmp_path / "afile").write_text("")
    session(tmp_path / "new")
    refused(call("baseline", "create", "new", "--store", place), f"{place}: is a file, no folder")


def test_a_folder_without_runs(call, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(call("compare", "empty"), "empty: not a run")


def test_control_characters_stay_away(call, base, tmp_path):
    weird = case("llm\x1b[2J\x9b2J", "infer", "fp32", device="cuda:0", preset="\x07p")
    devices = (msgspec.structs.replace(H100, name="H100\x1b]0;title\x07"),)
    session(tmp_path / "old", cases=(weird,), devices=devices)
    session(tmp_path / "new", hour=2, cases=(weird,), devices=devices)
    outputs = [call("compare", "new", "old", "--format", f) for f in ("table", "markdown", "json", "junit", "github")]
    outputs += [call("baseline", "create", "old"), call("baseline", "list")]
    entry = json.loads(call("baseline", "list", "--json")[1])["entries"][0]["entry"]
    outputs += [call("baseline", "show", entry), call("baseline", "supersede", entry, "--reason", "\x1b[31mred")]
    outputs += [call("baseline", "list")]
    for _, out, err in outputs:
        assert not [c for c in out + err if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160], repr(out + err)


def test_five_hundred_cases(call, tmp_path):
    specs = [case("resnet", "infer", "fp16", device="cuda:0", batch_size=i + 1) for i in range(500)]
    lines = session(tmp_path / "model", cases=specs[:1], num_processes=2)
    template = lines.measurements[0]
    for name, hour, factor in (("old", 1, 1), ("new", 3, 2)):
        info = msgspec.structs.replace(
            lines.info, run_id=name, created_at=f"2026-11-20T{hour:02}:00:00+00:00",
            plan=tuple(msgspec.structs.replace(lines.info.plan[0], case=spec) for spec in specs),
        )  # fmt: skip
        with RunWriter.create(tmp_path / name, info):
            pass
        window = template.timing.windows[0]
        slow = msgspec.structs.replace(window, elapsed_ns=factor * window.elapsed_ns)
        timing = msgspec.structs.replace(template.timing, num_latency_samples=0, windows=(slow,))
        stats = summarize_process(timing, {})
        records = [
            msgspec.structs.replace(
                template, case=spec, case_id=spec.id, replicate=i, stats=stats, samples=None, timing=timing
            )
            for spec in specs
            for i in range(2)
        ]
        (tmp_path / name / "measurements.jsonl").write_bytes(
            b"".join(msgspec.json.encode(each) + b"\n" for each in records)
        )
    for output_format in ("table", "markdown", "json", "junit", "github"):
        code, out, _ = call("compare", "new", "old", "--format", output_format)
        assert code == ExitCode.SLOWER, out[-500:]
    assert out.count("::error") == 10
