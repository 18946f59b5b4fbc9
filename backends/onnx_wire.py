"""Writes small ONNX models as bytes without the ``onnx`` package, which not every device can install.

Only what the probes need. Field numbers, types and data types are those of ``onnx.proto``; the encoding is that of
Protocol Buffers: a field is its number and kind, then a varint or a length with that many bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

# TensorProto.DataType.
FLOAT, UINT8, INT8, FLOAT16, BFLOAT16, FLOAT8E4M3FN = 1, 2, 3, 10, 16, 17
# The first opset whose QuantizeLinear all three of FP8, INT8 and UINT8 share with Cast; IR 10 goes with it
# (ONNX Versioning document).
OPSET, IR_VERSION = 20, 10
_VARINT, _BYTES, _INT_ATTRIBUTE = 0, 2, 2


@dataclass(frozen=True)
class Node:
    """A node; ``ints`` are its attributes."""

    op: str
    inputs: tuple[str, ...]
    output: str
    name: str = ""
    ints: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Tensor:
    """A constant: its name, its data type, and its values as they lie in memory (row-major, little-endian)."""

    name: str
    kind: int
    values: np.ndarray


@dataclass(frozen=True)
class Value:
    """An input or output."""

    name: str
    kind: int
    shape: tuple[int, ...]


def model_bytes(nodes: Sequence[Node], tensors: Sequence[Tensor], given: Value, result: Value) -> bytes:
    """A model of one graph with one input and one output."""
    parts = [_message(1, _node(node)) for node in nodes]
    parts += [_text(2, "probe")]
    parts += [_message(5, _tensor(tensor)) for tensor in tensors]
    parts += [_message(11, _value(given)), _message(12, _value(result))]
    opset = _text(1, "") + _int(2, OPSET)
    return _int(1, IR_VERSION) + _message(7, b"".join(parts)) + _message(8, opset)


def _node(node: Node) -> bytes:
    names = b"".join(_text(1, name) for name in node.inputs) + _text(2, node.output)
    attributes = (_text(1, name) + _int(3, i) + _int(20, _INT_ATTRIBUTE) for name, i in node.ints.items())
    return names + _text(3, node.name) + _text(4, node.op) + b"".join(_message(5, one) for one in attributes)


def _tensor(tensor: Tensor) -> bytes:
    dims = b"".join(_int(1, size) for size in tensor.values.shape)
    return dims + _int(2, tensor.kind) + _text(8, tensor.name) + _message(9, tensor.values.tobytes())


def _value(value: Value) -> bytes:
    shape = b"".join(_message(1, _int(1, size)) for size in value.shape)
    return _text(1, value.name) + _message(2, _message(1, _int(1, value.kind) + _message(2, shape)))


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a set high bit says that more follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
