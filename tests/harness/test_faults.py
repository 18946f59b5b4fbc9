"""Workers that go wrong for real: each ends in one status, and the others are measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from results.records import Measurement
from results.store import open_run
from tests.plugins import Runner

GOOD = 'backend = "example"'
WriteSuite = Callable[..., Path]


def faults(*names: str, at: str = "prepare") -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f'backend = "example-faults"\noptions = {{ fault = [{listed}], at = "{at}" }}'


def by_fault(folder: Path) -> dict[str, Measurement]:
    return {str(m.case.options.get("fault", "none")): m for m in open_run(folder).measurements}


EXPECTED = {
    "none": ("ok", "finish", ""),
    "raise": ("failed", "prepare", "RuntimeError: something went wrong"),
    "exit": ("failed", "prepare", "the worker exited with code 7 without a result; see worker.log"),
    "sys_exit": ("failed", "prepare", "the worker exited with code 5 without a result; see worker.log"),
    "segfault": ("failed", "prepare", "the worker crashed with SIGSEGV; see worker.log"),
    "abort": ("failed", "prepare", "the worker crashed with SIGABRT; see worker.log"),
    "sigkill": ("killed", "prepare", "the worker was killed by SIGKILL, not by chipmark"),
    "sigterm": ("killed", "prepare", "the worker was killed by SIGTERM, not by chipmark"),
    "sigstop": ("timeout", "prepare", "no progress for 2 s"),
    "native_hang": ("timeout", "prepare", "no progress for 2 s"),
    "memory_error": ("out_of_memory", "prepare", "MemoryError"),
    "nan": ("invalid", "finish", "numerics: loss not finite"),
    "wrong": ("invalid", "finish", "numerics: loss_rel_error 0.5 past its limit 0.001"),
    "orphan": ("ok", "finish", ""),
    "print": ("ok", "finish", ""),
}


def test_each_fault_ends_in_its_own_status_and_the_run_goes_on(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    suite = write_suite(GOOD, faults(*[name for name in EXPECTED if name != "none"]))
    done = chipmark("run", suite, "--out", "run", "--json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    found = by_fault(tmp_path / "run")
    assert set(found) == set(EXPECTED)
    for fault, (status, stage, reason) in EXPECTED.items():
        assert (found[fault].status, found[fault].stage) == (status, stage), fault
        assert found[fault].reason.startswith(reason)
    assert found["wrong"].timing is not None
    assert "RuntimeError: something went wrong\nwith a second line" in found["raise"].detail
    log = (tmp_path / "run" / "worker.log").read_text()
    assert "library noise on stdout" in log
    assert "Segmentation fault" in log
    assert "noise" not in done.stdout
    assert_nothing_left(tmp_path)  # the orphan of a worker must not survive it


def left_over(folder: Path) -> list[psutil.Process]:
    """Processes that still work in ``folder``."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def assert_nothing_left(folder: Path) -> None:
    """The fork server ends when it notices that chipmark has: give it a moment."""
    deadline = time.monotonic() + 10
    while left_over(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left_over(folder)


def test_what_was_measured_before_a_crash_is_kept(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    suite = write_suite(faults("segfault", at="0.6"))
    suite.write_text(
        suite.read_text()
        .replace("min_seconds = 0.1", "min_seconds = 5")
        .replace("max_seconds = 1.0", "max_seconds = 6", 1)
    )
    assert chipmark("run", suite, "--out", "run").returncode == 1
    (m,) = open_run(tmp_path / "run").measurements
    assert (m.status, m.stage) == ("failed", "measure")
    assert m.timing is not None
    assert m.timing.first_step_s > 0
    assert m.samples is not None
    assert m.samples.arrays["warmup_ns"] == m.timing.warmup.iterations


def test_the_wall_limit_ends_a_worker_that_makes_progress(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    suite = write_suite(GOOD)
    text = suite.read_text().replace("timeout_seconds = 60\n", "timeout_seconds = 4\n", 1)
    suite.write_text(
        text.replace("min_seconds = 0.1", "min_seconds = 12").replace("max_seconds = 1.0", "max_seconds = 20", 1)
    )
    assert chipmark("run", suite, "--out", "run").returncode == 1
    (m,) = open_run(tmp_path / "run").measurements
    assert (m.status, m.stage) == ("timeout", "measure")
    assert m.reason.startswith("not done within 4 s")
    assert m.timing is not None
    assert m.timing.windows


def start(arguments: list[object], environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_lines(file: Path, count: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if file.exists() and file.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} did not get {count} lines")


MANY = "\nbatch_size = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_keeps_what_is_done_and_resume_does_the_rest(
    chipmark: Runner, write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path, signal_name: str
) -> None:
    suite = write_suite(GOOD + MANY)
    process = start(["run", suite, "--out", "run"], plugin_environment, tmp_path)
    wait_for_lines(tmp_path / "run" / "measurements.jsonl", 3)
    process.send_signal(getattr(signal, signal_name))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"interrupted by {signal_name}" in err
    assert "chipmark run --resume run" in err
    assert_nothing_left(tmp_path)
    before = (tmp_path / "run" / "measurements.jsonl").read_bytes()
    kept = open_run(tmp_path / "run").measurements
    assert 3 <= len(kept) < 10
    done = chipmark("run", "--resume", "run")
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} of 10 measurements are done; {10 - len(kept)} to measure" in done.stderr
    assert (tmp_path / "run" / "measurements.jsonl").read_bytes().startswith(before)
    assert sorted(m.case.batch_size for m in open_run(tmp_path / "run").history) == list(range(1, 11))


def test_sigkill_of_the_parent_leaves_a_readable_run_and_no_processes(
    chipmark: Runner, write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    suite = write_suite(GOOD + MANY)
    process = start(["run", suite, "--out", "run"], plugin_environment, tmp_path)
    wait_for_lines(tmp_path / "run" / "measurements.jsonl", 2)
    process.kill()
    process.communicate(timeout=60)
    kept = open_run(tmp_path / "run")
    assert len(kept.measurements) >= 2
    assert_nothing_left(tmp_path)
    assert chipmark("run", "--resume", "run").returncode == 0
    assert len(open_run(tmp_path / "run").measurements) == 10


def test_the_parent_uses_no_cpu_while_a_worker_hangs(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    suite = write_suite(faults("native_hang"))
    suite.write_text(suite.read_text().replace("progress_timeout_seconds = 2", "progress_timeout_seconds = 6"))
    process = start(["run", suite, "--out", "run"], plugin_environment, tmp_path)
    log = tmp_path / "run" / "run.json"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    watched = psutil.Process(process.pid)
    before, start_s = watched.cpu_times(), time.monotonic()
    time.sleep(3.0)
    after, elapsed_s = watched.cpu_times(), time.monotonic() - start_s
    process.communicate(timeout=60)
    used_s = (after.user + after.system) - (before.user + before.system)
    assert used_s / elapsed_s < 0.02
    assert process.returncode == 1


def test_resume_measures_only_what_failed(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    suite = write_suite(GOOD, faults("raise"))
    assert chipmark("run", suite, "--out", "run").returncode == 1
    done = chipmark("run", "--resume", "run")
    assert done.returncode == 1
    assert "1 of 2 measurements are done; 1 to measure" in done.stderr
    assert len(open_run(tmp_path / "run").history) == 3


def test_resume_on_other_software_is_refused(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path, plugin_environment: dict[str, str]
) -> None:
    suite = write_suite(GOOD)
    assert chipmark("run", suite, "--out", "run").returncode == 0
    done = chipmark("run", "--resume", "run", env=plugin_environment | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 2
    assert "OMP_NUM_THREADS: None then, 1 now" in done.stderr


def test_a_worker_killed_in_the_middle_from_outside(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    suite = write_suite(GOOD)
    suite.write_text(
        suite.read_text()
        .replace("min_seconds = 0.1", "min_seconds = 20")
        .replace("max_seconds = 1.0", "max_seconds = 30", 1)
    )
    process = start(["run", suite, "--out", "run"], plugin_environment, tmp_path)
    victim = None
    deadline = time.monotonic() + 60
    while victim is None and time.monotonic() < deadline:
        time.sleep(0.1)
        for child in psutil.Process(process.pid).children(recursive=True):
            # The worker leads a session of its own; the fork server does not.
            if (tmp_path / "run" / "run.json").exists() and os.getsid(child.pid) == child.pid:
                victim = child
    assert victim is not None
    time.sleep(0.5)
    victim.kill()
    process.communicate(timeout=60)
    assert process.returncode == 1
    (m,) = open_run(tmp_path / "run").measurements
    assert (m.status, m.reason) == ("killed", "the worker was killed by SIGKILL, not by chipmark")


def test_a_worker_that_hangs_in_native_code_dies_with_its_parent(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    suite = write_suite(faults("native_hang"))
    suite.write_text(suite.read_text().replace("progress_timeout_seconds = 2", "progress_timeout_seconds = 50"))
    process = start(["run", suite, "--out", "run"], plugin_environment, tmp_path)
    wait_for_lines(tmp_path / "run" / "run.json", 2)
    time.sleep(1.5)  # by then the worker hangs and holds the interpreter lock
    process.kill()
    process.communicate(timeout=60)
    assert_nothing_left(tmp_path)


def test_a_worker_is_the_first_to_go_when_memory_runs_out(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    if not Path("/proc/self/oom_score_adj").exists():
        pytest.skip("needs Linux")
    assert chipmark("run", write_suite(faults("tell")), "--out", "run").returncode == 0
    assert "oom_score_adj 1000" in (tmp_path / "run" / "worker.log").read_text()


def test_a_fresh_interpreter_prints_into_the_log_too(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path, plugin_environment: dict[str, str]
) -> None:
    spawned = plugin_environment | {"CHIPMARK_START_METHOD": "spawn"}
    done = chipmark("run", write_suite(faults("print")), "--out", "run", "--json", env=spawned)
    assert "noise" not in done.stdout + done.stderr
    assert "library noise on stdout" in (tmp_path / "run" / "worker.log").read_text()
