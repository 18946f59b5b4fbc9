"""Run by another Python: probes every precision on a device, as a case with these options would; prints JSON.

python -m tests.other_runtimes.probed DEVICE [OPTIONS_AS_JSON]
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec


def probed(device_id: str, options: dict[str, Any]) -> dict[str, Any]:
    """Precision -> support."""
    import onnxruntime

    from backends.onnx_precision_options import told
    from backends.onnxruntime_devices import find
    from backends.onnxruntime_precision import probe
    from backends.onnxruntime_tuning import tuned
    from results.records import PRECISIONS

    (known,) = [found for found in find(onnxruntime, "onnxruntime").devices if found.device.id == device_id]
    found = {}
    for precision in PRECISIONS if not options else ("fp32",):
        place, graph_precision = told(tuned(known.provider, options), precision)
        found[precision] = msgspec.to_builtins(probe(precision, place, graph_precision=graph_precision))
    return found


if __name__ == "__main__":
    print(json.dumps(probed(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})))
