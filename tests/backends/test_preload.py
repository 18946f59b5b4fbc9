"""The fork server must not touch a device: workers forked after that could not use it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backends.onnxruntime_backend import PRELOAD as ORT_PRELOAD
from backends.torch_backend import PRELOAD as TORCH_PRELOAD
from backends.torch_preload import has_device_code

SCRIPT = """
import importlib, sys, torch
touched = []
def watch(module, name):
    original = getattr(module, name)
    def call(*args, **kwargs):
        touched.append(f"{module.__name__}.{name}")
        return original(*args, **kwargs)
    setattr(module, name, call)
for name in ("is_available", "device_count", "_lazy_init", "get_device_capability", "get_device_properties"):
    watch(torch.cuda, name)
for name in ("is_available", "device_count"):
    watch(torch.xpu, name)
for name in ("is_available", "device_count", "current_accelerator"):
    watch(torch.accelerator, name)
if sys.argv[1] == "device build":
    torch.version.cuda = "13.0"
for name in sys.argv[2:]:
    importlib.import_module(name)
print(sorted(set(touched)))
print([name for name in ("torch._dynamo", "torchao", "workloads.llm_decoder_model") if name in sys.modules])
"""


def preload(build: str) -> tuple[str, str]:
    names = dict.fromkeys((*TORCH_PRELOAD, *ORT_PRELOAD))
    command = [sys.executable, "-c", SCRIPT, build, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    touched, loaded = done.stdout.splitlines()[-2:]
    return touched, loaded


def test_with_a_torch_that_has_devices_nothing_asks_for_one() -> None:
    assert preload("device build") == ("[]", "['workloads.llm_decoder_model']")


def test_with_a_cpu_build_the_slow_modules_are_loaded_too() -> None:
    pytest.importorskip("torchao")
    if has_device_code():
        pytest.skip("this torch can drive devices")
    _, loaded = preload("as it is")
    assert loaded == "['torch._dynamo', 'torchao', 'workloads.llm_decoder_model']"
