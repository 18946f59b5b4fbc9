"""How the large initializers of an exported graph are made from streams; found by trying, kept only if bits agree.

Used where a bundle is written. What no recipe makes is stored as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.bundle_format import Piece
from backends.bundle_install import quantized

# Smaller initializers stay within the graph.
MIN_BYTES = 65_536
# Of each piece in the file of weights, so that runtimes can map it.
ALIGNMENT = 4096
WEIGHTS_FILE = "weights.bin"
# However many there are, they stay within the graph: recipes are found with them.
_WITHIN = ("_scale", "_zero_point")
# Factors are searched for so many steps of FP32 around a quotient, which has one rounding.
_STEPS = (0, 1, -1, 2, -2)

PutFile = Callable[[bytes], str]


@dataclass(frozen=True)
class Found:
    """A recipe as the fields of a ``Piece``, and what it makes."""

    fields: Mapping[str, Any]
    values: np.ndarray


class TakenOut(NamedTuple):
    """How the pieces of a file of weights are made, its size in bytes, and the SHA-256 of each piece's own bytes."""

    pieces: tuple[Piece, ...]
    num_bytes: int
    digests: tuple[bytes, ...]


class Recipes:
    """Finds recipes for the initializers of one model's graphs.

    Args:
        streams: stream name -> its values, FP32.
        put: stores bytes as a file of the bundle and returns its name.
    """

    def __init__(self, streams: Mapping[str, np.ndarray], put: PutFile) -> None:
        self._streams, self._put = streams, put
        # Initializers of the FP32 graph by name: others are made of them by casting or quantizing.
        self._known: dict[str, Found] = {}

    def learn(self, model: Any) -> None:
        """Look at the FP32 graph, of whose initializers those of another graph will be made."""
        from onnx import numpy_helper

        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.nbytes >= MIN_BYTES and values.dtype == np.float32:
                self._recipe(tensor.name, values, {}, {})

    def take_out(self, model: Any) -> TakenOut:
        """Replace large initializers by references to ``WEIGHTS_FILE``.

        Args:
            model: an ``onnx.ModelProto`` with its data loaded; changed in place.
        """
        from onnx import external_data_helper, numpy_helper

        by_name = {tensor.name: tensor for tensor in model.graph.initializer}
        axes = dict(_axes(model))
        pieces, digests, end = list[Piece](), list[bytes](), 0
        for tensor in model.graph.initializer:
            if tensor.name.endswith(_WITHIN):
                continue
            values = numpy_helper.to_array(tensor)
            if values.nbytes < MIN_BYTES:
                continue
            offset = -(-end // ALIGNMENT) * ALIGNMENT
            end = offset + values.nbytes
            content = _bytes_of(values)
            fields = self._recipe(tensor.name, values, by_name, axes) or {"file": self._put(content)}
            digests.append(hashlib.sha256(content).digest())
            pieces.append(Piece(offset=offset, num_bytes=values.nbytes, **{"dtype": _name_of(values), **fields}))
            tensor.raw_data = b"x"  # as the helper wants it; it refers to the file then
            external_data_helper.set_external_data(tensor, WEIGHTS_FILE, offset, values.nbytes)
            tensor.ClearField("raw_data")
        return TakenOut(tuple(pieces), end, tuple(digests))

    def _recipe(self, name: str, values: np.ndarray, by_name: Mapping[str, Any], axes: Mapping[str, int]) -> Any:
        if values.dtype == np.float32:
            found = self._from_stream(values)
            if found:
                self._known[name] = found
                return found.fields
            return None
        if values.dtype == np.float16:
            return self._cast(name, values)
        if name.endswith("_quantized") and values.dtype.kind in "iu":  # FP8 is stored as it is
            return self._quantized(name.removesuffix("_quantized"), values, by_name, axes.get(name))
        return None

    def _from_stream(self, values: np.ndarray) -> Found | None:
        for name, base in self._streams.items():
            if base.size != values.size:
                continue
            if np.array_equal(base.reshape(-1), values.reshape(-1)):
                return Found({"stream": name}, values)
            if base.ndim == 2 and np.array_equal(base.T.reshape(-1), values.reshape(-1)):
                return Found({"stream": name, "transposed": True}, values)
            if base.shape == values.shape and (factors := _channel_factors(base, values)) is not None:
                return Found({"stream": name, "channel_scale": self._put(factors.astype("<f4").tobytes())}, values)
        return None

    def _cast(self, name: str, values: np.ndarray) -> Mapping[str, Any] | None:
        known = self._known.get(name)
        if known is not None and np.array_equal(known.values.astype(np.float16).reshape(-1), values.reshape(-1)):
            return {**known.fields, "dtype": "float16"}
        for stream, base in self._streams.items():
            if base.size != values.size:
                continue
            half = base.astype(np.float16)
            if np.array_equal(half.reshape(-1), values.reshape(-1)):
                return {"stream": stream, "dtype": "float16"}
            if half.ndim == 2 and np.array_equal(half.T.reshape(-1), values.reshape(-1)):
                return {"stream": stream, "transposed": True, "dtype": "float16"}
        return None

    def _quantized(
        self, source: str, values: np.ndarray, by_name: Mapping[str, Any], axis: int | None
    ) -> Mapping[str, Any] | None:
        from onnx import numpy_helper

        known = self._known.get(source)
        if known is None or f"{source}_scale" not in by_name:
            return None
        scale = numpy_helper.to_array(by_name[f"{source}_scale"]).reshape(-1)
        zero = numpy_helper.to_array(by_name[f"{source}_zero_point"]).reshape(-1)
        axis = axis if len(scale) > 1 else None
        made = quantized(known.values.reshape(values.shape), scale, zero, axis)
        if not np.array_equal(made, values):
            return None
        files = {"scale": self._put(scale.astype("<f4").tobytes()), "zero_point": self._put(_bytes_of(zero))}
        return {**known.fields, **files, "axis": axis, "dtype": _name_of(values)}


def _axes(model: Any) -> Iterator[tuple[str, int]]:
    """Quantized tensor -> axis of its scales (DequantizeLinear counts from the end, too; its default is 1)."""
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in ranks:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            yield node.input[0], axis % ranks[node.input[0]]


def _channel_factors(base: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    """FP32 factors with ``base * factor == values`` in each index of axis 0, or None."""
    rows, wanted = base.reshape(len(base), -1), values.reshape(len(values), -1)
    largest = np.abs(rows).argmax(1)[:, None]
    quotients = np.take_along_axis(wanted, largest, 1) / np.take_along_axis(rows, largest, 1)
    factors, agreed = quotients.copy(), np.zeros(len(rows), bool)
    for step in _STEPS:
        tried = quotients
        for _ in range(abs(step)):
            tried = np.nextafter(tried, np.float32(np.inf if step > 0 else -np.inf))
        good = ~agreed & (rows * tried == wanted).all(1)
        factors[good], agreed = tried[good], agreed | good
    return factors if agreed.all() else None


def _bytes_of(values: np.ndarray) -> bytes:
    little = values.dtype.newbyteorder("<") if values.dtype.byteorder == ">" else values.dtype
    return np.ascontiguousarray(values, little).tobytes()


def _name_of(values: np.ndarray) -> str:
    return values.dtype.name


def load(path: Path) -> Any:
    """An ONNX model with its external data."""
    import onnx

    return onnx.load(str(path))
