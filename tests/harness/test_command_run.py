"""``chipmark run`` as its user types it: bad input, output places, plugins, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from results.frame import load
from results.records import PRECISIONS
from results.store import open_run
from tests.plugins import Runner

WriteSuite = Callable[..., Path]
GOOD = 'backend = "example"'


def assert_usage_error(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Exit code 2 and exactly one line that names what, where and what to do."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert "Traceback" not in done.stderr
    assert lines[-1].startswith("chipmark: error: "), done.stderr
    for part in parts:
        assert part in lines[-1]
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["smokee"], ["unknown suite 'smokee'", "did you mean 'smoke'"]),
        (["smoke", "--workload", "lm-decoder"], ["--workload", "unknown workload", "did you mean 'llm-decoder'"]),
        (["smoke", "--precision", "fp61"], ["--precision", "unknown precision 'fp61'", "did you mean 'fp16'"]),
        (["smoke", "--phase", "trian"], ["--phase", "unknown phase", "did you mean 'train'"]),
        (["smoke", "--backend", "pytorch"], ["--backend", "unknown backend", "did you mean 'torch'"]),
        (["smoke", "--backend", "example-broken"], ["'example-broken' cannot be loaded", "ModuleNotFoundError"]),
        (["none.toml"], ["none.toml", "cannot be read: No such file"]),
        (["smoke", "--resume", "x"], ["--resume goes on with a run as it was planned"]),
        (["--resume", "missing"], ["missing", "no such run folder"]),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(
    chipmark: Runner, arguments: list[str], parts: list[str], tmp_path: Path
) -> None:
    assert_usage_error(chipmark("run", *arguments), *parts)
    assert list(tmp_path.iterdir()) == [], "a run that never began leaves nothing behind"


def test_unknown_device_lists_those_that_are_here(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    done = chipmark("run", write_suite(GOOD), "--device", "toaster:9")
    assert_usage_error(done, "--device", "unknown device 'toaster:9'", "auto, example:0")
    assert [path.name for path in tmp_path.iterdir()] == ["suite.toml"]


def test_a_suite_fault_names_file_and_key(chipmark: Runner, write_suite: WriteSuite) -> None:
    assert_usage_error(
        chipmark("run", write_suite('backend = "example"\nbatchsize = 3')),
        "suite.toml: case[0].batchsize",
        "did you mean 'batch_size'",
    )
    assert_usage_error(chipmark("run", write_suite("backend = ")), "suite.toml", "is not valid TOML", "line")


def test_a_mistyped_command_or_option(chipmark: Runner) -> None:
    assert_usage_error(chipmark("rum"), "unknown command 'rum'", "did you mean 'run'")
    done = chipmark("run", "--devise", "cpu")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_found_before_measuring(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = chipmark("run", write_suite(GOOD), "--out", "file/run")
    assert_usage_error(done, "file/run", "cannot write results", "choose another place with --out")


def test_an_existing_run_is_not_overwritten(chipmark: Runner, write_suite: WriteSuite, tmp_path: Path) -> None:
    suite = write_suite(GOOD)
    assert chipmark("run", suite, "--out", "run").returncode == 0
    before = (tmp_path / "run" / "measurements.jsonl").read_bytes()
    assert_usage_error(chipmark("run", suite, "--out", "run"), "already holds a run", "--resume run")
    assert (tmp_path / "run" / "measurements.jsonl").read_bytes() == before


def in_small_disk(
    tmp_path: Path, size: str, script: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a mount namespace where ``disk`` is a tmpfs of this size."""
    (tmp_path / "disk").mkdir()
    setup = f"mount -t tmpfs -o size={size} tmpfs disk && "
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", setup + script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def can_mount(tmp_path: Path) -> bool:
    probe = tmp_path / "probe"
    probe.mkdir()
    try:
        return in_small_disk(probe, "1m", "true", dict(os.environ)).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_is_found_before_measuring(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("this machine does not let us mount a small disk")
    suite = write_suite(GOOD)
    done = in_small_disk(tmp_path, "4m", f"{sys.executable} -m harness run {suite} --out disk/run", plugin_environment)
    assert_usage_error(done, "disk/run", "MiB free, 32 MiB are needed")


def test_a_disk_that_fills_up_in_the_middle_loses_nothing(
    write_suite: WriteSuite, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("this machine does not let us mount a small disk")
    suite = write_suite(GOOD + "\nbatch_size = [1, 2, 3, 4, 5, 6]")
    script = (
        f"({sys.executable} -m harness run {suite} --out disk/run; echo code $?) & "
        'while [ "$(cat disk/run/measurements.jsonl 2>/dev/null | wc -l)" -lt 2 ]; do sleep 0.05; done; '
        "dd if=/dev/zero of=disk/filler bs=64k 2>/dev/null; cat /dev/zero >> disk/filler 2>/dev/null; wait; cp -r disk/run kept"
    )
    done = in_small_disk(tmp_path, "40m", script, plugin_environment)
    assert "code 2" in done.stdout, done.stderr
    assert "No space left on device; what was stored before is kept" in done.stderr
    assert "Traceback" not in done.stderr
    kept = open_run(tmp_path / "kept")
    assert 2 <= len(kept.measurements) < 6
    assert kept.warnings == []


def test_json_on_stdout_is_nothing_but_json(chipmark: Runner, write_suite: WriteSuite) -> None:
    done = chipmark("run", write_suite(GOOD), "--out", "run", "--json")
    assert done.returncode == 0
    content = json.loads(done.stdout)
    (case,) = content["cases"]
    assert case["status"] == "ok"
    assert case["throughput_per_s"] > 0
    again = chipmark("show", "run", "--format", "json")
    assert again.stdout == done.stdout


def test_the_plugins_meter_and_facts_are_in_the_record(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    assert chipmark("run", write_suite(GOOD), "--out", "run").returncode == 0
    (m,) = open_run(tmp_path / "run").measurements
    assert [e.scenario for e in m.energy] == ["throughput", "latency"]
    for reading in m.energy:
        assert (reading.meter, reading.source) == ("example-meter", "constant of the example plugin")
        assert reading.energy_j == pytest.approx(10.0 * reading.duration_s)
    assert m.facts["library"] == "numpy"
    assert m.case.workload_version == 3


def test_throughput_times_elapsed_is_items_for_every_stored_case(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    assert (
        chipmark("run", write_suite(GOOD + "\nbatch_size = [1, 7]"), "--out", "run", "--replicates", "2").returncode
        == 0
    )
    run = open_run(tmp_path / "run")
    assert len(run.measurements) == 4
    frame = load(tmp_path / "run").set_index("case_id")
    for planned in run.info.plan:
        replicates = [m for m in run.measurements if m.case_id == planned.case.id]
        items = sum(m.work.items * w.iterations // m.work.steps for m in replicates for w in m.timing.windows)
        elapsed_s = sum(w.elapsed_ns for m in replicates for w in m.timing.windows) / 1e9
        assert frame.loc[planned.case.id, "throughput_per_s"] * elapsed_s == pytest.approx(items, rel=1e-12)


def test_a_precision_the_chip_lacks_is_a_row_not_an_error(
    chipmark: Runner, write_suite: WriteSuite, tmp_path: Path
) -> None:
    done = chipmark("run", write_suite(GOOD), "--out", "run", "--precision", ",".join(PRECISIONS))
    assert done.returncode == 0
    found = {m.case.precision: m for m in open_run(tmp_path / "run").measurements}
    assert {p: m.status for p, m in found.items()} == {p: "ok" if p == "fp32" else "unsupported" for p in PRECISIONS}
    assert "the example chip has FP32 only" in done.stdout


def test_broken_plugins_are_listed_and_never_fatal(chipmark: Runner) -> None:
    done = chipmark("devices")
    assert done.returncode == 0, done.stderr
    assert "example-broken" in done.stdout
    assert "No module named 'chipmark_example.no_such_module'" in done.stdout
    assert "example @ example:0: Example chip" in done.stdout
    listed = chipmark("list")
    assert listed.returncode == 0
    assert "example-counter v3: sums numbers" in listed.stdout
    assert "Broken plugin example-broken" in listed.stdout


def test_a_foreign_package_of_the_same_name_is_refused(
    chipmark: Runner, tmp_path: Path, plugin_environment: dict[str, str]
) -> None:
    (tmp_path / "shadow" / "backends").mkdir(parents=True)
    (tmp_path / "shadow" / "backends" / "__init__.py").write_text("")
    environment = plugin_environment | {"PYTHONPATH": str(tmp_path / "shadow")}
    done = chipmark("list", env=environment)
    assert_usage_error(done, "module 'backends' comes from", "shadow", "virtual environment of its own")


def test_debug_shows_the_traceback(chipmark: Runner) -> None:
    done = chipmark("run", "smokee", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_help_says_every_option_and_exit_code(chipmark: Runner, golden: Callable[[str, str], None]) -> None:
    for arguments in ([], ["run"], ["show"], ["cost"], ["devices"], ["list"], ["schema"]):
        done = chipmark(*arguments, "--help", env=os.environ | {"COLUMNS": "100"})
        assert done.returncode == 0
        golden(f"help-{'-'.join(arguments) or 'chipmark'}.txt", done.stdout)
        assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_workers_can_be_fresh_interpreters(
    chipmark: Runner, write_suite: WriteSuite, plugin_environment: dict[str, str]
) -> None:
    spawned = plugin_environment | {"CHIPMARK_START_METHOD": "spawn"}
    done = chipmark("run", write_suite(GOOD), "--out", "run", env=spawned)
    assert done.returncode == 0, done.stderr
    wrong = plugin_environment | {"CHIPMARK_START_METHOD": "fork"}
    assert_usage_error(
        chipmark("run", write_suite(GOOD), env=wrong), "CHIPMARK_START_METHOD=fork: must be forkserver or spawn"
    )
