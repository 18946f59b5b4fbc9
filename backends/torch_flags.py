"""Process-wide switches of torch that change what FP32 means: set, read, and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

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


_inference_mode: Any = None


def set_inference_mode(wanted: bool) -> None:
    """Put this thread into torch.inference_mode, or take it out again.

    Once for the process rather than in every step: entering it takes some 10 us, which would be
    measured with the step. What another caller entered is left alone.
    """
    global _inference_mode
    if wanted and _inference_mode is None:
        _inference_mode = torch.inference_mode()
        _inference_mode.__enter__()
    elif not wanted and _inference_mode is not None:
        _inference_mode.__exit__(None, None, None)
        _inference_mode = None


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put TF32 settings, the number of threads and inference mode back as they were."""
    precision, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    num_threads, inference = torch.get_num_threads(), _inference_mode is not None
    try:
        yield
    finally:
        set_inference_mode(inference)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = cudnn
        if torch.get_num_threads() != num_threads:
            torch.set_num_threads(num_threads)
