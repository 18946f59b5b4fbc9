"""What a provider must be told so that it computes in a precision, where the graph's own types do not say it.

Sources: the pages of the execution providers in ONNX Runtime's documentation. Only OpenVINO's CPU and QNN's simulator
were seen to do what they are told.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import NamedTuple

from backends.onnxruntime_provider import Provider
from results.errors import UsageError
from results.records import Precision


class Told(NamedTuple):
    """How a case's precision reaches a provider.

    Attributes:
        provider: with the options that say it.
        graph_precision: of the graph; another than the case's where options alone say it.
    """

    provider: Provider
    graph_precision: Precision


_ALL: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "fp8", "int8")
_OPTIONS: dict[str, Mapping[Precision, Mapping[str, str]]] = {
    # In the graph's own types; its GPU would else compute FP32 graphs in FP16.
    "OpenVINOExecutionProvider": {precision: {"precision": "ACCURACY"} for precision in _ALL},
    # Types wider than those allowed here are narrowed otherwise, its default.
    "CANNExecutionProvider": {precision: {"precision_mode": "must_keep_origin_dtype"} for precision in _ALL},
    # Kernels of a type are only tried where it is allowed.
    "TensorrtExecutionProvider": {
        "fp16": {"trt_fp16_enable": "1"},
        "bf16": {"trt_bf16_enable": "1"},
        "fp8": {"trt_fp8_enable": "1"},
        "int8": {"trt_int8_enable": "1"},
    },
    # FP32 graphs as such, not as FP16. The Hexagon of today has no FP32, and then refuses or shows it in its results.
    "QNNExecutionProvider": {"fp32": {"enable_htp_fp16_precision": "0"}},
}
# It takes no BF16 graph, and computes FP32 graphs in BF16 if it is told to (and the CPU can).
_BF16_OF_OPENVINO = json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}})


def told(provider: Provider, precision: Precision) -> Told:
    """``provider`` as it must be told to compute in ``precision``, and the precision of the graph for it.

    Raises:
        UsageError: an option of the case says something about precision already.
    """
    own, graph_precision = dict(_OPTIONS.get(provider.name, {}).get(precision, {})), precision
    if provider.name == "OpenVINOExecutionProvider" and provider.kind == "cpu" and precision == "bf16":
        own["load_config"], graph_precision = _BF16_OF_OPENVINO, "fp32"
    for name in own:
        if name in provider.options:
            raise UsageError(f"onnxruntime: option provider.{name} cannot be set: {precision} sets it")
    return Told(dataclasses.replace(provider, options={**provider.options, **own}), graph_precision)
