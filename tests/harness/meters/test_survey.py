"""What ``chipmark devices`` says of meters, by fake plugins that are installed: real worker, real entry points."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness import meters
from harness.discovery import BackendReport
from harness.meters import survey as survey_module
from harness.meters.base import Capability
from harness.meters.describe import not_measurable, readable, unreadable
from harness.meters.survey import survey
from harness.supervisor import Supervisor
from results.records import Device
from results.registry import Registry
from tests.plugins import Runner

METERS = """
import ctypes, os
from harness.meters.base import Capability, not_for

class Good:
    def probe(self, device):
        if device.kind != "example":
            return not_for("the example chip")
        return Capability(source="field 7", scope="gpu_board", update_s=0.1, averaging_s=0.025, resolution_j=1e-3,
                          resolution_w=15.3e-6, part_time=True, beside=("gpu_memory",), notes=("a thing to know",))
    def start(self, device): raise NotImplementedError
    def stop(self, window): raise NotImplementedError

class Denied(Good):
    def probe(self, device):
        return Capability(reason="no permission", remedy="sudo chmod a+r FILE")

class Raises(Good):
    def probe(self, device):
        raise RuntimeError("something went wrong")

class Odd(Good):
    def probe(self, device):
        return Capability(source="x", update_s="soon")

class Crashes(Good):
    def probe(self, device):
        os.abort()

class Lacks:
    probe = None
"""
ALL = {"z-good": "Good", "z-denied": "Denied", "z-raises": "Raises", "z-odd": "Odd", "a-crashes": "Crashes",
       "z-lacks": "Lacks", "z-gone": "Gone", "rapl": "Good"}  # fmt: skip


def install(folder: Path, entry_points: dict[str, str]) -> str:
    """A distribution of fake meters in ``folder``; returns the folder for PYTHONPATH."""
    (folder / "fake_meters.py").write_text(METERS)
    info = folder / "fake_meters-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-meters\nVersion: 0.1\n")
    lines = [f"{name} = fake_meters:{attribute}" for name, attribute in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[chipmark.meters]", *lines, ""]))
    return str(folder)


def devices(*ids: str, kind: str = "example") -> BackendReport:
    return BackendReport(
        name="fake", devices=tuple(Device(id=name, backend="fake", kind=kind, name=name) for name in ids)
    )


@pytest.fixture
def surveyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> survey_module.Survey:
    monkeypatch.syspath_prepend(install(tmp_path, ALL))
    fresh: Registry = Registry("meter", "chipmark.meters", meters.BUILT_IN, members=("probe", "start", "stop"))
    monkeypatch.setattr(meters, "REGISTRY", fresh)
    return survey(Supervisor(), [devices("one:0", "one:1"), BackendReport(name="none", reason="not here")])


def test_every_meter_answers_for_every_device_whatever_the_others_do(surveyed: survey_module.Survey) -> None:
    assert list(surveyed.answers) == ["fake"]
    assert list(surveyed.answers["fake"]) == ["one:0", "one:1"]
    for answers in surveyed.answers["fake"].values():
        good = answers["z-good"]
        assert (good.reason, good.source, good.update_s, good.beside) == ("", "field 7", 0.1, ("gpu_memory",))
        assert (answers["z-denied"].reason, answers["z-denied"].remedy) == ("no permission", "sudo chmod a+r FILE")
        assert answers["z-raises"].reason == "RuntimeError: something went wrong"
        assert "Expected `float | null`" in answers["z-odd"].reason
        assert answers["a-crashes"].reason == "asking it failed: the worker crashed with SIGABRT"
    names = [name for name in answers if name not in meters.BUILT_IN]
    assert names == ["a-crashes", "z-denied", "z-good", "z-odd", "z-raises"]
    assert {"z-lacks", "z-gone"} <= set(surveyed.broken)
    assert "it is no meter: it has no start, stop" in surveyed.broken["z-lacks"]


def test_a_taken_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, {"rapl": "Good"}))
    found = survey(Supervisor(), [devices("one:0")])
    assert "the name is taken" in found.broken["rapl (fake_meters:Good)"]


def test_nothing_to_ask_about_is_no_error() -> None:
    assert survey(Supervisor(), [BackendReport(name="none", reason="not here")]).answers == {}


def test_in_words() -> None:
    full = Capability(source="field 7", scope="gpu_board", update_s=0.1, averaging_s=0.025, resolution_j=1e-3,
                      resolution_w=15.3e-6, part_time=True, beside=("dram",))  # fmt: skip
    assert readable(full) == (
        "gpu_board (one accelerator board) by field 7; period 100 ms; averages over 25.0 ms; looks at part of each "
        "period only; in steps of 1.00 mJ and 15.3 uW; beside it dram (the main memory, by the CPU's own counters)"
    )
    assert readable(Capability(source="x", scope="else")) == "else by x; period not known until measured"
    assert readable(Capability()).startswith("a scope it does not name by a source it does not name; ")
    assert unreadable(Capability(reason="no permission")) == "no permission"
    assert unreadable(Capability(reason="no permission", remedy="ask")) == "no permission; to grant it: ask"


def test_why_not_in_words() -> None:
    (device,) = devices("one:0").devices
    no = {"other": Capability(reason="reads cats only", applies=False)}
    wall = "; an external meter can be read (chipmark run --wall-meter FILE)"
    assert not_measurable(device, no, []) == f"no power meter is for a device of kind example{wall}"
    no["mine"] = Capability(reason="no permission", remedy="ask")
    assert not_measurable(device, no, ["bad"]) == (
        f"mine: no permission; to grant it: ask; broken and not asked: bad{wall}"
    )


def block(text: str, first: str) -> list[str]:
    """The lines under the one that starts with ``first``."""
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith(first)) + 1
    end = next((k for k in range(start, len(lines)) if not lines[k].startswith(" ")), len(lines))
    return [line.strip() for line in lines[start:end]]


def test_command(chipmark: Runner, plugin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fakes").mkdir()
    path = os.pathsep.join((str(plugin_folder), install(tmp_path / "fakes", ALL)))
    done = chipmark("devices", env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    energy = [line for line in block(done.stdout, "example @ example:0") if "precision" not in line]
    assert (
        "energy: example-meter reads gpu_board (one accelerator board) by constant of the example plugin; "
        "period not known until measured"
    ) in energy
    good = next(k for k, line in enumerate(energy) if line.startswith("energy: z-good reads gpu_board"))
    assert energy[good + 1] == "a thing to know"
    assert "energy: z-denied does not read it: no permission; to grant it: sudo chmod a+r FILE" in energy
    assert "energy: a-crashes does not read it: asking it failed: the worker crashed with SIGABRT" in energy
    assert not any("not measurable" in line or "z-gone" in line for line in energy)
    assert "broken plugin meter z-gone: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_command_as_json(chipmark: Runner) -> None:
    done = chipmark("devices", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["meters"]["example"]["example:0"]["example-meter"]["scope"] == "gpu_board"
    for report in found["backends"]:
        of_devices = found["meters"].get(report["name"], {})  # whatever backend the device names
        assert list(of_devices) == [device["id"] for device in report["devices"]]
        if report["name"] == "onnxruntime" and report["devices"]:
            assert {"qnn", "coreml"} & {lost["device"].partition(":")[0] for lost in report["missing"]}
        assert all("example-meter" in answers for answers in of_devices.values())
        assert all(answer.get("reason") or answer["scope"] for a in of_devices.values() for answer in a.values())
