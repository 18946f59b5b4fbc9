"""Providers of the table that cannot be used here: what is missing and what to install."""

from __future__ import annotations

import sys

from backends.base import MissingDevice
from backends.onnx_provider_row import ProviderRow
from backends.onnxruntime_packages import PLAIN

_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "macOS", "android": "Android", "ios": "iOS"}


def cannot_use(row: ProviderRow, suffix: str, problem: str) -> MissingDevice:
    """A provider that is installed, or one of its targets, and what is wrong."""
    device = f"{row.short}:{suffix}" if suffix else row.short
    hint = f"it needs {row.needs}" if row.needs else ""
    return MissingDevice(device=device, title=row.title, hardware=row.chips, reason=problem, hint=hint, installed=True)


def not_installed(row: ProviderRow, system: str = sys.platform) -> MissingDevice:
    """A provider that is not installed: how to install it, or why that would be of no use."""
    reason, hint = "not installed", install_command(row)
    name = _SYSTEMS.get(system, system)
    if name not in row.system:
        reason, hint = f"not for {name}, but for {row.system}", ""
    elif row.needs:
        hint = f"{hint} (needs {row.needs})" if hint else f"needs {row.needs}"
    return MissingDevice(device=row.short, title=row.title, hardware=row.chips, reason=reason, hint=hint)


def unknown_provider(name: str) -> MissingDevice:
    """A provider that this build has and chipmark does not know."""
    reason = "this build of ONNX Runtime has it, chipmark has no row for it yet"
    return MissingDevice(device=name, title=name, hardware="unknown", reason=reason, installed=True)


def install_command(row: ProviderRow) -> str:
    """What to type, or ``""`` where no package has the provider."""
    if not row.extra:
        return ""
    # Builds share one module, so that each needs an environment of its own; plugins join the plain one.
    alone = "" if row.package == PLAIN or row.is_plugin else ", in an environment of its own"
    return f'pip install "chipmark[torch,{row.extra}]"{alone}'
