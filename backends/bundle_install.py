"""Makes the file of weights of a bundled graph on the device, with NumPy alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backends.bundle_format import Graph, OpenBundle, Piece
from backends.bundle_weights import digest_of, stream_values
from results.errors import BundleError

# Beside the file itself, so that the device is not left without any.
SPARE_BYTES = 64 * 2**20


def write_weights(opened: OpenBundle, graph: Graph, path: Path) -> None:
    """Write the weights of ``graph`` to ``path``; at most one tensor is held at a time, and its parts.

    Raises:
        BundleError: there is no room, or what comes out is not what was exported.
    """
    free = shutil.disk_usage(path.parent).free
    if free < graph.num_weight_bytes + SPARE_BYTES:
        raise BundleError(
            f"{path.parent}: {free / 2**20:.0f} MiB are free, the weights need "
            f"{graph.num_weight_bytes / 2**20:.0f} MiB and {SPARE_BYTES // 2**20} MiB to spare; "
            "set CHIPMARK_CACHE to a folder with room"
        )
    kept = f"{graph.file.rpartition('/')[0]}/{path.name}"
    if kept in opened.bundle.files:
        opened.copy(kept, path)
        return
    with path.open("wb") as file:
        os.truncate(file.fileno(), graph.num_weight_bytes)
        for piece in graph.pieces:
            content = made_piece(opened, piece)
            if len(content) != piece.num_bytes:
                raise BundleError(
                    f"{opened.path}: {graph.file}: a weight has {len(content)} bytes, not {piece.num_bytes}"
                )
            file.seek(piece.offset)
            file.write(content)


def quantized(values: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int | None) -> np.ndarray:
    """Linear quantization as ONNX defines it: round half to even, add the zero point, saturate.

    Args:
        values: FP32.
        scale: FP32, one, or one for each index of ``axis``.
        zero: zero points, as many; their type is that of the result.
        axis: of the scales; None: there is one.
    """
    if axis is not None:
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    limits = np.iinfo(zero.dtype)
    made = np.rint(values / scale) + zero.astype(np.float32)
    result: np.ndarray = np.clip(made, limits.min, limits.max).astype(zero.dtype)
    return result


def made_piece(opened: OpenBundle, piece: Piece) -> bytes:
    """The bytes of a weight.

    Raises:
        BundleError: what it is made of is missing or damaged, or other values come out here.
    """
    if piece.file is not None:
        return opened.read(piece.file)
    values = checked_stream(opened, piece.stream or "")
    if piece.transposed:
        values = values.T
    if piece.channel_scale is not None:
        factors = np.frombuffer(opened.read(piece.channel_scale), "<f4")
        values = values * factors.reshape(-1, *[1] * (values.ndim - 1))
    if piece.scale is not None and piece.zero_point is not None:
        scale = np.frombuffer(opened.read(piece.scale), "<f4")
        zero = np.frombuffer(opened.read(piece.zero_point), piece.dtype)
        values = quantized(values, scale, zero, piece.axis)
    return np.ascontiguousarray(values, piece.dtype).tobytes()


def checked_stream(opened: OpenBundle, name: str) -> np.ndarray:
    """The values of a stream of the bundle.

    Raises:
        BundleError: there is no such stream, or other values come out here.
    """
    streams: Mapping[str, object] = opened.bundle.streams
    if name not in streams:
        raise BundleError(f"{opened.path}: no values are called {name!r}; export the bundle again")
    stream = opened.bundle.streams[name]
    values = stream_values(name, stream.shape, stream.sd)
    if digest_of(values) != stream.digest:
        raise BundleError(
            f"{opened.path}: the values {name} come out differently here; "
            "export the bundle with --with-weights for this device"
        )
    return values
