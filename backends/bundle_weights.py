"""Weights from their names, the same on every machine, without torch.

A stream is the raw output of NumPy's Philox counter generator, which NumPy keeps stable, as normal values by the
Box-Muller transform in FP64, rounded to FP32. Logarithm and cosine may differ in their last bit from one machine to
another; after rounding to FP32 that changes the last bit of about one value in a hundred million, so digests leave the
12 lowest bits out, which then agree but for one tensor in ten thousand of a hundred million values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

# Values that are made at a time: bounds the memory, and is part of what a stream is.
CHUNK = 1 << 20
_DROPPED_BITS = 12


def stream_values(name: str, shape: Sequence[int], sd: float) -> np.ndarray:
    """The tensor of a stream: FP32, mean 0, standard deviation ``sd``."""
    values = np.empty(prod(shape), np.float32)
    start = 0
    for chunk in _normal_chunks(name, len(values)):
        np.multiply(chunk, sd, out=chunk)
        values[start : start + len(chunk)] = chunk
        start += len(chunk)
    return values.reshape(shape)


def digest_of(values: np.ndarray) -> str:
    """SHA-256 of FP32 values without their 12 lowest bits."""
    bits = np.ascontiguousarray(values, "<f4").reshape(-1).view("<u4")
    digest = hashlib.sha256()
    for start in range(0, len(bits), CHUNK):
        digest.update((bits[start : start + CHUNK] >> _DROPPED_BITS).astype("<u4").tobytes())
    return digest.hexdigest()


def _normal_chunks(name: str, number: int) -> Iterator[np.ndarray]:
    """Standard normal values, FP64, at most ``CHUNK`` at a time."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    generator = np.random.Philox(key=key)
    for start in range(0, number, CHUNK):
        size = min(CHUNK, number - start)
        half = (size + 1) // 2
        raw = generator.random_raw(2 * half)
        uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # within (0, 1), both ends out
        radius = np.sqrt(-2.0 * np.log(uniform[:half]))
        angle = 2.0 * np.pi * uniform[half:]
        yield np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:size]
