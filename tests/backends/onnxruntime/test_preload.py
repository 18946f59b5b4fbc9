"""The fork server loads the plain build of ONNX Runtime only, and asks no provider for a device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backends.onnxruntime_backend import PRELOAD
from tests.backends.onnxruntime.test_packages import build

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[3]
SCRIPT = """
import importlib, sys
sys.path[:0] = [entry for entry in sys.argv[1].split(",") if entry]
names = ("register_execution_provider_library", "get_ep_devices", "get_available_providers", "InferenceSession")
touched = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("onnxruntime_") and not name.startswith("onnxruntime_pybind11"):
            touched.append(name)
sys.meta_path.insert(0, Watch())
def watch(name):
    import onnxruntime
    original = getattr(onnxruntime, name, None)
    def call(*args, **kwargs):
        touched.append(name)
        return original(*args, **kwargs)
    setattr(onnxruntime, name, call)
if sys.argv[2] == "watched":
    for name in names:
        watch(name)
for name in sys.argv[3:]:
    importlib.import_module(name)
print(touched)
print("onnxruntime" in sys.modules)
"""


def preload(path: str, watched: str) -> list[str]:
    command = [sys.executable, "-c", SCRIPT, path, watched, *PRELOAD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()[-2:]


def test_the_plain_build_is_loaded_and_nothing_is_asked() -> None:
    assert preload("", "watched") == ["[]", "True"]
    assert preload("", "plain") == ["[]", "True"]


def test_another_build_is_left_to_the_workers(tmp_path: Path) -> None:
    build(tmp_path, "onnxruntime-gpu", "1.31.1")
    assert preload(str(tmp_path), "plain") == ["[]", "False"]
