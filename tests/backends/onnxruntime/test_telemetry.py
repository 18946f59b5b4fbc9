"""ONNX Runtime keeps to itself: its uploader is off before it is loaded, in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")

THREADS = """
import os, sys
{first}
import onnxruntime
from onnxruntime import InferenceSession
from onnx import TensorProto, helper
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
model = helper.make_model(helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [x], [y]),
                          opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
print(os.environ.get("ORT_DISABLE_TELEMETRY"), len(os.listdir("/proc/self/task")))
"""


def after(first: str) -> list[str]:
    variables = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", THREADS.format(first=first)], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")
def test_the_uploader_is_off_once_the_backend_is_imported() -> None:
    value, threads = after("import backends.onnxruntime_backend")
    assert value == "1"
    _, alone = after("os.environ['ORT_DISABLE_TELEMETRY'] = '1'")
    assert threads == alone


def test_a_user_may_decide_otherwise() -> None:
    assert after("os.environ['ORT_DISABLE_TELEMETRY'] = '0'; import backends.onnxruntime_backend")[0] == "0"
