"""``chipmark export`` and ``run --bundle`` where something goes wrong: one line, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.bundle_format import BUNDLE_VARIABLE, Bundle, sealed
from harness import bundle_export
from harness.bundle_export import export_bundle, suite_text
from harness.plan import Filters, combine, own_energy_seconds
from harness.suite import load_suite
from results.errors import OutputError

pytest.importorskip("onnxscript")
pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
GEMM = Filters(workloads=("gemm",), precisions=("fp32",), backends=("onnxruntime",))
# A workload that ends the process when its model is built, or takes for ever to.
PLUGIN = """
import os, time
from results.records import Work
from workloads.base import Preset, WorkloadSpec
class Ends:
    spec = WorkloadSpec(name="ends", version=1, domain="test", summary="ends", phases=("infer",), item_unit="sample",
                        presets={"tiny": Preset(summary="one", model={}, shape={"size": 1})})
    def model(self, preset, seed):
        if os.environ.get("TEST_WAITS"):
            print("waiting", flush=True)
            time.sleep(100)
        raise SystemExit("no licence")
    def batch(self, preset, phase, batch_size, shape, seed):
        return {}
    def loss(self, model, batch):
        return None
    def work(self, preset, phase, batch_size, shape):
        return Work(items=1, item_unit="sample", flops=1)
"""
SUITE = """
[suite]
name = "ends"
[[case]]
workload = "ends"
backend = "onnxruntime"
[[case]]
workload = "gemm"
backend = "onnxruntime"
energy_seconds = 30.0
"""


def with_plugin(folder: Path) -> dict[str, str]:
    """The environment of a process that has the plugin installed."""
    (folder / "ends_plugin.py").write_text(PLUGIN)
    (folder / "ends.toml").write_text(SUITE)
    about = folder / "ends-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ends\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[chipmark.workloads]\nends = ends_plugin:Ends\n")
    path = os.pathsep.join((str(folder), str(ROOT)))
    return os.environ | {"PYTHONPATH": path, "CHIPMARK_CACHE": str(folder / "cache")}


def export(folder: Path, environment: dict[str, str], **more: Any) -> subprocess.Popen[str]:
    (folder / "out").mkdir()
    command = [sys.executable, "-m", "harness", "export", "--suite", "ends.toml", "-o", "out/b"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def test_a_workload_that_ends_the_process_costs_only_its_own_case(tmp_path):
    process = export(tmp_path, with_plugin(tmp_path))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "not exported: ends/tiny infer fp32 b1 (size 1): SystemExit: no licence" in out
    content = json.loads((tmp_path / "out/b/bundle.json").read_text())
    assert list(content["failed"]) == ["ends/tiny infer fp32 b1 (size 1)"]
    assert [case["case"]["workload"] for case in content["cases"]] == ["gemm"]
    assert "energy_seconds = 30.0" in (tmp_path / "out/b/ends.toml").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing(tmp_path, number):
    process = export(tmp_path, with_plugin(tmp_path) | {"TEST_WAITS": "1"})
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("chipmark: error: interrupted\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_get_its_name_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    """A file took the name while models were exported."""
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "b"
    monkeypatch.setattr(bundle_export.environment, "describe", lambda real=bundle_export.environment.describe: (
        out.write_text("taken"), real())[1])  # fmt: skip
    with pytest.raises(OutputError, match=f"{out}: cannot be written"):
        export_bundle("smoke", GEMM, out, False, lambda text: None)
    assert [path.name for path in out.parent.iterdir()] == ["b"]
    assert out.read_text() == "taken"


def test_energy_windows_are_those_of_the_suite(tmp_path):
    (tmp_path / "own.toml").write_text(SUITE.replace('"ends"', '"gemm"').replace("gemm", "own", 1))
    suite = load_suite(str(tmp_path / "own.toml"))
    cases = combine(suite, GEMM)
    (tmp_path / "again.toml").write_text(suite_text(suite, cases, own_energy_seconds(suite, GEMM)))
    again = load_suite(str(tmp_path / "again.toml"))
    assert own_energy_seconds(again, GEMM) == own_energy_seconds(suite, GEMM) == {cases[0].id: 30.0}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIPMARK_CACHE", str(folder / "cache"))
        export_bundle("smoke", GEMM, folder / "b", False, lambda text: None)
    return folder / "b"


def run(cwd: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    own = os.environ | {"PYTHONPATH": str(ROOT), "CHIPMARK_CACHE": str(cwd / "cache")} | environment
    command = [sys.executable, "-m", "harness", "run", *map(str, arguments), "--out", "r"]
    return subprocess.run(command, cwd=cwd, env=own, capture_output=True, text=True, timeout=300, check=False)


def test_the_description_may_be_named_instead_of_its_folder(bundle, tmp_path):
    done = run(tmp_path, "--bundle", bundle / "bundle.json", "--replicates", 1)
    assert done.returncode == 0, done.stderr
    assert "ok" in done.stdout


def test_a_variable_that_was_set_wrong_by_hand_is_named(tmp_path):
    done = run(tmp_path, "smoke", "--workload", "gemm", "--backend", "onnxruntime", **{BUNDLE_VARIABLE: "nowhere"})
    assert done.returncode == 2
    assert done.stderr.count("\n") <= 2, done.stderr
    assert f"{BUNDLE_VARIABLE}: nowhere: is no bundle" in done.stderr


def test_a_bundle_of_more_work_than_there_is_fails_each_case(bundle, tmp_path):
    """A description that counts 100 times the FLOPs, with a right checksum."""
    copy = tmp_path / "b"
    copy.mkdir()
    for path in bundle.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(bundle)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(bundle)).write_bytes(path.read_bytes())
    content = json.loads((copy / "bundle.json").read_text())
    content["cases"][0]["work"]["flops"] *= 100
    description = sealed(msgspec.convert(content, Bundle))
    (copy / "bundle.json").write_bytes(msgspec.json.encode(description))
    done = run(tmp_path, "--bundle", copy, "--replicates", 1)
    assert done.returncode == 1, done.stderr
    (record,) = map(json.loads, (tmp_path / "r" / "measurements.jsonl").read_text().splitlines())
    assert record["status"] == "failed"
    assert "counts another work for this case" in record["reason"]
