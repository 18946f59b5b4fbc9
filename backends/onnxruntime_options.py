"""Options of ONNX Runtime cases: what a suite may set, checked, and as session options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.onnx_provider_options import PROVIDER_OPTIONS, RESERVED
from backends.onnxruntime_tuning import PREFIX
from results.errors import UsageError, did_you_mean
from results.records import Scalar

KNOWN_OPTIONS: dict[str, type] = {
    "cuda_graph": bool,  # capture the graph once and replay it, where the provider can
    "ep_context": bool,  # keep compiled models in chipmark's cache, where the provider can
    "graph_optimization": str,  # how far ONNX Runtime rewrites the graph: all, extended, basic, off
    # least part of the time, and of the matrix work, on the device's provider, 0 to 1; default 0.95
    "min_provider_share": float,
    "threads": int,  # CPU threads within one operator; default: one per physical core
    # what is passed on to the provider; false is a value here, so all are strings
    **{f"{PREFIX}{name}": str for options in PROVIDER_OPTIONS.values() for name in options},
    **{f"{PREFIX}{name}": str for name in RESERVED},
}
GRAPH_OPTIMIZATIONS = ("all", "extended", "basic", "off")
# Set, though it is the default, so that the facts tell what holds.
CONFIG_ENTRIES = {"session.intra_op.allow_spinning": "1"}
_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "off": "ORT_DISABLE_ALL",
}


def check_options(options: Mapping[str, Scalar]) -> None:
    """Accept known options with sensible values.

    Raises:
        UsageError: which option is wrong and what it takes.
    """
    for name, value in options.items():
        if name not in KNOWN_OPTIONS:
            raise UsageError(f"onnxruntime: unknown option {name!r}{did_you_mean(name, KNOWN_OPTIONS)}")
        if takes := _wanted(name, value):
            raise UsageError(f"onnxruntime: option {name} must be {takes}, not {value!r}")
        if (reserved := name.removeprefix(PREFIX)) != name and reserved in RESERVED:
            raise UsageError(f"onnxruntime: option {name} cannot be set: {RESERVED[reserved]}")


def _wanted(name: str, value: Scalar) -> str:
    """What the option takes, if not ``value``; else ``""``."""
    if name == "threads":
        return "" if type(value) is int and value >= 1 else "a whole number of 1 or more"
    if name == "min_provider_share":
        return "" if _is_share(value) else "a number from 0 to 1"
    if name == "graph_optimization":
        return "" if value in GRAPH_OPTIMIZATIONS else "one of " + ", ".join(GRAPH_OPTIMIZATIONS)
    if KNOWN_OPTIONS[name] is bool:
        return "" if type(value) is bool else "true or false"
    return "" if isinstance(value, str) else "a string"


def _is_share(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def session_options(options: Mapping[str, Scalar]) -> Any:
    """Fresh session options for checked case options."""
    import onnxruntime

    made = onnxruntime.SessionOptions()
    level = _LEVELS[str(options.get("graph_optimization", "all"))]
    made.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    made.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    made.intra_op_num_threads = int(options.get("threads") or 0)
    made.inter_op_num_threads = 1
    made.log_severity_level = 3  # errors; warnings would interleave with the harness's output
    for name, value in CONFIG_ENTRIES.items():
        made.add_session_config_entry(name, value)
    return made
