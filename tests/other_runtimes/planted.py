"""Run by another Python, whose ONNX Runtime has a second provider: opens a graph on it, prints the facts as JSON.

    python -m tests.other_runtimes.planted DEVICE GRAPH [OPTION=VALUE ...]

Graphs are three products of matrices with a Relu behind each. In ``half`` a CDist in the middle, which only the CPU's
provider has, parts them; in ``rest`` its shape is not known, so that a provider for fixed shapes leaves what follows.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

NUM_PRODUCTS, SIZE = 3, 256
FLOPS = NUM_PRODUCTS * 2 * SIZE**3


def graph(kind: str) -> bytes:
    """One of ``whole``, ``half`` and ``rest``, serialized."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for i in range(NUM_PRODUCTS):
        values = rng.standard_normal((SIZE, SIZE)).astype(np.float32) / 16
        weights.append(numpy_helper.from_array(values, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"], name=f"product{i}"))
        last = f"m{i}"
        if kind != "whole" and i == 1:
            nodes.append(helper.make_node("CDist", [last, last], ["mid"], name="cdist", domain="com.microsoft"))
            last = "mid"
        nodes.append(helper.make_node("Relu", [last], [f"r{i}" if i < NUM_PRODUCTS - 1 else "y"], name=f"relu{i}"))
        last = f"r{i}"
    value = helper.make_tensor_value_info
    tensors = [value(name, TensorProto.FLOAT, [SIZE, SIZE]) for name in ("x", "y", "mid")]
    made = helper.make_graph(
        nodes, kind, tensors[:1], tensors[1:2], weights, value_info=tensors[2:] if kind == "half" else []
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString())


def facts(device_id: str, kind: str, options: dict[str, str]) -> dict[str, Any]:
    """What ``prepare`` says of such a graph on a device, whose provider gets ``options`` instead of its own if any.

    Where no session is opened on it, that is the ``error``.
    """
    import dataclasses

    import onnxruntime

    from backends.base import NUM_ROTATING_BATCHES
    from backends.onnx_cache import MODEL_FILE, CacheEntry
    from backends.onnxruntime_devices import find
    from backends.onnxruntime_session import open_step
    from results.errors import ChipmarkError
    from results.records import CaseSpec

    (known,) = [found for found in find(onnxruntime, "onnxruntime").devices if found.device.id == device_id]
    provider = dataclasses.replace(known.provider, options=options or known.provider.options)
    case = CaseSpec(
        workload="planted", workload_version=1, phase="infer", preset="tiny", precision="fp32", batch_size=1, shape={},
        backend="onnxruntime", device=device_id, options={"threads": 1},
    )  # fmt: skip
    batches = [{"x": np.full((SIZE, SIZE), i, np.float32)} for i in range(NUM_ROTATING_BATCHES)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MODEL_FILE).write_bytes(graph(kind))
        try:
            step = open_step(case, provider, CacheEntry(Path(folder), {}, cached=True), batches, FLOPS)
        except ChipmarkError as error:
            return {"error": str(error)}
    step.run(1)
    step.sync()
    return {"placement": step.facts["placement"], "details": known.device.details}


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[3:])
    print(json.dumps(facts(sys.argv[1], sys.argv[2], given)))
