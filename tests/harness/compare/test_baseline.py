"""``chipmark baseline``, as a user calls it."""

from __future__ import annotations

import json

import pytest

from results.errors import ExitCode
from tests.harness.compare.calls import refused
from tests.results.example_run import case
from tests.results.sessions import GPU_CASE, session


def test_create_says_what_was_added_and_what_not(call, tmp_path):
    other = case("resnet", "infer", "fp16", device="cuda:0")
    run = session(tmp_path / "run", cases=(GPU_CASE, other))
    next((run.path / "samples").glob(f"{other.id}*")).unlink()
    code, out, err = call("baseline", "create", "run")
    assert (code, err) == (0, "")
    assert f"added {GPU_CASE.label} of run" in out
    assert "    needs 2 more sessions, an hour apart" in out
    assert f"barred {other.label} of run" in out
    assert "1 sessions added to 1 entries of chipmark-baselines, 1 cases barred" in out
    code, out, _ = call("baseline", "create", "run", "--json", "--store", "other")
    assert [len(json.loads(out)[name]) for name in ("added", "barred")] == [1, 1]
    code, out, err = call("baseline", "create", "run")
    assert (code, "holds run run already" in out) == (ExitCode.USAGE, True)


def test_list_show_supersede(call, base, tmp_path):
    code, out, _ = call("baseline", "list")
    assert code == 0
    assert "chipmark-baselines: 1 entry" in out
    assert "in use; 3 sessions, 15 processes, newest 2026-11-01" in out
    entry = json.loads(call("baseline", "list", "--json")[1])["entries"][0]
    code, out, _ = call("baseline", "show", entry["entry"])
    assert "device: NVIDIA H100 80GB HBM3" in out
    assert "    device_name: NVIDIA H100 80GB HBM3" in out
    assert "5 processes: mean step 1.00 ms, p50 1.00 ms" in out
    assert out.count("host 0123456789ab, chipmark 0.1.0") == 3
    shown = json.loads(call("baseline", "show", entry["entry"], "--json")[1])
    assert shown["sessions"][0]["mean_step_s"] == pytest.approx(1e-3, rel=1e-3)
    assert call("baseline", "supersede", entry["entry"], "--reason", "new cooler")[0] == 0
    assert "superseded: new cooler; 3 sessions" in call("baseline", "list")[1]
    refused(call("baseline", "supersede", entry["entry"], "--reason", "again"), "is superseded already")
    session(tmp_path / "new", hour=100)
    refused(call("compare", "new"), "no stored baseline fits")


def test_baseline_bad_input(call, base):
    refused(call("baseline", "show", "nothing"), "no entry 'nothing'")
    refused(call("baseline", "supersede", "nothing", "--reason", "x"), "no entry 'nothing'")
    refused(call("baseline", "supersede", "nothing"), "Missing option '--reason'")
    refused(call("baseline", "supersede", "nothing", "--reason", "  "), "is empty")
    refused(call("baseline", "list", "--store", "nowhere"), "nowhere: no such store")
    refused(call("baseline", "list", "--store", ""), "is empty")
    refused(call("baseline", "create", base[0], "--gating", "p99"), "--gating: unknown metric 'p99'")
    refused(call("baseline", "create"), "Missing argument 'RUN...'")
    refused(call("baseline", "crate"), "crate")


def test_no_store_here(call):
    code, out, _ = call("baseline", "list")
    assert code == 0
    assert "chipmark baseline create RUN" in out or "no entries" in out
