"""Imported by the fork server: ONNX Runtime, where importing it cannot touch a device.

Newer builds for GPUs register their CUDA provider while they are imported, which asks the driver for its
devices; a process forked after that could not use them. So only the plain build is loaded here, and the workers
load any other for themselves. Plugin providers are registered by workers only, never here.
"""

from __future__ import annotations

import contextlib
import importlib

from backends.onnxruntime_packages import PLAIN, builds_on

MODULES = ("onnxruntime", "onnxruntime.quantization", "backends.onnx_quantize", "backends.onnxruntime_session")

if [build.name for build in builds_on()] == [PLAIN]:
    for _name in MODULES:
        with contextlib.suppress(Exception):  # the worker that needs it will say what is wrong
            importlib.import_module(_name)
