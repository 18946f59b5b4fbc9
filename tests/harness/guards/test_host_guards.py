"""Guards that read the system's trees: each PASS, WARN or FAIL, and UNKNOWN."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.guards.base import Unreadable, Watch
from harness.guards.before import Before, num_runnable
from harness.guards.cpu_setting import Affinity, Governor, Smt, parse_cpu_list
from harness.guards.cpu_time import CpuTimeShare
from harness.guards.load import LoadBefore
from harness.guards.pressure import CpuPressure
from harness.guards.run_queue import RunQueueWait
from harness.guards.steal import Steal
from harness.guards.thread_count import ThreadCount, num_threads
from results.records import Guard
from tests.harness.guards.trees import Clock, S, scene, write


def over(watch: Watch, clock: Clock, seconds: float, folder: Path, files: dict[str, str]) -> Guard:
    """Start, let ``seconds`` pass, change ``files``, stop."""
    watch.start()
    clock.wall_ns += round(seconds * S)
    write(folder, files)
    return watch.stop()


# ---- run_queue_wait


@pytest.mark.parametrize(
    ("waited_ms", "verdict"), [(0, "PASS"), (20, "PASS"), (21, "WARN"), (100, "WARN"), (101, "FAIL"), (510, "FAIL")]
)
def test_run_queue_wait_of_the_worst_thread(tmp_path: Path, waited_ms: int, verdict: str) -> None:
    clock = Clock()
    write(tmp_path, {"proc/self/task/7/schedstat": "100 5000 3\n", "proc/self/task/8/schedstat": "100 7000 3\n"})
    after = {
        "proc/self/task/7/schedstat": f"{S} 5000 9\n",
        "proc/self/task/8/schedstat": f"100 {7000 + waited_ms * 1_000_000} 9\n",
    }
    guard = over(RunQueueWait(scene(tmp_path, clock)), clock, 1.0, tmp_path, after)
    assert (guard.value, guard.verdict) == (waited_ms / 1000, verdict)
    assert f"{waited_ms / 1000:.1%} of 1 s" in guard.reason


def test_a_thread_born_meanwhile_counts_from_nothing(tmp_path: Path) -> None:
    clock = Clock()
    write(tmp_path, {"proc/self/task/7/schedstat": "100 0 3\n"})
    guard = over(
        RunQueueWait(scene(tmp_path, clock)), clock, 1.0, tmp_path, {"proc/self/task/9/schedstat": f"5 {S // 2} 1\n"}
    )
    assert (guard.value, guard.verdict) == (0.5, "FAIL")


def test_run_queue_wait_is_unknown_without_schedstat_or_statistics_in_it(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no schedstat under"):
        RunQueueWait(scene(tmp_path)).start()
    clock = Clock()
    write(tmp_path, {"proc/self/task/7/schedstat": "0 0 0\n"})
    with pytest.raises(Unreadable, match="keeps no schedstat"):
        over(RunQueueWait(scene(tmp_path, clock)), clock, 1.0, tmp_path, {})


# ---- cpu_pressure

PSI = "some avg10=1.00 avg60=2.00 avg300=3.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=77\n"


@pytest.mark.parametrize(("stalled_us", "verdict"), [(0, "PASS"), (100_001, "WARN"), (400_001, "FAIL")])
def test_cpu_pressure_is_the_increase_of_some(tmp_path: Path, stalled_us: int, verdict: str) -> None:
    clock = Clock()
    write(tmp_path, {"proc/pressure/cpu": PSI.format(1234)})
    after = {"proc/pressure/cpu": PSI.format(1234 + stalled_us)}
    guard = over(CpuPressure(scene(tmp_path, clock)), clock, 2.0, tmp_path, after)
    assert (guard.value, guard.verdict) == (stalled_us / 2e6, verdict)


@pytest.mark.parametrize("text", [None, "full avg10=0 total=1\n"])
def test_cpu_pressure_is_unknown_without_psi(tmp_path: Path, text: str | None) -> None:
    write(tmp_path, {"proc/pressure/cpu": text} if text else {})
    with pytest.raises(Unreadable, match="pressure/cpu"):
        CpuPressure(scene(tmp_path)).start()


def test_no_time_passed_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, {"proc/pressure/cpu": PSI.format(1)})
    with pytest.raises(Unreadable, match="no time passed"):
        over(CpuPressure(scene(tmp_path)), Clock(), 0.0, tmp_path, {})


# ---- steal


def stat(user: int, idle: int, steal: int) -> str:
    return f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 999 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nintr 5\n"


@pytest.mark.parametrize(("stolen", "verdict"), [(0, "PASS"), (5, "PASS"), (6, "WARN"), (20, "WARN"), (21, "FAIL")])
def test_steal_is_a_share_of_all_cpu_time(tmp_path: Path, stolen: int, verdict: str) -> None:
    clock = Clock()
    write(tmp_path, {"proc/stat": stat(1000, 1000, 50)})
    after = {"proc/stat": stat(1500, 1500 - stolen, 50 + stolen)}
    guard = over(Steal(scene(tmp_path, clock)), clock, 5.0, tmp_path, after)
    assert (guard.value, guard.verdict) == (stolen / 1000, verdict)


def test_steal_also_notes_what_others_kept_busy(tmp_path: Path) -> None:
    clock = Clock()
    watch = Steal(scene(tmp_path, clock))
    write(tmp_path, {"proc/stat": stat(1000, 1000, 0)})
    watch.start()
    clock.process_ns += 3 * S  # 300 of the 500 busy ticks were ours
    write(tmp_path, {"proc/stat": stat(1500, 1500, 0)})
    watch.stop()
    assert watch.facts["other_cpu_share"] == pytest.approx(0.2)


def test_steal_of_a_short_window_is_unknown_unless_it_is_seen(tmp_path: Path) -> None:
    clock = Clock()
    write(tmp_path, {"proc/stat": stat(0, 0, 0)})
    with pytest.raises(Unreadable, match="100 ticks of CPU time are too few"):
        over(Steal(scene(tmp_path, clock)), clock, 0.5, tmp_path, {"proc/stat": stat(50, 50, 0)})
    write(tmp_path, {"proc/stat": stat(0, 0, 0)})
    guard = over(Steal(scene(tmp_path, clock)), clock, 0.5, tmp_path, {"proc/stat": stat(50, 47, 3)})
    assert guard.verdict == "FAIL"


@pytest.mark.parametrize("text", ["", "cpu 1 2 3 4 5\n"])
def test_steal_is_unknown_where_stat_is_no_stat(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"proc/stat": text})
    with pytest.raises(Unreadable, match="does not begin with the CPU times"):
        Steal(scene(tmp_path)).start()


# ---- load_before


@pytest.mark.parametrize(("load", "verdict"), [(0.6, "PASS"), (0.7, "WARN"), (2.1, "FAIL")])
def test_load_before_is_per_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, verdict: str) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    watch = LoadBefore(scene(tmp_path, before=Before(load_1min=load)))
    guard = watch.stop()
    assert (guard.value, guard.verdict) == (load / 2, verdict)
    assert watch.facts == {"load_before_1min": load, "num_runnable_before": None}


@pytest.mark.parametrize(("load", "runnable", "value"), [(4.0, 0.2, 0.1), (0.2, 4.0, 0.1), (4.0, 4.0, 2.0)])
def test_a_load_average_that_remembers_an_earlier_run_is_no_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, runnable: float, value: float
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    guard = LoadBefore(scene(tmp_path, before=Before(load_1min=load, num_runnable=runnable))).stop()
    assert (guard.value, guard.verdict) == (value, "FAIL" if value > 1 else "PASS")


def test_runnable_threads_are_counted_without_the_reader(tmp_path: Path) -> None:
    looks = iter(["1", "3", "1", "5", "1"])
    queue = partial(num_runnable, tmp_path)
    assert queue(lambda s: write(tmp_path, {"loadavg": f"9.0 9.0 9.0 {next(looks)}/500 77\n"})) == 6 / 5
    write(tmp_path, {"loadavg": "9.0 9.0\n"})
    assert queue(lambda s: None) is None
    assert num_runnable(tmp_path / "nowhere", lambda s: None) is None


@pytest.mark.parametrize("before", [None, Before()])
def test_load_before_is_unknown_where_nobody_looked(tmp_path: Path, before: Before | None) -> None:
    with pytest.raises(Unreadable, match="not known"):
        LoadBefore(scene(tmp_path, before=before)).stop()


# ---- cpu_time_share


@pytest.mark.parametrize(
    ("facts", "share", "verdict"),
    [
        ({"threads": 1}, 0.96, "PASS"), ({"threads": 1}, 0.94, "FAIL"), ({"threads": 2}, 0.96, "PASS"),
        ({"threads": 2}, 0.5, "WARN"), ({}, 0.5, "WARN"), ({"threads_started": 0}, 0.5, "FAIL"),
    ],
)  # fmt: skip
def test_cpu_time_share_fails_only_where_one_thread_does_the_work(
    tmp_path: Path, facts: dict[str, object], share: float, verdict: str
) -> None:
    clock = Clock()
    watch = CpuTimeShare(scene(tmp_path, clock, facts=facts))
    watch.start()
    clock.wall_ns += 2 * S
    clock.thread_ns += round(2 * S * share)
    guard = watch.stop()
    assert (guard.value, guard.threshold, guard.verdict) == (share, 0.95, verdict)
    assert watch.facts == {"cpu_time_share": share}
    assert ("noisy host" in guard.reason) == (verdict == "FAIL")


# ---- thread_count


@pytest.mark.parametrize(
    ("facts", "verdict"), [({"threads": 2}, "PASS"), ({"threads": 3}, "WARN"), ({"threads_started": 2}, "WARN")]
)
def test_more_threads_than_cpus_warn(tmp_path: Path, facts: dict[str, object], verdict: str) -> None:
    assert ThreadCount(scene(tmp_path, facts=facts)).stop().verdict == verdict


def test_a_quota_counts_as_fewer_cpus(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/box\n", "cgroup/cgroup.controllers": "cpu\n"})
    write(tmp_path, {"cgroup/box/cpu.max": "150000 100000\n"})
    watch = ThreadCount(scene(tmp_path, facts={"threads": 2}))
    assert watch.stop().verdict == "WARN"
    assert watch.facts == {"num_threads": 2, "num_usable_cpus": 1.5}


def test_thread_count_is_unknown_where_the_quota_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/box\n", "cgroup/cgroup.controllers": "cpu\n"})
    write(tmp_path, {"cgroup/box/cpu.max": "half 100000\n"})
    with pytest.raises(Unreadable, match="holds no CPU quota: 'half 100000'"):
        ThreadCount(scene(tmp_path, facts={"threads": 2})).stop()


def test_thread_count_is_unknown_where_nobody_tells(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="does not tell how many threads"):
        ThreadCount(scene(tmp_path, facts={"threads_started": None})).stop()
    with pytest.raises(Unreadable, match="on which CPUs"):
        ThreadCount(scene(tmp_path, affinity=lambda: None)).stop()


def test_threads_of_a_pool_are_those_started_and_the_caller() -> None:
    assert num_threads({"threads_started": 3}) == 4
    assert num_threads({"intra_op_num_threads": "default: one per physical core"}) is None


# ---- governor, smt, affinity

CPUS = "sys/devices/system/cpu/"


@pytest.mark.parametrize(("second", "value", "verdict"), [("performance", 0, "PASS"), ("powersave", 1, "WARN")])
def test_governor_of_the_usable_cpus(tmp_path: Path, second: str, value: int, verdict: str) -> None:
    governors = {0: "performance", 1: second, 2: "ondemand"}  # the worker may not use number 2
    write(tmp_path, {f"{CPUS}cpu{i}/cpufreq/scaling_governor": f"{text}\n" for i, text in governors.items()})
    watch = Governor(scene(tmp_path))
    guard = watch.stop()
    assert (guard.value, guard.verdict) == (value, verdict)
    assert watch.facts["cpu_governor"] == ", ".join(sorted({"performance", second}))


def test_governor_is_unknown_in_most_virtual_machines(tmp_path: Path) -> None:
    write(tmp_path, {f"{CPUS}online": "0-1\n", f"{CPUS}cpufreq/ondemand": ""})
    watch = Governor(scene(tmp_path))
    with pytest.raises(Unreadable, match="does not tell frequency governors"):
        watch.stop()
    assert watch.facts == {"cpu_governor": None}


@pytest.mark.parametrize(("text", "verdict"), [("0\n", "PASS"), ("1\n", "WARN")])
def test_smt(tmp_path: Path, text: str, verdict: str) -> None:
    write(tmp_path, {f"{CPUS}smt/active": text})
    assert Smt(scene(tmp_path)).stop().verdict == verdict


def test_smt_is_unknown_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="smt/active cannot be read: No such file"):
        Smt(scene(tmp_path)).stop()


@pytest.mark.parametrize(("online", "verdict"), [("0-1\n", "WARN"), ("0-3\n", "PASS"), ("0\n", "PASS")])
def test_affinity_warns_when_nothing_pins_the_worker(tmp_path: Path, online: str, verdict: str) -> None:
    write(tmp_path, {f"{CPUS}online": online})
    assert Affinity(scene(tmp_path)).stop().verdict == verdict


def test_affinity_is_unknown_where_the_system_has_none(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="on which CPUs"):
        Affinity(scene(tmp_path, affinity=lambda: None)).stop()


def test_cpu_lists() -> None:
    assert parse_cpu_list("0-3,8\n") == {0, 1, 2, 3, 8}
    with pytest.raises(ValueError, match="x"):
        parse_cpu_list("0-x")
