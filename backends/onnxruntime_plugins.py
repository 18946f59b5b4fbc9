"""Plugin providers: packages of their own, whose libraries are registered with an installed ONNX Runtime.

A library is registered once a process, and only where devices are asked for: never in the fork server.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

from backends.onnx_provider_row import ProviderRow
from backends.onnxruntime_error_text import plain_error
from results.errors import ChipmarkError

# What became of each library in this process: "" or why it failed. ONNX Runtime refuses a second registration.
_registered: dict[str, str] = {}


def registered() -> set[str]:
    """Names of the providers that were registered in this process: ONNX Runtime lists them among its own then."""
    return {name for name, problem in _registered.items() if not problem}


def is_installed(row: ProviderRow) -> bool:
    """Whether the plugin package of ``row`` can be imported."""
    return bool(row.plugin) and importlib.util.find_spec(row.plugin) is not None


def register(runtime: ModuleType, row: ProviderRow, locate: Callable[[ProviderRow], str] | None = None) -> str:
    """Register the plugin library of ``row`` unless that was done; why it failed, or ``""``.

    Args:
        runtime: the imported ``onnxruntime``.
        row: a row whose plugin package is installed.
        locate: the path of a row's library; default: its package tells.
    """
    if row.name not in _registered:
        _registered[row.name] = _register(runtime, row, locate or library_of)
    return _registered[row.name]


def hardware_of(runtime: ModuleType, row: ProviderRow) -> list[Any]:
    """The devices (``OrtEpDevice``) that the registered plugin of ``row`` offers here."""
    return [found for found in runtime.get_ep_devices() if found.ep_name == row.name]


def library_of(row: ProviderRow) -> str:
    """The path of the plugin's library, as its package tells.

    Raises:
        ChipmarkError: the package is for another provider.
    """
    module = importlib.import_module(row.plugin)
    # Registered under its own name: ONNX Runtime names the provider as the library was registered.
    if (told := str(module.get_ep_name())) != row.name:
        raise ChipmarkError(f"package {row.plugin} holds {told}, not {row.name}")
    return str(module.get_library_path())


def _register(runtime: ModuleType, row: ProviderRow, locate: Callable[[ProviderRow], str]) -> str:
    if not hasattr(runtime, "register_execution_provider_library"):
        return f"onnxruntime {runtime.__version__} takes no plugin providers: 1.24 does"
    try:
        runtime.register_execution_provider_library(row.name, locate(row))
    except Exception as error:  # the binding and the packages raise what they like
        return f"its library cannot be loaded: {plain_error(error)}"
    return ""
