"""Two builds of ONNX Runtime in one place, by real metadata on the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backends.onnxruntime_packages import builds_on, check_single
from results.errors import BackendUnavailable

ROOT = Path(__file__).parents[3]


def install(folder: Path, name: str, version: str, *files: str) -> None:
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def build(folder: Path, name: str, version: str) -> None:
    install(folder, name, version, "onnxruntime/__init__.py", "onnxruntime/capi/__init__.py")


def test_one_build_and_its_plugins(tmp_path: Path) -> None:
    build(tmp_path, "onnxruntime", "1.32.0")
    install(tmp_path, "onnxruntime-qnn", "2.7.0", "onnxruntime_qnn/__init__.py")
    assert [known.name for known in builds_on([str(tmp_path)])] == ["onnxruntime"]
    check_single([str(tmp_path)])


def test_two_builds_over_each_other(tmp_path: Path) -> None:
    build(tmp_path, "onnxruntime", "1.32.0")
    build(tmp_path, "onnxruntime-gpu", "1.31.1")
    with pytest.raises(BackendUnavailable) as caught:
        check_single(["/nowhere", str(tmp_path)])
    assert "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1" in caught.value.reason
    assert str(tmp_path) in caught.value.reason
    assert "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install" in caught.value.install_hint
    assert "\n" not in str(caught.value)


def test_a_build_that_hides_another_elsewhere_is_alone(tmp_path: Path) -> None:
    build(tmp_path / "own", "onnxruntime-gpu", "1.31.1")
    build(tmp_path / "system", "onnxruntime", "1.32.0")
    path = [str(tmp_path / "own"), str(tmp_path / "system")]
    assert [known.name for known in builds_on(path)] == ["onnxruntime-gpu"]
    check_single(path)


def test_none(tmp_path: Path) -> None:
    assert builds_on([str(tmp_path)]) == []
    check_single([str(tmp_path)])


def test_the_backend_refuses_two_builds(tmp_path: Path) -> None:
    build(tmp_path, "onnxruntime", "1.32.0")
    build(tmp_path, "onnxruntime-openvino", "1.24.1")
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom harness.discovery import ask\n"
        "report = ask('onnxruntime')\nprint(len(report.devices), report.reason, '|', report.install_hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("0 2 builds of ONNX Runtime are installed over each other")
    assert "| keep one: pip uninstall -y onnxruntime onnxruntime-openvino" in done.stdout
