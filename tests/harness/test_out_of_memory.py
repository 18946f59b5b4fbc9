"""Too little memory, both ways: an allocator that says no, and a kernel that kills."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.oom import OomCounter
from results.store import open_run

SUITE = """
[suite]
name = "big"
[measure]
min_seconds = 0.1
max_seconds = 1.0
warmup_max_seconds = 0.2
[[case]]
workload = "image-classifier"
phase = "infer"
preset = "tiny"
batch_size = {batch_sizes}
"""


def run_suite(folder: Path, batch_sizes: list[int], preexec: Callable[[], None] | None = None) -> int:
    (folder / "big.toml").write_text(SUITE.format(batch_sizes=batch_sizes))
    command = [sys.executable, "-m", "harness", "run", "big.toml", "--device", "cpu", "--out", "run"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, preexec_fn=preexec
    )
    assert "Traceback" not in done.stderr
    return done.returncode


def test_a_batch_too_large_is_out_of_memory_and_the_run_goes_on(tmp_path: Path) -> None:
    assert run_suite(tmp_path, [1, 50_000_000]) == 1
    small, large = sorted(open_run(tmp_path / "run").measurements, key=lambda m: m.case.batch_size)
    assert small.status == "ok"
    assert large.status == "out_of_memory"
    assert "memory" in large.reason


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group (version 1) of 1 GiB, where this machine lets us make one."""
    group = Path("/sys/fs/cgroup/memory") / f"chipmark-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(2**30))
    except OSError:
        pytest.skip("this machine does not let us make a memory control group")
    yield group
    for process in (group / "cgroup.procs").read_text().split():
        (group.parent / "cgroup.procs").write_text(process)
    group.rmdir()


def test_a_worker_killed_by_the_kernel_is_out_of_memory_and_the_parent_survives(
    memory_group: Path, tmp_path: Path
) -> None:
    def join() -> None:
        (memory_group / "cgroup.procs").write_text(str(os.getpid()))

    # 20,000 images of 64 x 64 are 1 GB, allowed by the allocator and not by the group.
    assert run_suite(tmp_path, [1, 20_000], join) == 1
    small, large = sorted(open_run(tmp_path / "run").measurements, key=lambda m: m.case.batch_size)
    assert small.status == "ok"
    assert (large.status, large.reason) == ("out_of_memory", "killed by the kernel: out of memory")


def fake_root(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("cgroup", "counter"),
    [
        ("0::/box\n", "sys/fs/cgroup/box/memory.events"),
        ("0::/\n", "sys/fs/cgroup/memory.events"),
        ("4:memory:/box\n0::/\n", "sys/fs/cgroup/memory/box/memory.oom_control"),
        ("4:memory:/elsewhere\n", "sys/fs/cgroup/memory/memory.oom_control"),
        ("1:cpu:/\n", "proc/vmstat"),
    ],
)
def test_the_kernels_counters_are_found_and_a_rise_is_seen(tmp_path: Path, cgroup: str, counter: str) -> None:
    root = fake_root(tmp_path, {"proc/self/cgroup": cgroup, counter: "low 0\noom_kill 3\n"})
    watch = OomCounter(root)
    assert not watch.increased()
    (root / counter).write_text("low 0\noom_kill 4\n")
    assert watch.increased()


def test_other_containers_kills_do_not_count_where_there_is_an_own_counter(tmp_path: Path) -> None:
    root = fake_root(
        tmp_path,
        {
            "proc/self/cgroup": "0::/box\n",
            "sys/fs/cgroup/box/memory.events": "oom_kill 0\n",
            "proc/vmstat": "oom_kill 1\n",
        },
    )
    watch = OomCounter(root)
    (root / "proc/vmstat").write_text("oom_kill 2\n")
    assert not watch.increased()


def test_unreadable_counters_say_nothing(tmp_path: Path) -> None:
    assert not OomCounter(tmp_path).increased()
