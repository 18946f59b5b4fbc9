"""Process-wide switches of torch that change what FP32 means: set, read, and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


def set_tf32(allowed: bool) -> None:
    """Let FP32 matrix products and convolutions round their inputs to TF32, or forbid it.

    Uses the settings that exist since torch 1.12: mixing them with ``fp32_precision`` (2.9) is an
    error in torch itself, and torch.compile reads these.
    """
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def tf32_facts() -> dict[str, object]:
    """The settings as torch reports them."""
    return {
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": bool(torch.backends.cudnn.allow_tf32),
    }


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put TF32 settings and the number of threads back as they were."""
    precision, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    num_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = cudnn
        if torch.get_num_threads() != num_threads:
            torch.set_num_threads(num_threads)
