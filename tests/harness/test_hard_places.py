"""Signals, streams, folders and plugins in awkward states: nothing measured is lost, one clear line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results.store import open_run
from tests.harness.test_command_run import assert_usage_error
from tests.harness.test_faults import WriteSuite, faults, start, wait_for_lines
from tests.plugins import Runner

GOOD = 'backend = "example"'
MANY = GOOD + "\nbatch_size = [1, 2, 3, 4]"


def test_lines_of_another_run_are_never_taken_over(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    suite = write_suite(GOOD)
    assert chipmark("run", suite, "--out", "run").returncode == 0
    (tmp_path / "run" / "run.json").unlink()
    assert_usage_error(
        chipmark("run", suite, "--out", "run"), "run: holds measurements.jsonl and samples of another run"
    )


def test_two_that_start_at_once_in_one_folder_do_not_mix(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    suite = write_suite(GOOD)
    both = [start(["run", suite, "--out", "run"], plugin_environment, tmp_path) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], errors
    assert len(open_run(tmp_path / "run").measurements) == 1


def test_what_was_in_the_folder_before_stays(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "worker.log").write_text("mine")
    (tmp_path / "empty").mkdir()
    for folder in ("mine", "empty", "new/deep"):
        assert chipmark("run", write_suite(GOOD), "--device", "nope", "--out", folder).returncode == 2
    assert (tmp_path / "mine" / "worker.log").read_text().startswith("mine")
    assert (tmp_path / "empty").is_dir()
    assert not (tmp_path / "new").exists()


def test_a_result_edited_into_a_contradiction_is_measured_again(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    assert chipmark("run", write_suite(MANY), "--out", "run").returncode == 0
    file = tmp_path / "run" / "measurements.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["case"]["seed"] = 7
    lines[1]["work"]["steps"] = 0
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "run" / lines[2]["samples"]["file"]).write_bytes(b"junk")
    shown = chipmark("show", "run")
    assert shown.returncode == 0
    assert "Traceback" not in shown.stderr
    done = chipmark("run", "--resume", "run")
    assert "1 of 4 measurements are done; 3 to measure" in done.stderr
    assert done.returncode == 0
    assert "4 ok" in done.stdout


def test_records_outside_the_plan_do_not_count(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    assert chipmark("run", write_suite(MANY), "--out", "run").returncode == 0
    file = tmp_path / "run" / "run.json"
    info = json.loads(file.read_text())
    info["plan"] = info["plan"][:1]
    file.write_text(json.dumps(info))
    done = chipmark("run", "--resume", "run")
    assert done.returncode == 0
    assert "1 of 1 measurements are done" in done.stderr


@pytest.mark.parametrize("fault", ["bad_fact_key", "bad_memory", "bad_export"])
def test_nonsense_from_a_backend_costs_its_own_case(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path, fault: str
) -> None:
    assert chipmark("run", write_suite(faults(fault), GOOD), "--out", "run").returncode == 1
    found = {m.case.backend: m for m in open_run(tmp_path / "run").measurements}
    assert found["example"].status == "ok"
    assert found["example-faults"].status == "failed"
    assert found["example-faults"].reason


@pytest.mark.parametrize("devices", ["text", "nameless", "exit"])
def test_a_backend_with_bad_devices_does_not_disable_another(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path, plugin_environment: dict[str, str], devices: str
) -> None:
    environment = plugin_environment | {"EXAMPLE_FAULTY_DEVICES": devices}
    done = chipmark("run", write_suite(GOOD, 'backend = "example-faults"'), "--out", "run", env=environment)
    found = {m.case.backend: m for m in open_run(tmp_path / "run").measurements}
    assert set(found) == {"example", "example-faults"}
    assert found["example"].status == "ok"
    assert found["example-faults"].status == "unsupported" or done.returncode == 1
    assert "backend example-faults does not work here" in done.stderr


def test_a_plugin_that_exits_when_imported_is_only_broken(chipmark: Runner) -> None:
    listed = chipmark("list")
    assert listed.returncode == 0
    assert "Broken plugin example-exits" in listed.stdout
    assert "Broken plugin example-wrong-kind" in listed.stdout
    assert "has no spec" in listed.stdout


def test_nohup_protects_a_run(write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", str(write_suite(MANY)), "--out", "run"]
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    process = subprocess.Popen(
        command, cwd=tmp_path, env=plugin_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=ignore
    )
    wait_for_lines(tmp_path / "run" / "measurements.jsonl", 1)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(open_run(tmp_path / "run").measurements) == 4


def shell(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = script.replace("chipmark", f"{sys.executable} -m harness")
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "script",
    [
        "chipmark run suite.toml --out run 2> >(head -1)",
        "chipmark run suite.toml --out run 2> /dev/full",
        "chipmark run suite.toml --out run 2>&-",
        "chipmark run suite.toml --out run >&-",
        "set -o pipefail; chipmark run suite.toml --out run | true",
        "chipmark run suite.toml --out run <&-",
    ],
)
def test_streams_that_are_closed_full_or_broken_cost_nothing(
    script: str, write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    write_suite(MANY)
    done = shell(script, tmp_path, plugin_environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(open_run(tmp_path / "run").measurements) == 4


def test_a_signal_while_a_result_is_stored_waits(
    chipmark: Runner, write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    # Sent right after the samples are synced and before their line is written.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "count, real = 0, os.fsync\n"
        "def fsync(fd):\n"
        "    global count\n"
        "    real(fd)\n"
        "    count += 1\n"
        "    if count == 4 and 'harness' in ' '.join(__import__('sys').orig_argv):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "os.fsync = fsync\n"
    )
    environment = plugin_environment | {"PYTHONPATH": f"{tmp_path}:{plugin_environment['PYTHONPATH']}"}
    done = chipmark("run", write_suite(MANY), "--out", "run", env=environment)
    assert done.returncode == 130, done.stderr
    assert len(open_run(tmp_path / "run").measurements) == 1
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_a_killed_fork_server_costs_one_case(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    import psutil

    process = start(["run", write_suite(MANY), "--out", "run"], plugin_environment, tmp_path)
    wait_for_lines(tmp_path / "run" / "measurements.jsonl", 1)
    for child in psutil.Process(process.pid).children():
        if "forkserver" in " ".join(child.cmdline()):
            child.kill()
    process.communicate(timeout=60)
    statuses = sorted(m.status for m in open_run(tmp_path / "run").measurements)
    assert len(statuses) == 4
    assert statuses.count("ok") >= 3


def test_a_stopped_fork_server_does_not_hang_the_run(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    process = start(["run", write_suite(faults("stop_server")), "--out", "run"], plugin_environment, tmp_path)
    process.communicate(timeout=60)
    (m,) = open_run(tmp_path / "run").measurements
    assert m.status in ("timeout", "killed")
    subprocess.run(["pkill", "-KILL", "-f", str(tmp_path)], check=False)


def test_text_that_is_no_utf8_is_refused_as_a_folder_and_escaped_elsewhere(
    chipmark: Runner, write_suite: WriteSuite, plugin_environment: dict[str, str]
) -> None:
    suite = write_suite(GOOD)
    odd = b"r\xff".decode("utf-8", "surrogateescape")
    assert_usage_error(chipmark("run", suite, "--out", odd), "cannot write results", "utf-8")
    assert chipmark("run", suite, "--out", "ok", env=plugin_environment | {"OMP_PROC_BIND": odd}).returncode == 0


@pytest.mark.parametrize("package", ["results", "backends", "workloads"])
def test_a_folder_of_the_same_name_is_named(chipmark: Runner, tmp_path: Path, package: str) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    done = chipmark("list")
    if done.returncode:  # an installed wheel comes after the current folder under python -m
        assert_usage_error(done, f"module '{package}' comes from", "virtual environment of its own")


@pytest.mark.parametrize(
    "arguments",
    [["run", "--workload", ""], ["run", "--precision", ","], ["run", "--out", ""], ["run", ""], ["run", "--resume", ""],
     ["run", "--bogus"], ["show"], ["show", "x", "--format", "xml"], ["run", "a", "b"], ["run", "--replicates", "0"]],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_command_line_is_one_line(chipmark: Runner, arguments: list[str]) -> None:
    done = chipmark(*arguments)
    assert_usage_error(done)
    assert len(done.stderr.strip().splitlines()) == 1


def test_mistakes_in_a_suite_are_found_before_anything_is_loaded(chipmark: Runner, write_suite: WriteSuite) -> None:
    done = chipmark("run", write_suite(GOOD + '\npreset = "none"'))
    assert_usage_error(done, "unknown preset")
    assert "loading" not in done.stderr
    done = chipmark("run", write_suite(GOOD), "--backend", "torch")
    assert_usage_error(done, "no case that matches --backend torch")
    assert "loading" not in done.stderr


def test_the_latest_run_can_be_resumed(chipmark: Runner, write_suite: WriteSuite) -> None:
    assert chipmark("run", write_suite(GOOD)).returncode == 0
    assert "1 of 1 measurements are done" in chipmark("run", "--resume", "latest").stderr


def test_another_device_under_the_same_name_is_refused(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    assert chipmark("run", write_suite(GOOD, faults("raise")), "--out", "run").returncode == 1
    file = tmp_path / "run" / "run.json"
    file.write_text(file.read_text().replace('"Faulty chip"', '"Other chip"'))
    done = chipmark("run", "--resume", "run")
    assert done.returncode == 2
    assert "example-faults@faulty:0 was Other chip, now it is Faulty chip" in done.stderr


def test_hints_are_quoted_for_the_shell(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    done = chipmark("run", write_suite(GOOD), "--out", "sp ace")
    assert "again: chipmark show 'sp ace'" in done.stderr
    shutil.rmtree(tmp_path / "sp ace")


def test_interrupt_during_discovery_leaves_nothing(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = plugin_environment | {"EXAMPLE_FAULTY_DEVICES": "slow"}
    process = start(["run", write_suite('backend = "example-faults"'), "--out", "run"], environment, tmp_path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "run" / "worker.log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()
