"""``chipmark export`` and ``chipmark run --bundle``: through the command line, with real workers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
SUITE = """
[suite]
name = "few"
[measure]
min_seconds = 0.05
max_seconds = 0.2
min_iterations = 5
warmup_max_seconds = 0.2
replicates = 1
energy = false
[[case]]
workload = "llm-decoder"
phase = ["train", "decode"]
backend = ["torch", "onnxruntime"]
shape = { prompt_tokens = 8, new_tokens = 4, sequence_length = 8 }
options = { threads = 1 }
[[case]]
workload = "image-classifier"
phase = "infer"
precision = "int8"
backend = "onnxruntime"
options = { threads = 1, graph_optimization = "extended" }
[[case]]
workload = "gemm"
precision = ["fp32", "fp8"]
backend = "onnxruntime"
"""
# What a device has not.
BLOCKER = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchao", "onnx", "onnxscript", "onnx_ir", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


def chipmark(*arguments: object, cwd: Path, cache: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CHIPMARK_CACHE": str(cache)}
    environment.pop("CHIPMARK_BUNDLE", None)
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), str(ROOT), os.environ.get("PYTHONPATH"))))
    else:
        environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("export")
    (folder / "few.toml").write_text(SUITE)
    done = chipmark("export", "--suite", "few.toml", "--precision", "fp32,int8", "-o", "out/b", cwd=folder,
                    cache=folder / "cache")  # fmt: skip
    return folder / "out" / "b", done


@pytest.fixture
def bundle(made, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    copy = tmp_path / "copied"
    shutil.copytree(made[0], copy)
    return copy


def run_bundle(bundle: Path, cwd: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    blocked = cwd / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(BLOCKER)
    return chipmark("run", "--bundle", bundle, "--out", "r", *arguments, cwd=cwd, cache=cwd / "cache", path=blocked)


def records(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "measurements.jsonl").read_text().splitlines()]


def test_export_says_what_it_wrote(made):
    folder, done = made
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 cases, ")  # decode, classifier and gemm in two precisions each; no training
    assert "on the device: chipmark run --bundle b" in done.stdout
    assert "exporting 6 of 6" in done.stderr
    content = json.loads((folder / "bundle.json").read_text())
    assert content["failed"] == {}
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "bundle.json", *content["files"],
    }  # fmt: skip
    assert [p.name for p in folder.parent.iterdir()] == ["b"], "nothing half made is left beside it"


def test_without_torch_the_same_cases_pass_the_same_gate_and_compare(made, tmp_path):
    folder, _ = made
    done = run_bundle(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    here = records(tmp_path / "r")
    assert len(here) == 6
    for record in here:
        assert record["status"] == "ok", record["reason"]
        assert record["numerics"]["verdict"] == "pass"
        assert record["facts"]["bundle"] == json.loads((tmp_path / "r" / "run.json").read_text())["environment"][
            "packages"]["chipmark-bundle"]  # fmt: skip
    spot = chipmark("run", folder.parents[1] / "few.toml", "--backend", "onnxruntime", "--precision", "fp32,int8",
                    "--phase", "decode,infer", "--out", "spot", cwd=tmp_path, cache=tmp_path / "spot-cache")  # fmt: skip
    assert spot.returncode == 0, spot.stderr
    assert {r["case"]["workload"] + r["case"]["precision"] for r in records(tmp_path / "spot")} == {
        r["case"]["workload"] + r["case"]["precision"] for r in here
    }
    key = json.JSONEncoder(sort_keys=True).encode
    assert {key(r["case"]) for r in records(tmp_path / "spot")} == {key(r["case"]) for r in here}
    compared = chipmark("compare", "spot", "r", cwd=tmp_path, cache=tmp_path / "cache")
    assert compared.returncode != 5, compared.stdout + compared.stderr
    assert "not-comparable" not in compared.stdout


def test_a_case_that_the_bundle_lacks_is_unsupported_and_says_so(made, tmp_path):
    done = run_bundle(made[0], tmp_path, "--precision", "fp16", "--workload", "gemm")
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "r")
    assert record["status"] == "unsupported"
    assert record["reason"] == "the bundle does not have this case: it was not exported"


def damaged(bundle: Path, kind: str) -> str:
    """Damage the bundle; what the message must say."""
    file = bundle / "bundle.json"
    content = json.loads(file.read_text())
    graph = next(iter(content["graphs"].values()))["file"]
    if kind == "altered":
        data = bytearray((bundle / graph).read_bytes())
        data[len(data) // 2] ^= 1
        (bundle / graph).write_bytes(data)
        return f"{graph}: is not what was exported (checksum); copy the bundle again"
    if kind == "longer":
        with (bundle / graph).open("ab") as stream:
            stream.write(b"x")
        return f"{graph}: is not what was exported (checksum)"
    if kind == "missing":
        (bundle / graph).unlink()
        return f"{graph}: No such file or directory; copy the bundle again"
    if kind == "no description":
        file.unlink()
        return "is no bundle (bundle.json is missing); make one with: chipmark export"
    if kind == "other format":
        file.write_text(json.dumps(content | {"schema_version": 2}))
        return "has format 2, this chipmark reads 1; export it again with this version"
    if kind == "cut off":
        file.write_bytes(file.read_bytes()[:1000])
        return "bundle.json: is no description of a bundle"
    content["files"]["../../escape"] = {"sha256": "0" * 64, "num_bytes": 1}
    file.write_text(json.dumps(content))
    return "names a file '../../escape' that no bundle has"


@pytest.mark.parametrize(
    "kind", ["altered", "longer", "missing", "no description", "other format", "cut off", "escape"]
)
def test_a_damaged_bundle_is_refused_before_anything_is_measured(bundle, tmp_path, kind):
    words = damaged(bundle, kind)
    done = chipmark("run", "--bundle", bundle, "--out", "r", cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_run_is_resumed_with_its_bundle_only(made, tmp_path):
    done = run_bundle(made[0], tmp_path, "--workload", "gemm", "--precision", "fp32")
    assert done.returncode == 0, done.stderr
    (tmp_path / "r" / "measurements.jsonl").write_text("")
    without = chipmark("run", "--resume", "r", cwd=tmp_path, cache=tmp_path / "cache")
    assert without.returncode == 2
    assert "chipmark-bundle" in without.stderr


def test_nothing_is_overwritten_and_a_bad_request_leaves_nothing(made, tmp_path):
    folder, _ = made
    again = chipmark("export", "--suite", "smoke", "-o", folder, cwd=tmp_path, cache=tmp_path)
    assert again.returncode == 2
    assert (
        again.stderr == f"chipmark: error: {folder}: is there already and not empty; give a new folder with --output\n"
    )
    for arguments, words in (
        (("--suite", "nosuch"), "unknown suite"),
        (("--suite", "smoke", "--precision", "fp9"), "unknown precision 'fp9'"),
        (("--suite", "smoke", "--phase", "train"), "no case"),
    ):
        done = chipmark("export", *arguments, "-o", "new", cwd=tmp_path, cache=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert not (tmp_path / "new").exists()


def test_whole_models_for_other_tools(tmp_path):
    onnx = pytest.importorskip("onnx")
    done = chipmark("export", "--suite", "smoke", "--workload", "gemm", "--precision", "fp32", "--with-weights", "-o", "w",
                    cwd=tmp_path, cache=tmp_path / "cache")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (model,) = (tmp_path / "w" / "graphs").glob("*/model.onnx")
    onnx.checker.check_model(str(model), full_check=True)
    (weights,) = onnx.load(str(model)).graph.initializer
    assert len(weights.raw_data) == 384 * 384 * 4
    ran = run_bundle(tmp_path / "w", tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_installed_without_extras_in_an_environment_of_its_own(made, tmp_path):
    """As on a device: pip installs chipmark and ONNX Runtime, and no torch comes with them."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    done = subprocess.run([*pip, str(ROOT), "onnxruntime"], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"pip cannot install here: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    packages = {path.name.partition("-")[0] for path in venv.glob("lib/python*/site-packages/*.dist-info")}
    assert {"chipmark", "onnxruntime"} <= packages
    assert not {"torch", "onnx", "onnxscript"} & packages
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["CHIPMARK_CACHE"] = str(tmp_path / "cache")
    command = [str(venv / "bin" / "chipmark"), "run", "--bundle", str(made[0]), "--out", "r"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert {record["status"] for record in records(tmp_path / "r")} == {"ok"}
    assert "6 ok, 0 unsupported, 0 failed" in ran.stdout
