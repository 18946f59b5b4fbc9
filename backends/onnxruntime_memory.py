"""Memory for the tensors of an I/O binding, where the provider keeps its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# ONNX Runtime's names of element types -> NumPy's.
_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def dtype_of(described: Any) -> type[np.generic]:
    """NumPy's type of an input or output that a session describes; FP32 where NumPy has none."""
    return _DTYPES.get(described.type, np.float32)


def allocate(shape: Sequence[int], dtype: type[np.generic], memory: str) -> Any:
    """An uninitialised ``OrtValue`` in ``memory`` (``cpu``, ``cuda``, ...)."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, memory)


def put(array: np.ndarray, memory: str) -> Any:
    """An ``OrtValue`` in ``memory`` with the content of ``array``; on the CPU it may read the array's own memory."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), memory)


def bind_part(bind: Any, name: str, buffer: Any, shape: Sequence[int], dtype: type[np.generic], memory: str) -> None:
    """Bind the beginning of ``buffer`` as a tensor of ``shape``, with ``bind_input`` or ``bind_output``.

    The buffer must outlive the binding, which holds its address only.
    """
    bind(name, memory, 0, dtype, list(shape), buffer.data_ptr())


def graph_run_options(number: int, captured: bool) -> list[Any]:
    """Run options of ``number`` bindings: None, or where runs are captured, a graph of its own for each.

    A captured graph is replayed with the addresses that it was captured with, so one graph for several bindings
    would compute on the first one's inputs (``gpu_graph_id`` in onnxruntime_run_options_config_keys.h).
    """
    if not captured:
        return [None] * number
    import onnxruntime

    made = []
    for k in range(number):
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(k))
        made.append(options)
    return made
