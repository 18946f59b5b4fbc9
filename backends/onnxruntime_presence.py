"""Whether a provider that was built in really reaches the hardware it is told to use.

A build lists its providers whether or not their hardware, drivers and libraries are there, and what is told to
use absent hardware silently becomes the CPU (OpenVINO's GPU and NPU, 1.24). So its library is loaded, and a
graph of one node is put on it.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import ModuleType

from backends.onnx_provider_row import ProviderRow
from backends.onnxruntime_assignment import RECORD_ASSIGNMENT, assignment
from backends.onnxruntime_error_text import plain_error
from backends.onnxruntime_provider import Provider, ProviderAbsent, make_session

# y = a @ b of float32 [8, 8]; opset 13, IR 8. Written out, as ONNX encodes it, because a device that runs models
# exported elsewhere needs no onnx package.
ONE_NODE = (
    b'\x08\x08:U\n\x11\n\x01a\n\x01b\x12\x01y"\x06MatMul\x12\x01g'
    b"Z\x13\n\x01a\x12\x0e\n\x0c\x08\x01\x12\x08\n\x02\x08\x08\n\x02\x08\x08"
    b"Z\x13\n\x01b\x12\x0e\n\x0c\x08\x01\x12\x08\n\x02\x08\x08\n\x02\x08\x08"
    b"b\x13\n\x01y\x12\x0e\n\x0c\x08\x01\x12\x08\n\x02\x08\x08\n\x02\x08\x08B\x04\n\x00\x10\r"
)
_LIBRARIES = {"linux": "lib{}.so", "win32": "{}.dll", "darwin": "lib{}.dylib"}
_SILENT, _WARNING = 4, 2  # severities; warnings are ONNX Runtime's default


def library_problem(runtime: ModuleType, row: ProviderRow) -> str:
    """Why the library of a provider that was built in cannot be loaded, or ``""``. Opens no device."""
    name = _LIBRARIES.get(sys.platform, "lib{}.so").format(row.library)
    path = Path(str(runtime.__file__)).parent / "capi" / name
    if not row.library or not path.exists():
        return ""  # within the runtime itself
    problem = _load(path)
    if problem and row.memory == "cuda" and hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # CUDA's libraries as pip installs them are on no path of the loader
        problem = _load(path)
    return problem


def session_problem(runtime: ModuleType, provider: Provider, needs_node: bool) -> str:
    """Why ``provider`` cannot be used, found by opening a session of one node; ``""`` if it can.

    Args:
        runtime: the imported ``onnxruntime``.
        provider: as a case would use it.
        needs_node: the node must be on it; else that the session has the provider is enough (some NPUs take no
            graph that is so small).
    """
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    runtime.set_default_logger_severity(_SILENT)  # what is absent is our answer, not an error to print
    try:
        session = make_session(ONE_NODE, options, provider)
        nodes = assignment(session)
    except ProviderAbsent:
        return "ONNX Runtime opens no session on it and would run on the CPU instead"
    except Exception as error:  # the binding raises its own types, one per status code
        return plain_error(error)
    finally:
        runtime.set_default_logger_severity(_WARNING)
    if needs_node and not isinstance(nodes, str) and provider.name not in nodes:
        return f"a graph of one node stayed on {', '.join(nodes)}"
    return ""


def _load(path: Path) -> str:
    """Why the loader refuses ``path``, or ``""``; symbols that the runtime would bring are not its business."""
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        return "" if "undefined symbol" in str(error) else f"its library cannot be loaded: {error}"
    return ""
