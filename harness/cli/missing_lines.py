"""Devices that a backend knows but cannot use here, in few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.base import MissingDevice
    from harness.discovery import BackendReport


def missing_lines(report: BackendReport, show_all: bool) -> list[str]:
    """What is installed but does not work, a line each; the rest in one line, unless all are to be shown."""
    broken = [lost for lost in report.missing if lost.installed]
    absent = [lost for lost in report.missing if not lost.installed]
    lines = [f"{report.name} {text}" for text in _grouped(broken)]
    if absent and show_all:
        return lines + [f"{report.name} @ {lost.device}: {_described(lost)}" for lost in absent]
    if absent:
        names = ", ".join(lost.device for lost in absent)
        lines.append(f"{report.name}: not here: {names} (--all: what each needs)")
    return lines


def _grouped(broken: Sequence[MissingDevice]) -> list[str]:
    """One line for those that lack the same."""
    groups: dict[tuple[str, str], list[str]] = {}
    for lost in broken:
        groups.setdefault((lost.reason, lost.hint), []).append(lost.device)
    return [f"@ {', '.join(names)}: cannot be used: {_reason(*why)}" for why, names in groups.items()]


def _described(lost: MissingDevice) -> str:
    return f"{lost.title} ({lost.hardware}): {_reason(lost.reason, lost.hint)}"


def _reason(reason: str, hint: str) -> str:
    return f"{reason}; {hint}" if hint else reason
