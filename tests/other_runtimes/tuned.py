"""Run by another Python: opens a graph on a device with options of a case; prints facts and first outputs as JSON.

    python -m tests.other_runtimes.tuned CACHE_FOLDER DEVICE [OPTIONS_AS_JSON ...]

Each set of options is one case after the other; ``devices`` in place of a device prints what is here.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.other_runtimes.planted import FLOPS, SIZE, graph


def facts(device_id: str, options: dict[str, Any]) -> dict[str, Any]:
    """The facts of the whole graph of ``planted``, the sum of its outputs and the files in the cache, or the error."""
    import onnxruntime

    from backends.base import NUM_ROTATING_BATCHES
    from backends.onnx_cache import MODEL_FILE, CacheEntry, cache_root
    from backends.onnxruntime_devices import find
    from backends.onnxruntime_options import check_options
    from backends.onnxruntime_session import open_step
    from backends.onnxruntime_tuning import tuned, untunable
    from results.errors import ChipmarkError
    from results.records import CaseSpec

    (known,) = [found for found in find(onnxruntime, "onnxruntime").devices if found.device.id == device_id]
    case = CaseSpec(
        workload="planted", workload_version=1, phase="infer", preset="tiny", precision="fp32", batch_size=1, shape={},
        backend="onnxruntime", device=device_id, options=options,
    )  # fmt: skip
    batches = [{"x": np.full((SIZE, SIZE), i, np.float32)} for i in range(NUM_ROTATING_BATCHES)]
    try:
        check_options(options)
        provider = tuned(known.provider, options)
        if reason := untunable(provider, options):
            return {"unsupported": reason}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / MODEL_FILE).write_bytes(graph("whole"))
            step = open_step(case, provider, CacheEntry(Path(folder), {}, cached=True), batches, FLOPS)
    except ChipmarkError as error:
        return {"error": str(error)}
    step.run(1)
    step.sync()
    (output,) = step.outputs().values()
    kept = {str(path): path.stat().st_mtime_ns for path in cache_root().rglob("*") if path.is_file()}
    return {"facts": dict(step.facts), "sum": float(np.abs(output).sum()), "kept": kept}


def devices() -> dict[str, Any]:
    """What ``find`` finds."""
    import onnxruntime

    from backends.onnxruntime_devices import find

    found = find(onnxruntime, "onnxruntime")
    return {
        "devices": {known.device.id: known.device.details | {"kind": known.device.kind} for known in found.devices},
        "installed": {lost.device: lost.reason for lost in found.missing if lost.installed},
    }


if __name__ == "__main__":
    os.environ["CHIPMARK_CACHE"] = sys.argv[1]
    if sys.argv[2] == "devices":
        print(json.dumps(devices()))
    else:
        print(json.dumps([facts(sys.argv[2], json.loads(given)) for given in sys.argv[3:]], default=str))
