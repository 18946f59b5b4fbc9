"""Guards as a set: which apply, what a broken one costs (nothing), and verdicts from thresholds."""

from __future__ import annotations

import math
import os
import subprocess
import threading
from pathlib import Path

import pytest

from harness.guards import guard_set
from harness.guards.base import Scene, Unreadable, Watch, judge, unknown
from harness.guards.energy import JUDGEMENTS
from harness.guards.guard_set import CPU, HOST, NVIDIA, GuardSet
from harness.guards.table import GUARD, GUARDS
from results.records import Device, Guard
from tests.harness.guards.trees import scene


def device(kind: str) -> Device:
    return Device(id=kind, backend="torch", kind=kind, name=kind)


@pytest.mark.parametrize(
    ("kind", "names"), [("cpu", [*HOST, *CPU]), ("cuda", [*HOST, *NVIDIA]), ("rocm", list(HOST)), ("mps", list(HOST))]
)
def test_guards_that_do_not_apply_are_absent(tmp_path: Path, kind: str, names: list[str]) -> None:
    guards = GuardSet(scene(tmp_path, device=device(kind)))
    guards.start()
    guards.stop()
    assert [guard.name for guard in guards.guards] == names


def test_the_table_has_exactly_the_guards_there_are() -> None:
    energy = {judgement.name for judgement in JUDGEMENTS}
    assert set(GUARD) == {*HOST, *CPU, *NVIDIA, *energy, "step_slope", "step_spread", "step_tail", "flops"}
    assert len(GUARD) == len(GUARDS)
    assert {spec.name for spec in GUARDS if spec.applies == "CPU"} == set(CPU)
    assert {spec.name for spec in GUARDS if spec.applies == "NVIDIA GPU"} == set(NVIDIA)
    assert {spec.name for spec in GUARDS if spec.applies == "metered device"} == energy
    for spec in GUARDS:
        assert spec.warn is not None or spec.fail is not None
        assert None in (spec.warn, spec.fail) or spec.warn < spec.fail


def test_on_an_empty_system_nothing_passes_by_not_being_readable(tmp_path: Path) -> None:
    guards = GuardSet(scene(tmp_path, facts={}, affinity=lambda: None))
    guards.start()
    guards.stop()
    assert {guard.name for guard in guards.guards if guard.verdict != "UNKNOWN"} <= {"cpu_time_share"}
    assert all(guard.value is None and guard.reason for guard in guards.guards if guard.verdict == "UNKNOWN")


class Broken(Watch):
    """Raises where it is told to."""

    name = "smt"
    where = ""
    calls: list[str] = []

    def _do(self, what: str) -> None:
        self.calls.append(what)
        if self.where == what:
            raise OSError(5, "first line\nsecond line")

    def start(self) -> None:
        self._do("start")

    def mark(self) -> None:
        self._do("mark")

    def stop(self) -> Guard:
        self._do("stop")
        return judge(self.name, 0, "fine")


@pytest.mark.parametrize("where", ["init", "start", "mark", "stop", ""])
def test_a_guard_that_raises_costs_its_own_verdict_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Fragile(Broken):
        calls: list[str] = []

        def __init__(self, scene) -> None:
            super().__init__(scene)
            self.facts["note"] = "kept"
            self.where = where
            self._do("init")

    monkeypatch.setattr(
        guard_set, "HOST", {"affinity": HOST["affinity"], "smt": Fragile, "load_before": HOST["load_before"]}
    )
    guards = GuardSet(scene(tmp_path))
    guards.start()
    guards.mark()
    guards.mark()
    guards.stop()
    assert [guard.name for guard in guards.guards] == ["affinity", "smt", "load_before", *CPU]
    fragile = guards.guards[1]
    if not where:
        assert (fragile.verdict, Fragile.calls) == ("PASS", ["init", "start", "mark", "mark", "stop"])
        assert guards.machine["note"] == "kept"
        return
    assert (fragile.verdict, fragile.value) == ("UNKNOWN", None)
    assert fragile.reason == "the guard failed: OSError: [Errno 5] first line"
    assert Fragile.calls[-1] == where  # it is left alone from there on


def test_guards_start_neither_threads_nor_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real system: what they would cost is not in the timed passes."""
    for module, name in ((threading.Thread, "start"), (subprocess.Popen, "__init__"), (os, "fork")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("a guard started something"))
    guards = GuardSet(Scene(device("cpu"), {"threads": 1}))
    guards.start()
    guards.mark()
    guards.stop()
    assert len(guards.guards) == len(HOST) + len(CPU)


# ---- verdicts


@pytest.mark.parametrize(
    ("name", "value", "verdict", "threshold"),
    [
        ("run_queue_wait", 0.02, "PASS", 0.02), ("run_queue_wait", 0.0201, "WARN", 0.02), ("run_queue_wait", 0.11, "FAIL", 0.10),
        ("cgroup_throttled", 0, "PASS", 0), ("cgroup_throttled", 1, "FAIL", 0), ("governor", 8, "WARN", 0),
        ("cpu_time_share", 0.95, "PASS", 0.95), ("cpu_time_share", 0.949, "FAIL", 0.95),
    ],
)  # fmt: skip
def test_a_value_on_the_threshold_is_still_fine(name: str, value: float, verdict: str, threshold: float) -> None:
    guard = judge(name, value, "because")
    assert (guard.verdict, guard.threshold, guard.value, guard.reason) == (verdict, threshold, value, "because")


def test_a_guard_may_be_kept_from_failing() -> None:
    assert judge("cpu_time_share", 0.5, "", can_fail=False).verdict == "WARN"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_not_judged(value: float) -> None:
    with pytest.raises(Unreadable, match=f"{value}"):
        judge("steal", value, "")


def test_unknown_always_has_a_reason() -> None:
    assert unknown("steal", "").reason
