"""Turns a model with signed INT8 weights and activations into FP8 (E4M3), QDQ format.

ONNX Runtime's own quantizer scales FP8 by the spread of the values, not by their range, has one scale for all output
channels, and rounds weights so that a small network here errs twice as much. So INT8 is calibrated, and its ranges are
kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.onnx_rounding import e4m3

# Largest value of INT8 (symmetric) and of E4M3 ("FP8 Formats for Deep Learning", Micikevicius et al. 2022).
_INT8_MAX, _E4M3_MAX = 127.0, 448.0
_QUANTIZED = "_quantized"  # what the quantizer appends to the names of weights


def convert_to_fp8(model: Path, exported: Path, external_data: bool) -> None:
    """Rewrite ``model`` in place.

    Scales grow so that the largest value is that of FP8; weights are rounded once, from their FP32 values.

    Args:
        model: static QDQ of signed types around 0.
        exported: the FP32 model that it was made of.
        external_data: its weights lie in a file beside it, and are to stay so.
    """
    import onnx

    quantized, original = onnx.load(str(model)), onnx.load(str(exported))
    tensors = {tensor.name: tensor for tensor in quantized.graph.initializer}
    plain = {tensor.name: tensor for tensor in original.graph.initializer}
    nodes = [node for node in quantized.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    of_int8 = [node for node in nodes if tensors[node.input[2]].data_type == onnx.TensorProto.INT8]
    factor = np.float32(_INT8_MAX / _E4M3_MAX)
    for name in {node.input[1] for node in of_int8}:
        scale = onnx.numpy_helper.to_array(tensors[name])
        tensors[name].CopyFrom(onnx.numpy_helper.from_array(scale * factor, name))
    for name in {node.input[2] for node in of_int8}:
        _store(tensors[name], np.zeros(tuple(tensors[name].dims), np.uint8))
    for node in of_int8:
        if node.input[0] in tensors:
            _store_weight(node, tensors, plain)
    onnx.save(quantized, str(model), save_as_external_data=external_data, location=f"{model.name}.data")


def _store_weight(node: Any, tensors: dict[str, Any], plain: dict[str, Any]) -> None:
    from onnx import numpy_helper

    name = node.input[0]
    weight = numpy_helper.to_array(plain[name.removesuffix(_QUANTIZED)])
    scale = numpy_helper.to_array(tensors[node.input[1]])
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    shape = [1] * weight.ndim
    if scale.ndim:
        shape[axis] = -1
    _store(tensors[name], e4m3(weight / scale.reshape(shape)))


def _store(tensor: Any, codes: np.ndarray) -> None:
    """Replace the values of ``tensor`` by FP8, whose bytes are ``codes``."""
    import onnx

    kind = onnx.TensorProto.FLOAT8E4M3FN
    tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, kind, codes.shape, codes.tobytes(), raw=True))
