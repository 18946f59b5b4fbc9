"""Fake ``/proc``, ``/sys`` and control groups, a clock that tests move, and scenes made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.guards.base import Roots, Scene
from results.records import Device

CPU = Device(id="cpu", backend="torch", kind="cpu", name="CPU")
S = 1_000_000_000


class Clock:
    """Wall, thread and process time in ns, each moved by hand."""

    def __init__(self) -> None:
        self.wall_ns = self.thread_ns = self.process_ns = 5 * S


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below ``root``, with their folders."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def scene(folder: Path, clock: Clock | None = None, **changes: Any) -> Scene:
    """A CPU with an empty system under ``folder``: proc, sys and cgroup."""
    clock = clock or Clock()
    fields: dict[str, Any] = {
        "device": CPU,
        "facts": {"threads": 1},
        "roots": Roots(folder / "proc", folder / "sys", folder / "cgroup"),
        "now_ns": lambda: clock.wall_ns,
        "thread_time_ns": lambda: clock.thread_ns,
        "process_time_ns": lambda: clock.process_ns,
        "affinity": lambda: frozenset({0, 1}),
    }
    return Scene(**(fields | changes))
