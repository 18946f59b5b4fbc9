"""Measuring a model of size S takes at most 2.5 S of host memory, export included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

ROOT = Path(__file__).parents[3]
# Twelve products of 2048 x 2048: S is 201 MB, beside which inputs and outputs are nothing.
SCRIPT = """
import json, sys
import torch
from torch import nn
import backends.onnx_export, backends.onnx_quantize, backends.torch_preload, backends.torch_reference
import onnxruntime
from backends.onnxruntime_backend import OnnxRuntimeBackend
from harness.isolation import peak_memory_bytes, reset_peak_memory
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of

class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(2048, 2048, bias=False) for _ in range(12)])
    def forward(self, x):
        return self.layers(x)

class Wide(TinyWorkload):
    net = Stack
    def batch(self, preset, phase, batch_size, shape, seed):
        return {"x": torch.randn(batch_size, 2048, generator=torch.Generator().manual_seed(seed))}

if sys.argv[1] == "as it was":
    backends.onnx_export.EXTERNAL_DATA_BYTES = 1_500_000_000
    backends.onnx_export._empty = lambda model: None
backend, workload = OnnxRuntimeBackend(), Wide()
case = case_of(workload, "infer", "fp32", threads=2)
(device,) = [device for device in backend.devices() if device.id == "cpu"]
backend.supports(workload, case, device)
reset_peak_memory()
base = int(open("/proc/self/statm").read().split()[1]) * 4096
backend.reference(workload, case, device)
step = backend.prepare(workload, case, device)
for i in range(4):
    step.run(i)
    step.outputs()
print(json.dumps({"peak": peak_memory_bytes() - base, "cached": step.facts["export_cached"]}))
"""


def peak_over_size(cache: Path, how: str = "as it is") -> tuple[float, bool]:
    environment = os.environ | {"CHIPMARK_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    script = cache.parent / "measure.py"  # a file, so that the model's source can be told
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script, how], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=300, check=True)  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    return found["peak"] / (12 * 2048 * 2048 * 4), found["cached"]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak cannot be reset here")
def test_two_and_a_half_times_the_model_at_most(tmp_path: Path) -> None:
    cold, cached = peak_over_size(tmp_path / "cache")
    assert not cached
    assert 1 < cold <= 2.5
    warm, cached = peak_over_size(tmp_path / "cache")
    assert cached
    assert 1 < warm <= 2.0
    # What is avoided: graphs that hold their weights, and weights that the exporter keeps.
    before, _ = peak_over_size(tmp_path / "other", "as it was")
    assert before > 2.5
